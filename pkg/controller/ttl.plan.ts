/** Which Containers have been finished for as long as they are kept then. Pure. */
import { hasEndedForGood } from '#pkg/apis/container.finished.ts'
import type { Container } from '#pkg/apis/container.ts'

export interface TtlPlan {
  readonly expired: readonly Container[]
  /** When the next one is due, in ms since the epoch; undefined: none is. */
  readonly next: number | undefined
}

export function planTtl(containers: Iterable<Container>, now: number): TtlPlan {
  const due = [...containers].map((container) => ({ container, at: dueAt(container) }))
  const later = due.flatMap(({ at }) => (at !== undefined && at > now ? [at] : []))
  return {
    expired: due.filter(({ at }) => at !== undefined && at <= now).map(({ container }) => container),
    next: later.length === 0 ? undefined : Math.min(...later),
  }
}

/** Undefined for one that is kept, still runs, or is on its way out already. */
export function dueAt(container: Container): number | undefined {
  const { ttlSecondsAfterFinished: seconds } = container.spec
  const { finishedAt } = container.status ?? {}
  if (seconds === undefined || finishedAt === undefined) return undefined
  if (container.metadata.deletionTimestamp !== undefined || !hasEndedForGood(container)) return undefined
  return Date.parse(finishedAt) + seconds * 1000
}
