/**
 * Watches the folder of a context and tells when it has changed: once it was quiet for a while, so that a checkout or a
 * save of many files is one change; what is ignored is not listened to. Whether anything differs, its digest says.
 */
import { realpath } from 'node:fs/promises'
import { relative, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { isMissing } from '#pkg/apimachinery/files.ts'
import { type Ignore, makeIgnore } from './ignore.ts'
import { ignoreFileName } from './ignorefile.ts'

export interface WatchOptions {
  /** Absolute. It may come into being later, and go; and be a link, also to another folder later. */
  readonly root: string
  /** Read at the start, and again when a .dockerignore changes; when that fails, what was ignored before is. */
  readonly readIgnore: () => Promise<Ignore>
  /** Other files that count, by absolute path: a Dockerfile outside, `NAME.dockerignore`. */
  readonly besides?: readonly string[]
  readonly clock: Clock
  /** Quiet for so long, default 300 ms. */
  readonly settleMs?: number
  /** Ends it. */
  readonly signal: AbortSignal
  /** `path`: of the first file that changed, from the root where it lies there; of the root itself `.`. */
  readonly onChange: (path: string) => void
  /** Such as too many files for the kernel; it goes on with what it could watch. */
  readonly onError: (error: unknown) => void
}

const settleByDefaultMs = 300
/** Of a folder that is never quiet, as one in which a log is written. */
const longestUnrestMs = 30_000

/** Resolves when it watches; what happens from then on is told until the signal aborts. */
export async function watchContext(options: WatchOptions): Promise<void> {
  await follow(options, new Settling(options), makeIgnore([]))
}

async function follow(options: WatchOptions, settling: Settling, before: Ignore): Promise<void> {
  const { root, besides = [], signal, onError } = options
  const folder = await folderBehind(options)
  const ignore = await ignoreNow(options, before)
  if (signal.aborted) return
  const watcher = watch([...new Set([root, folder, ...besides])], {
    ignored: (path) => isIgnored(path, { folder, besides, ignore }),
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
  })
  const close = () => void watcher.close().catch(onError)
  signal.addEventListener('abort', close, { once: true })
  watcher.on('error', onError)
  watcher.on('all', (event, path) => {
    const inside = path === root ? '' : relative(folder, path)
    const told = inside.startsWith('..') ? path : inside || '.'
    settling.note(told)
    // Other files count from now on.
    const isLinked = path === root && !event.endsWith('Dir')
    if (!isLinked && !path.endsWith(ignoreFileName)) return
    signal.removeEventListener('abort', close)
    close()
    // What has changed until it watches again nobody has seen.
    const again = async () => {
      await follow(options, settling, ignore)
      settling.note(told)
    }
    again().catch(onError)
  })
  await ready(watcher, signal)
}

/** Whoever mends a mistake in it is to be heard. */
async function ignoreNow({ readIgnore, onError }: WatchOptions, before: Ignore): Promise<Ignore> {
  try {
    return await readIgnore()
  } catch (error) {
    onError(error)
    return before
  }
}

/** Where the files are: links are not followed by what watches. */
async function folderBehind({ root, onError }: WatchOptions): Promise<string> {
  try {
    return await realpath(root)
  } catch (error) {
    if (!isMissing(error)) onError(error)
    return root
  }
}

function ready(watcher: FSWatcher, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    watcher.once('ready', () => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

interface Looking {
  readonly folder: string
  readonly besides: readonly string[]
  readonly ignore: Ignore
}

function isIgnored(path: string, { folder, besides, ignore }: Looking): boolean {
  if (besides.includes(path)) return false
  const inside = relative(folder, path).split(sep).join('/')
  if (inside === '' || inside.startsWith('..') || inside === ignoreFileName) return false
  return ignore.ignores(inside) && !ignore.mayHoldExceptions(inside)
}

class Settling {
  readonly #options: WatchOptions
  #first: { readonly path: string; readonly at: number } | undefined
  #cancel: () => void = () => {}

  constructor(options: WatchOptions) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#cancel(), { once: true })
  }

  note(path: string): void {
    const { clock, settleMs = settleByDefaultMs, signal } = this.#options
    if (signal.aborted) return
    this.#first ??= { path, at: clock.now() }
    const latest = this.#first.at + longestUnrestMs - clock.now()
    this.#cancel()
    this.#cancel = clock.after(Math.max(0, Math.min(settleMs, latest)), () => this.#tell())
  }

  #tell(): void {
    const first = this.#first
    this.#first = undefined
    if (first !== undefined) this.#options.onChange(first.path)
  }
}
