/** When containers last went on after being frozen, which is when the engine began to check them anew. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { EngineEvent } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { AgentOp } from './ops.ts'
import type { Rearmed } from './world.ts'

export class RearmBook {
  readonly #clock: Clock
  /** By id of the container. */
  readonly #rearmed = new Map<string, Rearmed>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Also an attempt that failed is one. */
  noteOp({ planned: { op }, outcome }: OpResult<AgentOp>): void {
    if (op.type !== 'pauseContainer' && op.type !== 'unpauseContainer') return
    if (outcome === 'skipped' || op.rearms !== true) return
    const isAttempt = op.type === 'unpauseContainer' || outcome === 'failed'
    const count = (this.#rearmed.get(op.container)?.count ?? 0) + (isAttempt ? 1 : 0)
    this.#rearmed.set(op.container, { at: this.#clock.now(), count })
  }

  /** Somebody let it go on. */
  noteEvent({ type, action, id }: EngineEvent): void {
    if (type !== 'container' || action !== 'unpause') return
    this.#rearmed.set(id, { at: this.#clock.now(), count: this.#rearmed.get(id)?.count ?? 0 })
  }

  /** Forgets containers that are no more; `checkedAt` is the last check of one that is there, ms since the epoch. */
  sync(checkedAt: (id: string) => number | undefined): void {
    for (const [id, { at, count }] of this.#rearmed) {
      const checked = checkedAt(id)
      if (checked === undefined) this.#rearmed.delete(id)
      else if (checked > at && count > 0) this.#rearmed.set(id, { at, count: 0 })
    }
  }

  snapshot(): ReadonlyMap<string, Rearmed> {
    return new Map(this.#rearmed)
  }
}
