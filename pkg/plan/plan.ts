/**
 * Plan: the value between deciding and doing. Planners append operations, the executor walks them, and the
 * printed form is what tests compare, what a dry run shows and what events repeat.
 */

export interface PlannedOp<Op> {
  /** Unique in its plan and stable between runs: `GROUP#N`. */
  readonly id: string
  readonly op: Op
  /** Why, naming the field or the fact: "spec.image changed from a:1 to a:2". */
  readonly cause: string
  /** Ids of ops that must succeed first; they stand before this one in the plan. */
  readonly after: readonly string[]
  /** The object this op works for, `Kind/namespace/name`: a failure ends the rest of its group only. */
  readonly group: string
}

export interface Plan<Op> {
  readonly ops: readonly PlannedOp<Op>[]
}

export function emptyPlan<Op>(): Plan<Op> {
  return { ops: [] }
}

export function mergePlans<Op>(plans: readonly Plan<Op>[]): Plan<Op> {
  return { ops: plans.flatMap((plan) => plan.ops) }
}

/** Builds the ops of one group in sequence: each waits for the one before it. */
export class PlanBuilder<Op> {
  readonly #group: string
  readonly #ops: PlannedOp<Op>[] = []

  constructor(group: string) {
    this.#group = group
  }

  /** Appends `op` behind the group's previous op and behind `after` (ids of other groups). */
  add(op: Op, cause: string, after: readonly string[] = []): this {
    const previous = this.#ops.at(-1)
    this.#ops.push({
      id: `${this.#group}#${this.#ops.length + 1}`,
      op,
      cause,
      after: previous === undefined ? after : [previous.id, ...after],
      group: this.#group,
    })
    return this
  }

  build(): Plan<Op> {
    return { ops: this.#ops }
  }
}

/** One line per op: `id  verb  because cause  (after ...)`. `describe` says what the op does in one phrase. */
export function printPlan<Op>(plan: Plan<Op>, describe: (op: Op) => string): string {
  return plan.ops.map((planned) => printOp(planned, describe)).join('\n')
}

export function printOp<Op>(planned: PlannedOp<Op>, describe: (op: Op) => string): string {
  const after = planned.after.length === 0 ? '' : ` (after ${planned.after.join(', ')})`
  return `${planned.id}: ${describe(planned.op)} because ${planned.cause}${after}`
}
