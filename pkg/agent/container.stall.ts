/**
 * Engines that keep containers over a restart of their own may forget to check them again: the health then stays what
 * it was for good. Freezing the container for an instant makes the engine begin anew (moby, updateHealthMonitor). Pure.
 */
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { Builder } from './container.subject.ts'
import { readProbe } from './probe.ts'
import type { Rearmed, World } from './world.ts'

/** In checks that should have been made meanwhile. */
const missedChecks = 3
/** Each time that did not help the next waits twice as long, up to so many times. */
const mostDoublings = 8

export interface Stall {
  /** The last sign of the engine's checking; ms since the epoch. */
  readonly since: number
  /** When to look for one in vain before freezing it. */
  readonly due: number
}

/** Undefined for a container that the engine does not check. */
function stallOf(observed: ObservedContainer, rearmed: Rearmed | undefined): Stall | undefined {
  const { health, settings, state, startedAt, labels } = observed
  const { healthcheck } = settings
  if (health === undefined || healthcheck === undefined || healthcheck.disabled || state !== 'running')
    return undefined
  if (readProbe(labels[engineLabels.probe]) !== undefined) return undefined
  const { interval, timeout, startInterval = 0 } = healthcheck
  const checkedAt = Math.max(timeOf(health.log.at(-1)?.end), timeOf(startedAt))
  const patience = missedChecks * (Math.max(interval, startInterval) + timeout)
  const isAnswered = rearmed === undefined || checkedAt > rearmed.at
  const since = isAnswered ? checkedAt : rearmed.at
  const doublings = isAnswered ? 0 : Math.min(rearmed.count, mostDoublings)
  return { since, due: since + patience * 2 ** doublings }
}

/** Only for a container that is to run and does: one that is frozen by wish is never let go. */
export function planStall(
  container: Container,
  { observed: { lookedAt }, rearmed }: Pick<World, 'observed' | 'rearmed'>,
  { observed, builder }: { readonly observed: ObservedContainer; readonly builder: Builder },
): void {
  const stall = stallOf(observed, rearmed.get(observed.id))
  // Between two looks nothing is heard of checks that pass: what counts is how it was at the last look.
  const seenAt = lookedAt.get(observed.id) ?? 0
  if (container.spec.state !== 'Running' || stall === undefined || seenAt < stall.due) return
  const seconds = Math.floor((seenAt - stall.since) / 1000)
  const cause = `status.health: the engine has not checked it for ${seconds} s, and begins anew after a pause`
  builder.add({ type: 'pauseContainer', container: observed.id, rearms: true }, cause)
  builder.add({ type: 'unpauseContainer', container: observed.id, rearms: true }, cause)
}

/** When the containers that are there were last checked, by id; ms since the epoch, 0 for never. */
export function lastCheck(containers: readonly ObservedContainer[]): (id: string) => number | undefined {
  const ends = new Map(containers.map(({ id, health }) => [id, timeOf(health?.log.at(-1)?.end)]))
  return (id) => ends.get(id)
}

function timeOf(timestamp: string | undefined): number {
  const time = Date.parse(timestamp ?? '')
  return Number.isNaN(time) ? 0 : time
}
