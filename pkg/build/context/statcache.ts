/**
 * What files of a folder were when they were last read, so that those that have not changed since need not be read again.
 * As git does: a file is taken for unchanged when its device, inode, size, and both of its times are what they were; and
 * nothing is kept of a file that had changed so shortly before it was read that another change could carry the same
 * time. Losing it costs time and nothing else.
 */
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock, Random } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { isMissing } from '#pkg/apimachinery/files.ts'
import type { WalkedEntry } from './walk.ts'

export interface StatCacheOptions {
  /** Of all folders; made when it is missing. */
  readonly directory: string
  /** The folder whose files these are. */
  readonly root: string
  readonly clock: Clock
  readonly random: Random
}

/** Of the coarsest clocks that disks have: FAT counts by two seconds. */
export const tickMs = 2000
const unusedForMs = 30 * 24 * 3_600_000
const version = 1

/** Device, inode, size, change of the content, change of anything, digest. */
type Known = readonly [
  dev: number,
  ino: number,
  size: number,
  mtimeMs: number,
  ctimeMs: number,
  sha256: string,
]

export class StatCache {
  readonly #options: StatCacheOptions
  readonly #file: string
  readonly #before: ReadonlyMap<string, Known>
  readonly #now = new Map<string, Known>()
  #hasNews = false

  private constructor(options: StatCacheOptions, file: string, before: ReadonlyMap<string, Known>) {
    this.#options = options
    this.#file = file
    this.#before = before
  }

  /** What cannot be read or understood counts as nothing: it is no more than a memory. */
  static async open(options: StatCacheOptions): Promise<StatCache> {
    const name = createHash('sha256').update(options.root).digest('hex').slice(0, 32)
    const file = join(options.directory, `${name}.json`)
    return new StatCache(options, file, parse(await textOf(file), options.root))
  }

  /** Digest of its content; undefined when it has to be read. */
  recall(entry: WalkedEntry): string | undefined {
    const known = this.#before.get(entry.path)
    if (known === undefined || !isSame(known, entry)) return undefined
    this.#now.set(entry.path, known)
    return known[5]
  }

  /** `lookedAt`: by the clock, before `entry` was looked at. */
  keep(entry: WalkedEntry, sha256: string, lookedAt: number): void {
    if (entry.ctimeMs > lookedAt - tickMs) return
    const { dev, ino, size, mtimeMs, ctimeMs } = entry
    this.#now.set(entry.path, [dev, ino, size, mtimeMs, ctimeMs, sha256])
    this.#hasNews = true
  }

  /** Keeps what was recalled and kept since it was opened, and nothing else. Resolves with what went wrong, if anything. */
  async save(): Promise<string | undefined> {
    try {
      await this.#save()
      return undefined
    } catch (error) {
      return `what files have been read is not remembered: ${messageOf(error)}`
    }
  }

  async #save(): Promise<void> {
    const { directory, root, clock, random } = this.#options
    const isNew = this.#hasNews || this.#now.size !== this.#before.size
    if (!isNew) {
      const now = new Date(clock.now())
      if (this.#before.size > 0) await utimes(this.#file, now, now)
      return
    }
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const partial = `${this.#file}.${random.uuid()}`
    try {
      const text = JSON.stringify({ version, root, files: [...this.#now] })
      await writeFile(partial, text, { mode: 0o600, flag: 'wx' })
      await rename(partial, this.#file)
    } catch (error) {
      await rm(partial, { force: true })
      throw error
    }
    await forgetOld(directory, clock)
  }
}

function isSame([dev, ino, size, mtimeMs, ctimeMs]: Known, entry: WalkedEntry): boolean {
  return (
    dev === entry.dev &&
    ino === entry.ino &&
    size === entry.size &&
    mtimeMs === entry.mtimeMs &&
    ctimeMs === entry.ctimeMs
  )
}

/** Folders that nobody builds any more, and what a broken write has left. */
async function forgetOld(directory: string, clock: Clock): Promise<void> {
  for (const name of await readdir(directory)) {
    const file = join(directory, name)
    try {
      const { mtimeMs } = await stat(file)
      if (clock.now() - mtimeMs > unusedForMs) await rm(file, { force: true })
    } catch (error) {
      // Another command was faster.
      if (!isMissing(error)) throw error
    }
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error) return ''
    throw error
  }
}

function parse(text: string, root: string): ReadonlyMap<string, Known> {
  const found = text === '' ? undefined : jsonOf(text)
  const isOurs =
    typeof found === 'object' &&
    found !== null &&
    'version' in found &&
    found.version === version &&
    'root' in found &&
    found.root === root &&
    'files' in found &&
    Array.isArray(found.files)
  const files: readonly unknown[] = isOurs && Array.isArray(found.files) ? found.files : []
  return new Map(files.flatMap(knownOf))
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function knownOf(value: unknown): readonly (readonly [string, Known])[] {
  if (!Array.isArray(value) || !Array.isArray(value[1])) return []
  const path: unknown = value[0]
  const [dev, ino, size, mtimeMs, ctimeMs, sha256]: readonly unknown[] = value[1]
  const isWhole =
    typeof path === 'string' &&
    typeof dev === 'number' &&
    typeof ino === 'number' &&
    typeof size === 'number' &&
    typeof mtimeMs === 'number' &&
    typeof ctimeMs === 'number' &&
    typeof sha256 === 'string' &&
    /^[0-9a-f]{64}$/.test(sha256)
  return isWhole ? [[path, [dev, ino, size, mtimeMs, ctimeMs, sha256]]] : []
}
