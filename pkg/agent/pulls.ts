/** What is known of pulls, and of what else is large: which run, how far each layer is, when one last ended well. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { PullProgress } from '#pkg/engine/port.ts'
import { progressKey } from './images/imageprogress.ts'
import type { AgentOp } from './ops.ts'
import type { Pull } from './world.ts'

/** Progress goes into statuses at most this often; ms. */
const showEvery = 1000
/** Longer than a pull answers for another one; ms. */
const keptFor = 3_600_000

export class PullBook {
  readonly #clock: Clock
  readonly #onProgress: () => void
  readonly #pulls = new Map<string, Pull>()
  /** How each pull under way ends. */
  readonly #running = new Map<string, Promise<End>>()
  #shownAt = 0

  constructor(clock: Clock, onProgress: () => void) {
    this.#clock = clock
    this.#onProgress = onProgress
  }

  /** Those under way, and what ended well lately. */
  snapshot(): ReadonlyMap<string, Pull> {
    const now = this.#clock.now()
    for (const [key, { finishedAt = Number.NEGATIVE_INFINITY }] of this.#pulls)
      if (!this.#running.has(key) && Math.abs(now - finishedAt) > keptFor) this.#pulls.delete(key)
    return this.#pulls
  }

  progress(op: AgentOp, progress: PullProgress): void {
    const key = progressKey(op)
    // What is told when it has ended says nothing any more.
    if (key === undefined || !this.#running.has(key)) return
    const { layers = [], ...pull } = this.#pulls.get(key) ?? { running: true }
    const known = layers.some(({ layer }) => layer === progress.layer)
    const next = known
      ? layers.map((each) => (each.layer === progress.layer ? progress : each))
      : [...layers, progress]
    this.#pulls.set(key, { ...pull, layers: next })
    if (Math.abs(this.#clock.now() - this.#shownAt) < showEvery) return
    this.#shownAt = this.#clock.now()
    this.#onProgress()
  }

  /**
   * Keeps the book while something large comes or goes; other ops just run. Who wants the very pull that is under way shares
   * it and its end, and makes it anew only when that one was broken off.
   */
  async follow(op: AgentOp, run: () => Promise<void>, signal = never): Promise<void> {
    const key = progressKey(op)
    if (key === undefined) return await run()
    for (;;) {
      const shared = op.type === 'pullImage' ? this.#running.get(key) : undefined
      if (shared === undefined) return await this.#lead(key, run, signal)
      const end = await endOrAbort(shared, signal)
      if ('error' in end) throw end.error
      if (end.isDone) return
    }
  }

  async #lead(key: string, run: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<End>()
    this.#running.set(key, promise)
    const before = this.#pulls.get(key)?.finishedAt
    const ended = { running: false, layers: [], ...(before !== undefined && { finishedAt: before }) }
    this.#pulls.set(key, { ...ended, running: true })
    try {
      await run()
      this.#pulls.set(key, { running: false, layers: [], finishedAt: this.#clock.now() })
      resolve({ isDone: true })
    } catch (error) {
      this.#pulls.set(key, ended)
      resolve(signal.aborted ? { isDone: false } : { error })
      throw error
    } finally {
      if (this.#running.get(key) === promise) this.#running.delete(key)
    }
  }
}

/** How a pull ended: well, with an error, or broken off by the one who began it. */
type End = { readonly isDone: boolean } | { readonly error: unknown }

const never = new AbortController().signal

/** Rejects with the signal's reason when that comes first. */
async function endOrAbort(shared: Promise<End>, signal: AbortSignal): Promise<End> {
  const { promise, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    signal.throwIfAborted()
    return await Promise.race([shared, promise])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
