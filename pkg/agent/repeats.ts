/**
 * Counts what is done again and again although it succeeds each time: an engine that does not keep or tell what it was
 * given would otherwise be given it for ever. Time and ids change from one round to the next, so kinds of ops and their
 * cause tell whether it is the same.
 */
import type { Plan } from '#pkg/plan/plan.ts'
import type { AgentOp } from './ops.ts'

/** So often may be a coincidence. */
const free = 3
const firstRest = 1000
const mostRest = 24 * 3_600_000

interface Rounds {
  readonly generation: number
  /** By what was done. */
  readonly done: Map<string, number>
}

export class Repeats {
  /** By group: since it last had nothing to do. */
  readonly #groups = new Map<string, Rounds>()

  /** Counts a plan of one group that was done; resolves to how often in a row, when that is too often. */
  note(group: string, { ops }: Plan<AgentOp>, generation: number): number | undefined {
    const before = this.#groups.get(group)
    const rounds = before?.generation === generation ? before : { generation, done: new Map() }
    this.#groups.set(group, rounds)
    const what = `${ops.map(({ op }) => op.type).join()} ${withoutIds(ops[0]?.cause ?? '')}`
    const count = (rounds.done.get(what) ?? 0) + 1
    rounds.done.set(what, count)
    return count > free ? count : undefined
  }

  /** Forgets the groups that have come to rest. */
  keep(hasWork: (group: string) => boolean): void {
    for (const group of this.#groups.keys()) if (!hasWork(group)) this.#groups.delete(group)
  }
}

/** ms. */
export function restAfterRounds(count: number): number {
  return Math.min(mostRest, firstRest * 2 ** (count - free - 1))
}

function withoutIds(cause: string): string {
  return cause.replaceAll(/[0-9a-f]{6,}|\d+/g, '#')
}
