/**
 * Walks a plan: an op starts when all it waits for have succeeded and a slot is free. A failed op fails what
 * waits for it and nothing else. The executor decides nothing: what to do about a failure is the next plan's business.
 */
import type { Plan, PlannedOp } from './plan.ts'

export type OpResult<Op> =
  | { readonly planned: PlannedOp<Op>; readonly outcome: 'done' }
  | { readonly planned: PlannedOp<Op>; readonly outcome: 'failed'; readonly error: unknown }
  /** Not begun: an op it waits for failed, or the plan was aborted. */
  | { readonly planned: PlannedOp<Op>; readonly outcome: 'skipped' }

/** At most so many ops at once; shared by plans that run beside each other. */
export interface Slots {
  take(): Promise<() => void>
}

export interface ExecuteOptions<Op> {
  readonly run: (op: Op, signal: AbortSignal) => Promise<void>
  readonly slots: Slots
  /** Ops not begun when it aborts are skipped; those under way are told and waited for. */
  readonly signal: AbortSignal
  /** Called as each op ends, in order of ending. */
  readonly onResult?: (result: OpResult<Op>) => void
}

/** Resolves when every op has ended; never rejects because an op failed. */
export function execute<Op>(plan: Plan<Op>, options: ExecuteOptions<Op>): Promise<OpResult<Op>[]> {
  const jobs = new Map<string, Promise<OpResult<Op>>>()
  // An op stands behind everything it waits for, so its dependencies have jobs by now, and no cycle can be written.
  for (const planned of plan.ops) {
    const dependencies = planned.after.map((id) => jobs.get(id))
    const job = executeOne(planned, dependencies, options)
    jobs.set(planned.id, job)
  }
  return Promise.all(jobs.values())
}

async function executeOne<Op>(
  planned: PlannedOp<Op>,
  dependencies: readonly (Promise<OpResult<Op>> | undefined)[],
  options: ExecuteOptions<Op>,
): Promise<OpResult<Op>> {
  const outcomes = await Promise.all(dependencies)
  const free = await options.slots.take()
  try {
    const ready = !options.signal.aborted && outcomes.every((result) => result?.outcome === 'done')
    const result: OpResult<Op> = ready ? await attempt(planned, options) : { planned, outcome: 'skipped' }
    options.onResult?.(result)
    return result
  } finally {
    free()
  }
}

async function attempt<Op>(planned: PlannedOp<Op>, options: ExecuteOptions<Op>): Promise<OpResult<Op>> {
  try {
    await options.run(planned.op, options.signal)
    return { planned, outcome: 'done' }
  } catch (error) {
    return { planned, outcome: 'failed', error }
  }
}

/** Slots handed out in the order they were asked for. */
export function makeSlots(count: number): Slots {
  const waiting: (() => void)[] = []
  let free = count
  const release = () => {
    const next = waiting.shift()
    if (next === undefined) free++
    else next()
  }
  return {
    async take() {
      if (free > 0) free--
      else await new Promise<void>((resolve) => waiting.push(resolve))
      let released = false
      return () => {
        if (!released) release()
        released = true
      }
    },
  }
}
