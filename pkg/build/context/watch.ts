/**
 * Watches the folder of a context and tells when it has changed: once it was quiet for a while, so that a checkout or a
 * save of many files is one change; what is ignored is not listened to. Whether anything differs, its digest says.
 */
import { relative, sep } from 'node:path'
import { type FSWatcher, watch } from 'chokidar'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { Ignore } from './ignore.ts'
import { ignoreFileName } from './ignorefile.ts'

export interface WatchOptions {
  /** Absolute. It may come into being later, and go. */
  readonly root: string
  /** Read at the start, and again when a .dockerignore changes. */
  readonly readIgnore: () => Promise<Ignore>
  /** Other files that count, by absolute path: a Dockerfile outside, `NAME.dockerignore`. */
  readonly besides?: readonly string[]
  readonly clock: Clock
  /** Quiet for so long, default 300 ms. */
  readonly settleMs?: number
  /** Ends it. */
  readonly signal: AbortSignal
  /** `path`: of the first file that changed, from the root where it lies there. */
  readonly onChange: (path: string) => void
  /** Such as too many files for the kernel; it goes on with what it could watch. */
  readonly onError: (error: unknown) => void
}

const settleByDefaultMs = 300
/** Of a folder that is never quiet, as one in which a log is written. */
const longestUnrestMs = 30_000

/** Resolves when it watches; what happens from then on is told until the signal aborts. */
export async function watchContext(options: WatchOptions): Promise<void> {
  const settling = new Settling(options)
  await follow(options, settling)
}

async function follow(options: WatchOptions, settling: Settling): Promise<void> {
  const { root, besides = [], signal, onError, readIgnore } = options
  const ignore = await readIgnore()
  if (signal.aborted) return
  const watcher = watch([root, ...besides], {
    ignored: (path) => isIgnored(path, options, ignore),
    ignoreInitial: true,
    followSymlinks: false,
    atomic: false,
  })
  const close = () => void watcher.close().catch(onError)
  signal.addEventListener('abort', close, { once: true })
  watcher.on('error', onError)
  watcher.on('all', (_event, path) => {
    settling.note(relative(root, path).startsWith('..') ? path : relative(root, path))
    if (!path.endsWith(ignoreFileName)) return
    // Other files count from now on.
    signal.removeEventListener('abort', close)
    close()
    follow(options, settling).catch(onError)
  })
  await ready(watcher, signal)
}

function ready(watcher: FSWatcher, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    watcher.once('ready', () => resolve())
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function isIgnored(path: string, { root, besides = [] }: WatchOptions, ignore: Ignore): boolean {
  if (besides.includes(path)) return false
  const inside = relative(root, path).split(sep).join('/')
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
