/** What was done to heal containers since their last status: taken into it as soon as one is made. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { Attempt } from './container.ladder.ts'
import type { AgentOp } from './ops.ts'

export class HealingBook {
  readonly #clock: Clock
  /** By uid of the object. */
  readonly #attempts = new Map<string, readonly Attempt[]>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts an op that was done for healing the object. */
  note(uid: string, { planned, outcome }: OpResult<AgentOp>): void {
    const action = healingActionOf(planned.op)
    if (outcome !== 'done' || action === undefined) return
    this.#attempts.set(uid, [...(this.#attempts.get(uid) ?? []), { at: this.#clock.now(), action }])
  }

  snapshot(): ReadonlyMap<string, readonly Attempt[]> {
    return new Map(this.#attempts)
  }

  /** Forgets what a status holds now; what was done since the snapshot stays. */
  taken(uid: string, attempts: readonly Attempt[] = []): void {
    const left = (this.#attempts.get(uid) ?? []).filter((attempt) => !attempts.includes(attempt))
    if (left.length === 0) this.#attempts.delete(uid)
    else this.#attempts.set(uid, left)
  }
}

function healingActionOf(op: AgentOp): Attempt['action'] | undefined {
  if (op.type === 'restartContainer' && op.heals === true) return 'Restart'
  return op.type === 'createContainer' && op.heals === true ? 'Recreate' : undefined
}
