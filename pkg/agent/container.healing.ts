/**
 * Where the healing of one container stands: what was tried, what comes next and when. Taken from its last status and
 * from what was done since, so that an agent that restarts goes on where it was. Pure.
 */
import { findCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import { parseDuration } from '#pkg/apimachinery/quantity.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { updatePolicy } from '#pkg/apis/container.update.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { castOf } from './container.cast.ts'
import { type Attempt, forgetAfter, nextRung, type Rung } from './container.ladder.ts'
import { previousStatus } from './container.look.ts'
import type { World } from './world.ts'

/** Healing as it is without a healthcheck in the spec: of the image's own HEALTHCHECK. */
const usualBudget = { restarts: 5, window: '5m' } as const
const attemptsKept = 10
/** Times lie this far in the future only when the clock was put back; ms. */
const clocksDiffer = 60_000

export interface HealingState {
  /** Of this spell of trouble, in order of time. */
  readonly attempts: readonly Attempt[]
  /** Since when its budget is spent. */
  readonly heldSince?: number
}

function healingState(
  container: Container,
  world: World,
  observed: ObservedContainer | undefined,
): HealingState {
  const previous = previousStatus(container, world)
  const fresh = world.healed.get(container.metadata.uid ?? '') ?? []
  const isOver = isAnswered(container, previous, observed) || isWellAgain(previous, observed, world.now)
  if (isOver) return { attempts: fresh }
  const { attempts = [], heldSince } = previous?.healing ?? {}
  // Of a clock that was put back nothing is known but that they have been: nobody waits until it gets there again.
  const before = attempts
    .map(({ time, action }) => ({ at: Date.parse(time), action }))
    .filter(({ at }) => at <= world.now + clocksDiffer)
  const held = heldSince !== undefined && observed?.health?.status !== 'healthy'
  return {
    attempts: [...before, ...fresh].slice(-attemptsKept),
    ...(held && { heldSince: Date.parse(heldSince) }),
  }
}

/** Somebody has changed the object since, or it is another revision: what is there now has not failed yet. */
function isAnswered(
  { metadata }: Container,
  previous: ContainerStatus | undefined,
  observed: ObservedContainer | undefined,
): boolean {
  const { observedGeneration, fingerprint } = previous ?? {}
  if (observedGeneration !== undefined && observedGeneration !== metadata.generation) return true
  const now = observed?.labels[engineLabels.fingerprint]
  return now !== undefined && fingerprint !== undefined && fingerprint !== now
}

function isWellAgain(
  previous: ContainerStatus | undefined,
  observed: ObservedContainer | undefined,
  now: number,
): boolean {
  const healthy = findCondition(previous?.conditions, 'Healthy')
  if (observed?.health?.status !== 'healthy' || healthy?.status !== 'True') return false
  return now - Date.parse(healthy.lastTransitionTime) >= forgetAfter
}

/**
 * What is to be done about a running container that is unhealthy, and when; undefined when nothing is: it is not, or is
 * only to be shown, or a replacement judges it.
 */
export function rungOf(container: Container, world: World, observed: ObservedContainer): Rung | undefined {
  const { healthcheck, state } = container.spec
  if (state !== 'Running' || observed.state !== 'running' || observed.health?.status !== 'unhealthy')
    return undefined
  const { onUnhealthy = 'Restart', budget = usualBudget } = healthcheck ?? {}
  if (onUnhealthy === 'None' || isOnTrial(container, world, observed)) return undefined
  const { attempts, heldSince } = healingState(container, world, observed)
  const window = parseDuration(budget.window) ?? 0
  return nextRung({
    now: world.now,
    attempts,
    onUnhealthy,
    budget: { restarts: budget.restarts, window },
    heldSince,
  })
}

/** Whether it is a new revision that an older one would take the place of again: there is nothing to heal then. */
function isOnTrial(container: Container, world: World, observed: ObservedContainer): boolean {
  const revisionOf = ({ labels }: ObservedContainer) => labels[engineLabels.fingerprint]
  const proven = previousStatus(container, world)?.rollout?.stable === revisionOf(observed)
  if (proven || updatePolicy(container.spec).onFailure === 'Hold') return false
  return castOf(container, world).parked.some((parked) => revisionOf(parked) !== revisionOf(observed))
}

/** Why a container that fits its spec is to make place for a new one all the same; undefined while it is not. */
export function whyWorn(container: Container, world: World, observed: ObservedContainer): string | undefined {
  const rung = rungOf(container, world, observed)
  if (rung?.action !== 'Recreate' || rung.due > world.now) return undefined
  return whyHeal(container, world, observed)
}

/** The cause of an attempt. */
export function whyHeal(container: Container, world: World, observed: ObservedContainer): string {
  const { attempts } = healingState(container, world, observed)
  const streak = observed.health?.failingStreak ?? 0
  const tried = attempts.length === 0 ? '' : `, attempt ${attempts.length + 1} to heal it`
  return `status.health: unhealthy after ${streak} failed checks in a row${tried}`
}

/** `status.healing`: absent when nothing was tried of late. */
export function reportHealing(
  container: Container,
  world: World,
  observed: ObservedContainer | undefined,
): Pick<ContainerStatus, 'healing'> {
  const { attempts, heldSince } = healingState(container, world, observed)
  const rung = observed && rungOf(container, world, observed)
  const held = rung?.heldSince ?? heldSince
  if (attempts.length === 0 && held === undefined) return {}
  return {
    healing: {
      attempts: attempts.map(({ at, action }) => ({ time: timestamp(at), action })),
      ...(rung !== undefined && rung.due > world.now && { nextAt: timestamp(rung.due) }),
      ...(held !== undefined && { heldSince: timestamp(held) }),
    },
  }
}

/** Why it is not healed any more for now, and what would change that; undefined while there is budget left. */
export function tellHold(
  container: Container,
  world: World,
  observed: ObservedContainer,
): string | undefined {
  const rung = rungOf(container, world, observed)
  if (rung?.heldSince === undefined) return undefined
  const { restarts, window } = container.spec.healthcheck?.budget ?? usualBudget
  const next = `tried again at ${timestamp(rung.due)}, or at once when its spec changes or it is restarted by "cove rollout restart container/${container.metadata.name}"`
  return `its healthcheck fails although it was begun anew ${restarts} times within ${window}: ${next}`
}
