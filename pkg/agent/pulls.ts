/** What is known of pulls: which run, how far each layer is, when one last ended well. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { PullProgress } from '#pkg/engine/port.ts'
import { pullKey } from './image.ts'
import type { AgentOp, OpOf } from './ops.ts'
import type { Pull } from './world.ts'

/** Progress goes into statuses at most this often; ms. */
const showEvery = 1000

export class PullBook {
  readonly #clock: Clock
  readonly #onProgress: () => void
  readonly #pulls = new Map<string, Pull>()
  #shownAt = 0

  constructor(clock: Clock, onProgress: () => void) {
    this.#clock = clock
    this.#onProgress = onProgress
  }

  snapshot(): ReadonlyMap<string, Pull> {
    return this.#pulls
  }

  progress({ reference, secrets }: OpOf<'pullImage'>, progress: PullProgress): void {
    const key = pullKey(reference, secrets)
    const { layers = [], ...pull } = this.#pulls.get(key) ?? { running: true }
    const known = layers.some(({ layer }) => layer === progress.layer)
    const next = known
      ? layers.map((each) => (each.layer === progress.layer ? progress : each))
      : [...layers, progress]
    this.#pulls.set(key, { ...pull, layers: next })
    if (this.#clock.now() - this.#shownAt < showEvery) return
    this.#shownAt = this.#clock.now()
    this.#onProgress()
  }

  /** Keeps the book while a pull runs; other ops just run. */
  async follow(op: AgentOp, run: () => Promise<void>): Promise<void> {
    if (op.type !== 'pullImage') return await run()
    const key = pullKey(op.reference, op.secrets)
    const before = this.#pulls.get(key)?.finishedAt
    this.#pulls.set(key, { running: true, layers: [], ...(before !== undefined && { finishedAt: before }) })
    try {
      await run()
      this.#pulls.set(key, { running: false, layers: [], finishedAt: this.#clock.now() })
    } catch (error) {
      this.#pulls.set(key, {
        running: false,
        layers: [],
        ...(before !== undefined && { finishedAt: before }),
      })
      throw error
    }
  }
}
