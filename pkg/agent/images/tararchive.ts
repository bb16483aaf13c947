/**
 * Tar archives, entry by entry, with the bytes that each was written with, so that what is passed on is passed on as it was.
 * Read are the formats of POSIX (ustar, pax) and GNU's long names and large sizes, which engines write.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'

export type Bytes = AsyncIterable<Uint8Array>

export interface TarEntry {
  readonly name: string
  /** As its header has it: `0` for a file, `5` for a directory. */
  readonly type: string
  /** Of its content. */
  readonly size: number
  /** Where a link leads; empty for everything else. */
  readonly link: string
  /** Its headers. */
  readonly head: Uint8Array
  /** To be read before the next entry is asked for, or not at all. */
  readonly content: AsyncGenerator<Uint8Array>
  readonly padding: Uint8Array
}

const blockSize = 512
const largestHeld = 4 * 1024 ** 2
/** Of one entry: its own, and those that say something about it. */
const mostHeaders = 16

/** What headers before the one of an entry say of it. */
interface Extra {
  path?: string
  linkpath?: string
  size?: string
}

/**
 * The last entry has no name and is the archive's end; before it, an archive that breaks off or is none fails with
 * EngineError.
 */
export async function* tarEntries(archive: Bytes): AsyncGenerator<TarEntry> {
  const source = new Pieces(archive)
  try {
    let head: Buffer[] = []
    let extra: Extra = {}
    for (;;) {
      const block = await source.take(blockSize)
      if (block.every((byte) => byte === 0)) return yield end(block, source)
      const header = readHeader(block)
      head.push(block)
      if (head.length > 2 * mostHeaders) throw broken('is damaged')
      if (isAbout(header.type)) {
        const content = await source.take(padded(header.size))
        head.push(content)
        extra = { ...extra, ...readExtra(header.type, content.subarray(0, header.size)) }
        continue
      }
      const size = extra.size === undefined ? header.size : readDecimal(extra.size)
      const { path: name = header.name, linkpath: link = header.link } = extra
      const padding = Buffer.alloc(padded(size) - size)
      const content = source.pass(size)
      const { type } = header
      yield { name: name.replace(/^\.\//, ''), type, size, link, head: Buffer.concat(head), content, padding }
      for await (const piece of content) void piece
      await source.take(padding.length)
      ;[head, extra] = [[], {}]
    }
  } finally {
    await source.close()
  }
}

export async function gatherBytes(content: Bytes): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of content) {
    length += piece.length
    if (length > largestHeld) throw new StatusError('EngineError', 'a file of the archive is too large')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

function end(block: Buffer, source: Pieces): TarEntry {
  return {
    name: '',
    type: '',
    size: 0,
    link: '',
    head: block,
    content: source.rest(),
    padding: new Uint8Array(),
  }
}

interface Header {
  readonly name: string
  readonly link: string
  readonly size: number
  readonly type: string
}

function readHeader(block: Buffer): Header {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0)
  if (sum !== readNumber(block.subarray(148, 156))) throw broken('is no tar archive')
  const prefix = block.toString('latin1', 257, 262) === 'ustar' ? readText(block.subarray(345, 500)) : ''
  const name = readText(block.subarray(0, 100))
  const type = String.fromCharCode(block[156] || 0x30)
  const hasContent = !/[1-6]/.test(type)
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    link: readText(block.subarray(157, 257)),
    size: hasContent ? readNumber(block.subarray(124, 136)) : 0,
    type,
  }
}

/** Whether such an entry only says something about the next one, or about all. */
function isAbout(type: string): boolean {
  return ['x', 'g', 'L', 'K'].includes(type)
}

function readExtra(type: string, content: Buffer): Extra {
  if (type === 'L') return { path: readText(content) }
  if (type === 'K') return { linkpath: readText(content) }
  return type === 'x' ? readRecords(content) : {}
}

/** `LENGTH KEY=VALUE\n`, the length being that of the whole record. */
function readRecords(content: Buffer): Extra {
  const records: Record<string, string> = {}
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at)
    // Longer numbers there are not in what is held.
    const length = space > at && space - at < 8 ? readDecimal(content.toString('latin1', at, space)) : 0
    if (length <= space - at || at + length > content.length) throw broken('is damaged')
    const record = /^([^=]*)=(.*)\n$/s.exec(content.toString('utf8', space + 1, at + length))
    if (record === null) throw broken('is damaged')
    const [, key = '', value = ''] = record
    records[key] = value
    at += length
  }
  const { path, linkpath, size } = records
  return {
    ...(path !== undefined && { path }),
    ...(linkpath !== undefined && { linkpath }),
    ...(size !== undefined && { size }),
  }
}

function readDecimal(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw broken('is damaged')
  return value
}

/** Octal digits, or for what is larger than they can say the bytes of the number itself. */
function readNumber(field: Buffer): number {
  if (field[0] === 0x80) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0)
    if (Number.isSafeInteger(value)) return value
  }
  const digits = readText(field).trim()
  if (!/^[0-7]*$/.test(digits)) throw broken('is no tar archive')
  return digits === '' ? 0 : Number.parseInt(digits, 8)
}

function readText(field: Buffer): string {
  const zero = field.indexOf(0)
  return field.toString('utf8', 0, zero < 0 ? field.length : zero)
}

function padded(size: number): number {
  return Math.ceil(size / blockSize) * blockSize
}

function broken(how: string): StatusError {
  return new StatusError('EngineError', `the archive of a saved image ${how}`)
}

/** Bytes in amounts that are asked for, however they come. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>
  #held: Uint8Array = new Uint8Array()

  constructor(source: Bytes) {
    this.#source = source[Symbol.asyncIterator]()
  }

  /** Exactly so many, at once. */
  async take(count: number): Promise<Buffer> {
    if (count > largestHeld) throw broken('is damaged')
    const pieces: Uint8Array[] = []
    for await (const piece of this.pass(count)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  /** Exactly so many, as they come. */
  async *pass(count: number): AsyncGenerator<Uint8Array> {
    for (let left = count; left > 0; ) {
      if (!(await this.#fill())) throw broken('breaks off')
      const piece = this.#held.subarray(0, left)
      this.#held = this.#held.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    while (await this.#fill()) {
      const piece = this.#held
      this.#held = new Uint8Array()
      yield piece
    }
  }

  /** Lets go of the source, which may not be at its end. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#held.length === 0) {
      const next = await this.#source.next()
      if (next.done === true) return false
      this.#held = next.value
    }
    return true
  }
}
