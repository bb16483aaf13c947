/** A folder as a build context: what is in it, how large it is, and what it is called. Packing it: pack.ts. */
import { createHash, type Hash } from 'node:crypto'
import { closeSync, constants, openSync, readSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { shown } from './entry.ts'
import type { Ignore } from './ignore.ts'
import { contextTooLarge } from './normalise.ts'
import type { StatCache } from './statcache.ts'
import { treeDigest } from './treedigest.ts'
import { nextTurn, unreadable, type WalkedEntry, walkFolder } from './walk.ts'

export interface ReadFolderOptions {
  /** Links in it are followed, as `docker build` does. */
  readonly root: string
  readonly ignore: Ignore
  /** Of all files together; more is ContextTooLarge, before any of them is read. */
  readonly maxBytes: number
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Absent: every file is read. It is not saved here. */
  readonly cache?: StatCache
  /** Called now and then: how many bytes were read, of how many that have to be. */
  readonly onRead?: (bytes: number, of: number) => Promise<void>
}

export interface ContextFolder {
  /** Absolute, no link in it. */
  readonly root: string
  /** `tree:` and 64 hex digits. */
  readonly digest: string
  /** Of all files together. */
  readonly bytes: number
  /** What is no folder. */
  readonly files: number
  /** By path; each file with its sha256. */
  readonly entries: readonly WalkedEntry[]
}

/** Throws BadRequest for what cannot be read, or be in a context; ContextTooLarge. */
export async function readFolder(options: ReadFolderOptions): Promise<ContextFolder> {
  const { ignore, maxBytes, clock, signal } = options
  const root = await rootOf(options.root)
  const lookedAt = clock.now()
  const walked = await walkFolder({ root, ignore, signal })
  const bytes = walked.reduce((total, { size }) => total + size, 0)
  const files = walked.filter(({ type }) => type !== 'directory').length
  if (bytes > maxBytes) throw contextTooLarge(maxBytes, `${humanBytes(bytes)} in ${files} files`)
  const entries = await withDigests(walked, { ...options, root, lookedAt })
  return { root, digest: treeDigest(entries), bytes, files, entries }
}

async function rootOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

interface Hashing extends ReadFolderOptions {
  readonly lookedAt: number
}

async function withDigests(
  walked: readonly WalkedEntry[],
  { root, cache, lookedAt, signal, onRead }: Hashing,
): Promise<WalkedEntry[]> {
  const known = new Map<WalkedEntry, string>()
  let toRead = 0
  for (const entry of walked) {
    const sha256 = entry.type === 'file' ? cache?.recall(entry) : undefined
    if (sha256 !== undefined) known.set(entry, sha256)
    else toRead += entry.size
  }
  const reader = new FileHasher(root)
  const found: WalkedEntry[] = []
  for (const entry of walked) {
    if (entry.type !== 'file') {
      found.push(entry)
      continue
    }
    const before = known.get(entry)
    const sha256 = before ?? (await reader.digestOf(entry, signal))
    if (before === undefined) {
      cache?.keep(entry, sha256, lookedAt)
      await onRead?.(reader.bytes, toRead)
    }
    found.push({ ...entry, sha256 })
  }
  return found
}

const bufferBytes = 1024 ** 2
const bytesPerTurn = 4 * bufferBytes
const filesPerTurn = 256

class FileHasher {
  bytes = 0
  #files = 0
  #nextTurn = bytesPerTurn
  readonly #root: string
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes)

  constructor(root: string) {
    this.#root = root
  }

  /** Throws BadRequest when it is not as long any more as it was when it was looked at. */
  async digestOf(entry: WalkedEntry, signal: AbortSignal): Promise<string> {
    if (++this.#files % filesPerTurn === 0) await nextTurn(signal)
    const hash = createHash('sha256')
    const descriptor = openEntry(this.#root, entry)
    try {
      await this.#readInto(hash, { entry, descriptor, signal })
    } finally {
      closeSync(descriptor)
    }
    return hash.digest('hex')
  }

  async #readInto(
    hash: Hash,
    { entry, descriptor, signal }: { entry: WalkedEntry; descriptor: number; signal: AbortSignal },
  ): Promise<void> {
    for (let left = entry.size; left > 0; ) {
      const count = readPart(entry, { descriptor, buffer: this.#buffer, offset: 0, most: left })
      hash.update(this.#buffer.subarray(0, count))
      left -= count
      this.bytes += count
      if (this.bytes < this.#nextTurn) continue
      this.#nextTurn = this.bytes + bytesPerTurn
      await nextTurn(signal)
    }
  }
}

const howToOpen = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK

/** Throws BadRequest when it cannot be opened, or is a link meanwhile. */
export function openEntry(root: string, { path }: WalkedEntry): number {
  try {
    return openSync(`${root}/${path}`, howToOpen)
  } catch (error) {
    throw unreadable(path, error)
  }
}

export interface Part {
  readonly descriptor: number
  readonly buffer: Buffer
  readonly offset: number
  readonly most: number
}

/** How many bytes were read: at least one. Throws BadRequest when the file has ended before its time. */
export function readPart(entry: WalkedEntry, { descriptor, buffer, offset, most }: Part): number {
  const count = readOnce(entry, { descriptor, buffer, offset, most: Math.min(most, buffer.length - offset) })
  if (count === 0) throw badRequest(`${shown(entry.path)} was changed while it was read: it is shorter now`)
  return count
}

function readOnce({ path }: WalkedEntry, { descriptor, buffer, offset, most }: Part): number {
  try {
    return readSync(descriptor, buffer, offset, most, null)
  } catch (error) {
    throw unreadable(path, error)
  }
}
