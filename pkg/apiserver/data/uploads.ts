/**
 * Files that people upload for their objects, such as archives of images: below the data directory, in a folder for each
 * namespace, each file by the digest of its content. A file is there as a whole or not at all: it is written under
 * another name, checked while it comes, and renamed when it is safely on the disk. What was broken off, by a kill too,
 * is removed at the next start.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, statfs, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Random } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { uploadDigestPattern } from '#pkg/apis/uploads.ts'
import { inBlocks } from '#pkg/build/context/blocks.ts'
import { EntryRoom } from '#pkg/build/context/entryroom.ts'
import { normaliseArchive } from '#pkg/build/context/normalise.ts'

export interface UploadsOptions {
  /** The data directory. */
  readonly dataDir: string
  /** Of one file. */
  readonly maxBytes: number
  /** Memory for the files of contexts that come at once; absent: as usual. */
  readonly entryRoom?: EntryRoom
  readonly clock: Clock
  readonly random: Random
}

export interface UploadName {
  readonly namespace: string
  /** `sha256:` of a file's bytes, or `tree:` of the files in a tar archive; and 64 hex digits. */
  readonly digest: string
}

export interface UploadedFile extends UploadName {
  readonly bytes: number
  /** When somebody last sent it or asked for it, in milliseconds since the epoch. */
  readonly touched: number
}

export interface Sending {
  readonly input: AsyncIterable<Uint8Array>
  /** In bytes, as announced; absent: not known. */
  readonly bytes?: number
  readonly signal: AbortSignal
}

/** What stays free for the store, so that uploads do not keep the server from writing. */
const reserveBytes = 256 * 1024 ** 2
/** How much is written, of all files together, between two looks at the disk. */
const lookEveryBytes = 64 * 1024 ** 2
/** At once; each takes a connection and a stream of writes. */
const mostAtOnce = 16
const partialPrefix = '.partial-'

export class Uploads {
  readonly #options: UploadsOptions
  readonly #dir: string
  readonly #entryRoom: EntryRoom
  #sending = 0
  /** Bytes since the last look at the disk. */
  #unseen = 0

  private constructor(options: UploadsOptions) {
    this.#options = options
    this.#dir = join(options.dataDir, 'uploads')
    this.#entryRoom = options.entryRoom ?? new EntryRoom()
  }

  /** To be called while nobody else has the data directory. */
  static async open(options: UploadsOptions): Promise<Uploads> {
    const uploads = new Uploads(options)
    await mkdir(uploads.#dir, { recursive: true, mode: 0o700 })
    const broken = (await readdir(uploads.#dir)).filter((name) => name.startsWith(partialPrefix))
    for (const name of broken) await rm(join(uploads.#dir, name), { force: true })
    return uploads
  }

  /** Undefined: there is no such file. */
  async find(name: UploadName): Promise<UploadedFile | undefined> {
    const path = this.#pathOf(name)
    try {
      const { size, mtimeMs } = await stat(path)
      return { ...name, bytes: size, touched: mtimeMs }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw failed('read', error)
    }
  }

  /** Says that somebody wants the file, so that it is not collected for a while. */
  async touch(name: UploadName): Promise<void> {
    const path = this.#pathOf(name)
    const now = new Date(this.#options.clock.now())
    try {
      await utimes(path, now, now)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw failed('read', error)
    }
  }

  /** Its content, of a file that `find` has found; opened when it is first read. */
  async *read(name: UploadName): AsyncGenerator<Uint8Array, undefined> {
    yield* createReadStream(this.#pathOf(name), { highWaterMark: 256 * 1024 })
    return undefined
  }

  /**
   * Takes a file. Throws BadRequest when the content has another digest or another length than was said,
   * RequestEntityTooLarge, NoSpace, and TooManyRequests; nothing is left behind then.
   */
  async put(name: UploadName, sending: Sending): Promise<void> {
    const { maxBytes } = this.#options
    if ((sending.bytes ?? 0) > maxBytes) throw tooLarge(maxBytes)
    if (this.#sending >= mostAtOnce)
      throw new StatusError('TooManyRequests', `${mostAtOnce} files are being uploaded already`, {
        retryAfterSeconds: 5,
      })
    this.#sending++
    try {
      await this.#mustHaveRoom(sending.bytes ?? 0)
      await this.#write(name, sending)
    } finally {
      this.#sending--
    }
  }

  /** All files. */
  async list(): Promise<UploadedFile[]> {
    const folders = await readdir(this.#dir, { withFileTypes: true })
    const found: UploadedFile[] = []
    for (const { name: namespace } of folders.filter((entry) => entry.isDirectory())) {
      for (const fileName of await readdir(join(this.#dir, namespace))) {
        const digest = digestOfFile(fileName)
        // Whoever puts other files there looks after them.
        if (!uploadDigestPattern.test(digest)) continue
        const file = await this.find({ namespace, digest })
        if (file !== undefined) found.push(file)
      }
    }
    return found
  }

  async remove(name: UploadName): Promise<void> {
    await rm(this.#pathOf(name), { force: true })
  }

  async #mustHaveRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(this.#dir)
    const free = bavail * bsize - reserveBytes
    if (free >= bytes) return
    const what = bytes === 0 ? 'more of the file' : `a file of ${humanBytes(bytes)}`
    const left = `${humanBytes(Math.max(0, free))} are free for uploads`
    throw new StatusError('NoSpace', `the server's disk has no room for ${what}: ${left}`)
  }

  async #write(name: UploadName, sending: Sending): Promise<void> {
    const partial = join(this.#dir, `${partialPrefix}${this.#options.random.uuid()}`)
    try {
      const file = await open(partial, 'wx', 0o600)
      try {
        const found = name.digest.startsWith(treePrefix)
          ? await this.#copyTree(sending, file)
          : await this.#copy(sending, file)
        mustBe(name.digest, found)
        await file.sync()
      } finally {
        await file.close()
      }
      const folder = join(this.#dir, name.namespace)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await rename(partial, this.#pathOf(name))
      for (const dir of [folder, this.#dir]) await syncDirectory(dir)
    } catch (error) {
      await rm(partial, { force: true })
      throw error instanceof StatusError || sending.signal.aborted ? error : failed('written', error)
    }
  }

  /** The digest of what came. */
  async #copy(sending: Sending, file: FileHandle): Promise<string> {
    const hash = createHash('sha256')
    for await (const block of inBlocks(this.#counted(sending))) {
      hash.update(block)
      await this.#append(file, block)
    }
    return `sha256:${hash.digest('hex')}`
  }

  /** What is kept is the archive as Cove writes it, whoever has made the one that came: nodes read that. */
  async #copyTree(sending: Sending, file: FileHandle): Promise<string> {
    const { maxBytes } = this.#options
    const { keep, giveBack } = this.#entryRoom.share()
    try {
      const { archive, summary } = normaliseArchive(this.#counted(sending), { maxBytes, keep })
      for await (const block of archive) await this.#append(file, block)
      return summary().digest
    } finally {
      giveBack()
    }
  }

  async *#counted({ input, bytes, signal }: Sending): AsyncGenerator<Uint8Array> {
    const { maxBytes } = this.#options
    let size = 0
    for await (const chunk of input) {
      signal.throwIfAborted()
      size += chunk.length
      if (size > maxBytes) throw tooLarge(maxBytes)
      yield chunk
    }
    if (bytes !== undefined && size !== bytes)
      throw badRequest(`the file was to have ${bytes} bytes, and ${size} came`)
  }

  async #append(file: FileHandle, block: Uint8Array): Promise<void> {
    this.#unseen += block.length
    if (this.#unseen >= lookEveryBytes) {
      this.#unseen = 0
      await this.#mustHaveRoom(0)
    }
    await file.appendFile(block)
  }

  /** Nothing but names of namespaces and digests gets here; this is the last look. */
  #pathOf({ namespace, digest }: UploadName): string {
    if (!uploadDigestPattern.test(digest))
      throw badRequest(`"${digest}" is no digest: sha256:HEX or tree:HEX`)
    if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(namespace)) throw badRequest(`"${namespace}" is no namespace`)
    return join(this.#dir, namespace, fileOfDigest(digest))
  }
}

const treePrefix = 'tree:'
const treeFilePrefix = 'tree-'

function fileOfDigest(digest: string): string {
  if (digest.startsWith(treePrefix)) return `${treeFilePrefix}${digest.slice(treePrefix.length)}`
  return digest.slice('sha256:'.length)
}

function digestOfFile(name: string): string {
  if (name.startsWith(treeFilePrefix)) return `${treePrefix}${name.slice(treeFilePrefix.length)}`
  return `sha256:${name}`
}

function mustBe(wanted: string, found: string): void {
  if (found === wanted) return
  throw badRequest(
    `the digest of what came is ${found}, and not ${wanted}: was it changed while it was sent?`,
  )
}

function tooLarge(maxBytes: number): StatusError {
  const most = humanBytes(maxBytes)
  return new StatusError(
    'RequestEntityTooLarge',
    `the file is larger than ${most}, which this server takes at most; see --max-upload of \`cove server\``,
  )
}

function failed(what: 'read' | 'written', error: unknown): StatusError {
  const cause = { cause: error }
  if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT')
    return new StatusError('NoSpace', "the server's disk is full", {}, cause)
  return new StatusError('InternalError', `the upload cannot be ${what}: ${messageOf(error)}`, {}, cause)
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
