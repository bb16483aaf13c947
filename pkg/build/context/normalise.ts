/**
 * Any archive as the one that Cove sends and keeps: checked, plain, owned by root, with what is left out left out; and
 * what it is called, found on the way. A stream, whatever its size.
 */
import { createHash } from 'node:crypto'
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { inBlocks } from './blocks.ts'
import { shown, type TreeEntry } from './entry.ts'
import type { Keep } from './entryroom.ts'
import { type ArchiveHeader, encodeHeader, paddingOf, trailerBytes } from './header.ts'
import type { Ignore } from './ignore.ts'
import { type ArchivedFile, readArchive } from './readarchive.ts'
import { treeDigest } from './treedigest.ts'
import { unpack } from './unpack.ts'

export interface NormaliseOptions {
  /** Of all files together; more is ContextTooLarge. */
  readonly maxBytes: number
  readonly ignore?: Ignore
  /** Files whose text is wanted, by their paths; of those that are too long for a Dockerfile nothing is kept. */
  readonly texts?: ReadonlySet<string>
  /** Told what is kept of the files until the archive is read; what it throws ends that. */
  readonly keep?: Keep | undefined
}

export interface ContextSummary {
  /** `tree:` and 64 hex digits. */
  readonly digest: string
  /** Of all files together. */
  readonly bytes: number
  /** What is no folder. */
  readonly files: number
  /** How long the archive was that came out. */
  readonly archiveBytes: number
  /** All that is in it, in the order of the archive; each path once. */
  readonly entries: readonly TreeEntry[]
  readonly texts: Readonly<Record<string, string>>
}

export interface Normalised {
  /** To be read once, to its end. */
  readonly archive: AsyncIterable<Uint8Array>
  /** Once the archive was read to its end; throws before. */
  summary(): ContextSummary
}

/** Of a Dockerfile, as the API takes it. */
export const longestText = 262_144

/** Plain, or packed with gzip, bzip2, xz or zstd. Throws while it is read: BadRequest, ContextTooLarge. */
export function normaliseArchive(input: AsyncIterable<Uint8Array>, options: NormaliseOptions): Normalised {
  const book = new ContextBook(options)
  return {
    archive: inBlocks(normalised(unpack(input), options, book)),
    summary: () => book.summary(),
  }
}

/** The same, for whoever wants to know what is in it and nothing else. */
export async function summarise(
  input: AsyncIterable<Uint8Array>,
  options: NormaliseOptions,
): Promise<ContextSummary> {
  const book = new ContextBook(options)
  for await (const chunk of normalised(unpack(input), options, book)) void chunk
  return book.summary()
}

async function* normalised(
  input: AsyncIterable<Uint8Array>,
  { ignore, keep }: NormaliseOptions,
  book: ContextBook,
): AsyncGenerator<Uint8Array> {
  for await (const file of readArchive(input, keep)) {
    if (ignore?.ignores(file.header.path) === true) continue
    yield* counted(written(file, book), book)
  }
  book.close()
  yield Buffer.alloc(trailerBytes)
}

async function* counted(chunks: AsyncIterable<Uint8Array>, book: ContextBook): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    book.archiveBytes += chunk.length
    yield chunk
  }
}

async function* written({ header, content }: ArchivedFile, book: ContextBook): AsyncGenerator<Uint8Array> {
  if (header.type !== 'file') {
    book.add(header)
    yield encodeHeader(header)
    return
  }
  book.mustHaveRoom(header.size)
  const hash = createHash('sha256')
  const kept: Uint8Array[] | undefined = book.wants(header) ? [] : undefined
  yield encodeHeader(header)
  for await (const chunk of content) {
    hash.update(chunk)
    kept?.push(chunk)
    yield chunk
  }
  if (header.size % 512 > 0) yield Buffer.alloc(paddingOf(header.size))
  book.add(header, hash.digest('hex'))
  if (kept !== undefined) book.keepText(header.path, Buffer.concat(kept).toString())
}

/** What has come so far. */
class ContextBook {
  archiveBytes = trailerBytes
  readonly #options: NormaliseOptions
  readonly #entries = new Map<string, TreeEntry>()
  readonly #texts: Record<string, string> = Object.create(null)
  #bytes = 0
  #isClosed = false

  constructor(options: NormaliseOptions) {
    this.#options = options
  }

  wants({ path, size }: ArchiveHeader): boolean {
    return size <= longestText && this.#options.texts?.has(path) === true
  }

  mustHaveRoom(bytes: number): void {
    const { maxBytes } = this.#options
    this.#bytes += bytes
    if (this.#bytes > maxBytes) throw contextTooLarge(maxBytes)
  }

  add({ path, type, mode, size, linkname }: ArchiveHeader, sha256?: string): void {
    if (type === 'link') {
      this.#addLink(path, linkname ?? '')
      return
    }
    this.#entries.set(path, {
      path,
      type,
      mode,
      size,
      ...(sha256 !== undefined && { sha256 }),
      ...(linkname !== undefined && { linkname }),
    })
  }

  /** It is what it is a name of, as that is now. */
  #addLink(path: string, target: string): void {
    const entry = this.#entries.get(target)
    if (entry === undefined)
      throw badRequest(
        `${shown(path)} is a further name of ${shown(target)}, which is left out of the context`,
      )
    this.#entries.set(path, { ...entry, path })
    const text = this.#texts[target]
    if (text !== undefined && this.#options.texts?.has(path) === true) this.keepText(path, text)
  }

  keepText(path: string, text: string): void {
    this.#texts[path] = text
  }

  close(): void {
    this.#isClosed = true
  }

  summary(): ContextSummary {
    if (!this.#isClosed) throw new TypeError('the archive was not read to its end')
    const entries = [...this.#entries.values()]
    return {
      digest: treeDigest(entries),
      bytes: entries.reduce((total, { size }) => total + size, 0),
      files: entries.filter(({ type }) => type !== 'directory').length,
      archiveBytes: this.archiveBytes,
      entries,
      texts: { ...this.#texts },
    }
  }
}

/** `found`: how much it has, where that is known. */
export function contextTooLarge(maxBytes: number, found?: string): StatusError {
  const has = found ?? `more than ${humanBytes(maxBytes)}`
  return new StatusError(
    'ContextTooLarge',
    `the context has ${has}; spec.maxContextBytes is ${humanBytes(maxBytes)}: leave out what is not needed with a .dockerignore, or allow more`,
  )
}
