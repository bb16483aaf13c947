/**
 * What to do next about a container whose healthcheck fails, and when: restarts, one new container, then restarts
 * again, ever more slowly; and a stop to it when it has been tried too often without avail. Pure: everything it knows
 * are the attempts that were made since the container was last well for ten minutes.
 */

export type HealingAction = 'Restart' | 'Recreate'

export interface Attempt {
  /** When its op was done; ms since the epoch. */
  readonly at: number
  readonly action: HealingAction
}

/** Two restarts have not helped: the third attempt is a new container. */
const recreateAt = 2
const firstPause = 10_000
const mostPause = 300_000
/** Between two attempts while it is held. */
export const heldPause = 3_600_000
/** So long without a failure, and a spell of trouble is over. */
export const forgetAfter = 600_000

export interface LadderInput {
  readonly now: number
  /** In order of time. */
  readonly attempts: readonly Attempt[]
  readonly onUnhealthy: HealingAction
  /** So many attempts within so many ms are too many. */
  readonly budget: { readonly restarts: number; readonly window: number }
  /** Since when it is held, if it is. */
  readonly heldSince: number | undefined
}

export interface Rung {
  readonly action: HealingAction
  /** When it is due; not later than `now`: at once. */
  readonly due: number
  /** Since when the budget is spent; absent while there is some left. */
  readonly heldSince?: number
}

/** For a container that is unhealthy now. Once held it stays held, whatever the window has forgotten since. */
export function nextRung(input: LadderInput): Rung {
  const { now, attempts, onUnhealthy, heldSince } = input
  const action = actionOf(attempts.length, onUnhealthy)
  const last = attempts.at(-1)
  if (last === undefined) return { action, due: now }
  const held = heldSince ?? (isSpent(input) ? now : undefined)
  if (held !== undefined) return { action, due: last.at + heldPause, heldSince: held }
  return { action, due: last.at + pauseBefore(attempts.length) }
}

/** Before the attempt that follows so many others. */
export function pauseBefore(attempts: number): number {
  return attempts === 0 ? 0 : Math.min(mostPause, firstPause * 2 ** (attempts - 1))
}

function actionOf(attempts: number, onUnhealthy: HealingAction): HealingAction {
  return onUnhealthy === 'Recreate' || attempts === recreateAt ? 'Recreate' : 'Restart'
}

function isSpent({ now, attempts, budget }: LadderInput): boolean {
  return attempts.filter(({ at }) => at > now - budget.window).length >= budget.restarts
}
