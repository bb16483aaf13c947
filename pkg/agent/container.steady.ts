/**
 * A check that goes on failing is told again when it has failed twice as often: a container that nobody heals would
 * otherwise be written to at every check, for years. Pure.
 */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedContainer, ObservedHealth } from '#pkg/engine/port.ts'

/** The containers, with the health that status tells of where nothing worth telling has come to it since. */
export function steadyHealth(
  containers: readonly ObservedContainer[],
  statuses: Iterable<ContainerStatus | undefined>,
): readonly ObservedContainer[] {
  const told = new Map([...statuses].map((status) => [status?.containerID, status]))
  return containers.map((container) => {
    const { id, startedAt, health } = container
    const status = told.get(id)
    if (health === undefined || status?.health === undefined || status.startedAt !== startedAt)
      return container
    return isNews(status.health, health) ? container : { ...container, health: asTold(status.health, health) }
  })
}

function isNews(told: ObservedHealth, found: ObservedHealth): boolean {
  if (told.status !== 'unhealthy' || found.status !== 'unhealthy') return true
  return found.failingStreak <= told.failingStreak || found.failingStreak >= 2 * told.failingStreak
}

/** When it was checked last stays true: by that it is known whether anybody checks. */
function asTold(told: ObservedHealth, found: ObservedHealth): ObservedHealth {
  const last = told.log.at(-1)
  const { start, end } = found.log.at(-1) ?? last ?? { start: '', end: '' }
  return {
    ...told,
    log: last === undefined ? found.log : [...told.log.slice(0, -1), { ...last, start, end }],
  }
}
