/**
 * Contexts on the node's disk: each an archive named by the digest of what is in it, and a note for each key that it was
 * fetched for. Notes are written last, when the archive is safe on the disk, which nobody waits for: what a note says is
 * there, whatever ended the agent or the machine meanwhile, and the rest is swept at the next start.
 */
import { createHash, randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { diskError, readIfThere, replaceFile } from '#pkg/apimachinery/files.ts'
import { isPlainObject, jsonValue } from '#pkg/apimachinery/hash.ts'
import type { TreeEntry } from '#pkg/build/context/entry.ts'
import type { ContextMove, StoredContext } from '../port.ts'
import { compareFiles, decodeFileList, encodeFileList } from './filelist.ts'

export type Bytes = AsyncIterable<Uint8Array>

/** What is known of an archive when all of it has been read. */
export interface ContextContents {
  readonly digest: string
  readonly bytes: number
  readonly files: number
  readonly dockerfiles: Readonly<Record<string, string>>
  /** All that is in it. Absent: what has changed from it to others cannot be told. */
  readonly entries?: readonly TreeEntry[]
}

/** An archive as it comes, and what is known of it at its end. */
export interface ContextFetched {
  readonly content: Bytes
  /** Called when `content` has come to its end, and lies whole at `path`. */
  readonly contents: (path: string) => Promise<ContextContents>
  /** What a person knows it by; absent: its digest. */
  readonly revision?: string
}

/** `scratch`: a folder of its own, gone when it is done. */
export type ContextFetch = (scratch: string) => Promise<ContextFetched>

export interface ContextStore {
  /** What was kept before a start; what was half written goes. Once, before all else. */
  recall(): Promise<void>
  /** By `contextKey`. */
  facts(): ReadonlyMap<string, StoredContext>
  /** Fetches it unless it is there; several at once for one key are to be one. Throws NoSpace, and what `fetch` throws. */
  put(key: string, fetch: ContextFetch): Promise<StoredContext>
  /** The tar archive of a digest of `facts`. Throws NotFound when it is not there any more. */
  open(digest: string): Promise<Bytes>
  /** What has changed from one digest to another. Undefined: of one of them it is not known what is in it. */
  compare(before: string, after: string): Promise<ContextMove | undefined>
  /** Removes what no key of these leads to, and is not being fetched. `compared`: digests that others are compared with. */
  sweep(keep: ReadonlySet<string>, compared: ReadonlySet<string>): Promise<void>
  /** Resolves when all that was put will be there after a start, too. */
  close(): Promise<void>
}

const chunkBytes = 256 * 1024

interface Note {
  readonly key: string
  readonly context: StoredContext
  /** Bytes of the archive. */
  readonly size: number
}

export class DiskContextStore implements ContextStore {
  readonly #trees: string
  readonly #notes: string
  readonly #lists: string
  readonly #aside: string
  readonly #known = new Map<string, Note>()
  /** Archives that are to be named or noted, by digest: how many want each. */
  readonly #landing = new Map<string, number>()
  readonly #onUnkept: (error: StatusError) => void
  /** Notes and sweeps, one after the other. */
  #keeping: Promise<void> = Promise.resolve()

  /** `directory` is the store's own; `onUnkept`: a context is there, but will not be after a start. */
  constructor(directory: string, onUnkept: (error: StatusError) => void) {
    this.#onUnkept = onUnkept
    this.#trees = join(directory, 'trees')
    this.#notes = join(directory, 'keys')
    this.#lists = join(directory, 'lists')
    this.#aside = join(directory, 'aside')
  }

  async recall(): Promise<void> {
    await rm(this.#aside, { recursive: true, force: true })
    for (const path of [this.#trees, this.#notes, this.#lists, this.#aside])
      await mkdir(path, { recursive: true, mode: 0o700 })
    for (const name of await readdir(this.#notes)) await this.#recallNote(join(this.#notes, name))
    await this.#sweepTrees()
  }

  facts(): ReadonlyMap<string, StoredContext> {
    return new Map([...this.#known].map(([key, { context }]) => [key, context]))
  }

  async put(key: string, fetch: ContextFetch): Promise<StoredContext> {
    const known = this.#known.get(key)
    if (known !== undefined && (await this.#isWhole(known))) return known.context
    const scratch = join(this.#aside, randomUUID())
    try {
      await mkdir(scratch, { recursive: true, mode: 0o700 })
      const { content, contents, revision } = await fetch(scratch)
      const path = join(scratch, 'context.tar')
      const size = await writeWhole(content, path)
      const { entries, ...found } = await contents(path)
      const context = { ...found, revision: revision ?? found.digest }
      await this.#land(path, { key, context, size }, entries && encodeFileList(entries))
      return context
    } catch (error) {
      throw isErrno(error) ? diskError(error, 'a context cannot be kept') : error
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  }

  async open(digest: string): Promise<Bytes> {
    const note = [...this.#known.values()].find(({ context }) => context.digest === digest)
    if (note !== undefined && (await this.#isWhole(note))) return read(this.#treePath(digest))
    throw new StatusError('NotFound', `the context ${digest.slice(0, 17)} is not on the node's disk any more`)
  }

  async compare(before: string, after: string): Promise<ContextMove | undefined> {
    const [was, is] = [await this.#listOf(before), await this.#listOf(after)]
    return was === undefined || is === undefined ? undefined : compareFiles(was, is)
  }

  async #listOf(digest: string) {
    const text = await readIfThere(this.#listPath(digest))
    return text === undefined ? undefined : decodeFileList(text)
  }

  async sweep(keep: ReadonlySet<string>, compared: ReadonlySet<string>): Promise<void> {
    const turn = this.#keeping.then(() => this.#sweep(keep, compared))
    // Who comes next has an own fate.
    this.#keeping = turn.catch(() => undefined)
    await turn
  }

  async close(): Promise<void> {
    await this.#keeping
  }

  async #sweep(keep: ReadonlySet<string>, compared: ReadonlySet<string>): Promise<void> {
    for (const [key] of [...this.#known].filter(([each]) => !keep.has(each))) {
      this.#known.delete(key)
      await rm(this.#notePath(key), { force: true })
    }
    await this.#sweepTrees()
    await this.#sweepLists(compared)
  }

  async #sweepLists(compared: ReadonlySet<string>): Promise<void> {
    const digests = [...this.#known.values()].map(({ context }) => context.digest)
    const wanted = new Set([...digests, ...this.#landing.keys(), ...compared].map(fileNameOf))
    for (const name of await readdir(this.#lists))
      if (!wanted.has(name)) await rm(join(this.#lists, name), { force: true })
  }

  async #land(path: string, note: Note, list: string | undefined): Promise<void> {
    const { digest } = note.context
    this.#landing.set(digest, (this.#landing.get(digest) ?? 0) + 1)
    try {
      if (list !== undefined) await this.#landList(`${path}.list`, digest, list)
      await rename(path, this.#treePath(digest))
      this.#known.set(note.key, note)
      this.#keeping = this.#keeping.then(() => this.#keep(note))
    } finally {
      const left = (this.#landing.get(digest) ?? 1) - 1
      if (left > 0) this.#landing.set(digest, left)
      else this.#landing.delete(digest)
    }
  }

  /** From beside its archive: others may be bringing the same one, or sweeping. */
  async #landList(path: string, digest: string, list: string): Promise<void> {
    await replaceFile(path, list)
    await rename(path, this.#listPath(digest))
  }

  async #keep(note: Note): Promise<void> {
    // It was swept, or fetched again, before its turn came.
    if (this.#known.get(note.key) !== note) return
    try {
      for (const path of [this.#treePath(note.context.digest), this.#trees]) await sync(path)
      await replaceFile(this.#notePath(note.key), JSON.stringify(note))
    } catch (error) {
      this.#onUnkept(diskError(error, `the context ${note.context.digest.slice(0, 17)} cannot be kept`))
    }
  }

  async #recallNote(path: string): Promise<void> {
    const note = readNote(await readIfThere(path))
    if (note !== undefined && path === this.#notePath(note.key) && (await this.#isWhole(note)))
      this.#known.set(note.key, note)
    else await rm(path, { force: true })
  }

  async #isWhole({ context, size }: Note): Promise<boolean> {
    try {
      return (await stat(this.#treePath(context.digest))).size === size
    } catch (error) {
      if (isErrno(error) && error.code === 'ENOENT') return false
      throw error
    }
  }

  async #sweepTrees(): Promise<void> {
    const digests = [...this.#known.values()].map(({ context }) => context.digest)
    const wanted = new Set([...digests, ...this.#landing.keys()].map((digest) => this.#treePath(digest)))
    const there = (await readdir(this.#trees)).map((name) => join(this.#trees, name))
    // Asked again at each, for one may have landed meanwhile.
    for (const path of there) if (!wanted.has(path) && !this.#isLanding(path)) await rm(path, { force: true })
  }

  #isLanding(path: string): boolean {
    const digests = [
      ...this.#landing.keys(),
      ...[...this.#known.values()].map(({ context }) => context.digest),
    ]
    return digests.some((digest) => this.#treePath(digest) === path)
  }

  #treePath(digest: string): string {
    return join(this.#trees, `${fileNameOf(digest)}.tar`)
  }

  #listPath(digest: string): string {
    return join(this.#lists, fileNameOf(digest))
  }

  #notePath(key: string): string {
    return join(this.#notes, `${createHash('sha256').update(key).digest('hex')}.json`)
  }
}

function fileNameOf(digest: string): string {
  return digest.replace(/^tree:/, '').replaceAll('/', '')
}

/** Opened when somebody reads it. */
async function* read(path: string): AsyncGenerator<Uint8Array> {
  yield* createReadStream(path, { highWaterMark: chunkBytes })
}

/** Resolves with how many bytes they are. */
async function writeWhole(content: Bytes, path: string): Promise<number> {
  const file = await open(path, 'wx', 0o600)
  let size = 0
  try {
    for await (const chunk of content) {
      await file.writeFile(chunk)
      size += chunk.length
    }
  } finally {
    await file.close()
  }
  return size
}

/** A file or a directory. */
async function sync(path: string): Promise<void> {
  const opened = await open(path, 'r')
  try {
    await opened.sync()
  } finally {
    await opened.close()
  }
}

/** Undefined: it was written by another version, or is damaged; the context is fetched again. */
function readNote(text: string | undefined): Note | undefined {
  const value = jsonValue(text ?? '')
  if (!isPlainObject(value) || !isPlainObject(value['context'])) return undefined
  const { key, size, context } = value
  const { digest, bytes, files, revision, dockerfiles } = value['context']
  if (typeof key !== 'string' || typeof size !== 'number' || context === undefined) return undefined
  if (typeof digest !== 'string' || !/^tree:[0-9a-f]{64}$/.test(digest)) return undefined
  if (typeof bytes !== 'number' || typeof files !== 'number' || typeof revision !== 'string') return undefined
  if (!isPlainObject(dockerfiles)) return undefined
  const texts = Object.entries(dockerfiles).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  return { key, size, context: { digest, bytes, files, revision, dockerfiles: Object.fromEntries(texts) } }
}

function isErrno(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}
