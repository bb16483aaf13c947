/**
 * A folder as a tar archive, as a stream in constant memory: permissions, times, links and names of any length as they
 * are, the owner root. Files are read one after the other right into what is sent, which no queue of reads is faster than.
 */
import { closeSync } from 'node:fs'
import { type ContextFolder, openEntry, readPart } from './folder.ts'
import { type ArchiveHeader, bytesOf, encodeHeader, paddingOf, trailerBytes } from './header.ts'
import { nextTurn, type WalkedEntry } from './walk.ts'

/** How much is handed over at once. */
const chunkBytes = 512 * 1024
/** How many there are when their memory is used again. */
const chunksInTurn = 8

export interface PackOptions {
  /**
   * Each chunk is overwritten when seven more were taken: for whoever has sent one by then, as streams do that are
   * written to no faster than they take it. It halves the time that packing takes. Default: each may be kept.
   */
  readonly reusesMemory?: boolean
}

/** How long the archive of a folder will be. */
export function archiveBytes(folder: Pick<ContextFolder, 'entries'>): number {
  return headersOf(folder.entries).reduce((total, { header }) => total + bytesOf(header), trailerBytes)
}

/**
 * The archive. Throws BadRequest for a file that cannot be read, or has become shorter; one that was changed otherwise is
 * packed as it is then, which its digest tells whoever gets it.
 */
export async function* packFolder(
  { root, entries }: Pick<ContextFolder, 'root' | 'entries'>,
  signal: AbortSignal,
  { reusesMemory = false }: PackOptions = {},
): AsyncGenerator<Buffer> {
  const chunk = new Chunk(reusesMemory ? chunksInTurn : 0)
  for (const { header, entry } of headersOf(entries)) {
    const bytes = encodeHeader(header)
    if (!chunk.hasRoom(bytes.length)) yield chunk.take()
    chunk.add(bytes)
    if (header.size === 0) continue
    const descriptor = openEntry(root, entry)
    try {
      for (let left = header.size; left > 0; ) {
        if (!chunk.hasRoom(1)) {
          yield chunk.take()
          await nextTurn(signal)
        }
        left -= chunk.read(entry, descriptor, left)
      }
    } finally {
      closeSync(descriptor)
    }
    const padding = paddingOf(header.size)
    if (!chunk.hasRoom(padding)) yield chunk.take()
    chunk.addZeros(padding)
  }
  if (!chunk.hasRoom(trailerBytes)) yield chunk.take()
  chunk.addZeros(trailerBytes)
  yield chunk.take()
}

class Chunk {
  #buffer = Buffer.allocUnsafeSlow(chunkBytes)
  #length = 0
  /** Taken ones, the oldest first. */
  readonly #taken: Buffer<ArrayBuffer>[] = []
  readonly #mostTaken: number

  /** `inTurn`: how many buffers are used again and again; 0: none is. */
  constructor(inTurn: number) {
    this.#mostTaken = inTurn - 1
  }

  hasRoom(bytes: number): boolean {
    return this.#length === 0 || this.#length + bytes <= this.#buffer.length
  }

  add(bytes: Buffer): void {
    // Pax records with names of any length.
    if (bytes.length > this.#buffer.length) this.#buffer = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(this.#buffer, this.#length)
    this.#length += bytes.length
  }

  addZeros(bytes: number): void {
    this.#buffer.fill(0, this.#length, this.#length + bytes)
    this.#length += bytes
  }

  read(entry: WalkedEntry, descriptor: number, most: number): number {
    const count = readPart(entry, { descriptor, buffer: this.#buffer, offset: this.#length, most })
    this.#length += count
    return count
  }

  take(): Buffer {
    const taken = this.#buffer.subarray(0, this.#length)
    if (this.#mostTaken > 0) this.#taken.push(this.#buffer)
    const oldest = this.#taken.length > this.#mostTaken ? this.#taken.shift() : undefined
    this.#buffer = oldest ?? Buffer.allocUnsafeSlow(chunkBytes)
    this.#length = 0
    return taken
  }
}

interface Packed {
  readonly header: ArchiveHeader
  readonly entry: WalkedEntry
}

/** A file with several names is packed once; the others name the first. */
function headersOf(entries: readonly WalkedEntry[]): readonly Packed[] {
  const firstNames = new Map<string, string>()
  return entries.map((entry) => {
    const { path, type, mode, size, linkname } = entry
    const mtime = Math.floor(entry.mtimeMs / 1000)
    const first = entry.type === 'file' && entry.nlink > 1 ? `${entry.dev}:${entry.ino}` : undefined
    const known = first === undefined ? undefined : firstNames.get(first)
    if (known !== undefined)
      return { entry, header: { path, type: 'link', mode, size: 0, mtime, linkname: known } }
    if (first !== undefined) firstNames.set(first, path)
    return { entry, header: { path, type, mode, size, mtime, ...(linkname !== undefined && { linkname }) } }
  })
}
