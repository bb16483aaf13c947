/** A container that fits its wish but does not do what it should: unhealthy, frozen, or ended. Pure. */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { tellEnding } from './container.ending.ts'
import { rungOf, whyHeal } from './container.healing.ts'
import { previousStatus } from './container.look.ts'
import { planRestart, restartAsked, whyRestart } from './container.restart.ts'
import { planStall } from './container.stall.ts'
import { whyNotJoin, whyNotStart } from './container.start.ts'
import type { Subject } from './container.subject.ts'
import { delayAfter, restartDue, restartState } from './restart.ts'
import { type Decision, groupOf, type World } from './world.ts'

/** One that has processes, frozen or not. */
export function planRunning(subject: Subject, current: ObservedContainer): Omit<Decision, 'plan'> {
  const { container, world, builder } = subject
  const { state } = container.spec
  if (state === 'Running' && current.state === 'paused' && !isBeingCommitted(container, world)) {
    builder.add({ type: 'unpauseContainer', container: current.id }, 'spec.state: want Running, found paused')
  }
  if (state === 'Paused' && current.state === 'running') {
    builder.add({ type: 'pauseContainer', container: current.id }, 'spec.state: want Paused, found running')
  }
  const waiting = whyNotJoin(container, world)
  const runs = state === 'Running' && current.state === 'running'
  const healing = runs && !planRestart(subject, current) ? planUnhealthy(subject, current) : {}
  if (runs && builder.build().ops.length === 0) planStall(container, world, { observed: current, builder })
  return { ...healing, ...(waiting !== undefined && { waiting }) }
}

/** The engine keeps it paused meanwhile, so that what it writes fits together, and lets it go on by itself. */
function isBeingCommitted({ metadata }: Container, { desired, busy }: World): boolean {
  const { namespace = 'default', name } = metadata
  return [...desired.images.values()].some(
    (image) =>
      (image.metadata.namespace ?? 'default') === namespace &&
      image.spec.source?.commit?.container === name &&
      busy.has(groupOf('Image', image.metadata)),
  )
}

function planUnhealthy(
  { container, world, builder }: Subject,
  current: ObservedContainer,
): Omit<Decision, 'plan'> {
  const rung = rungOf(container, world, current)
  if (rung === undefined) return {}
  if (world.now < rung.due) return { wakeAt: rung.due }
  const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
  const cause = whyHeal(container, world, current)
  builder.add({ type: 'restartContainer', container: current.id, gracePeriod, heals: true }, cause)
  return {}
}

/** One that was made and does not run: started, unless its end was wanted or something is in the way. */
export function planEnded(subject: Subject, current: ObservedContainer): Omit<Decision, 'plan'> {
  const { container, world, builder } = subject
  const request = restartAsked(container, world, current)
  if (request === undefined && hasFinished(container, current)) return {}
  const wait = whyNotStart(container, world)
  if (wait !== undefined) return { waiting: wait }
  const log = world.observed.logTails.get(current.id)
  const ending = tellEnding(current, container.spec, log)
  const cause =
    current.state === 'created'
      ? `spec.state is ${container.spec.state}`
      : `spec.state: want ${container.spec.state}, found ${current.state} with ${ending}`
  const previous = previousStatus(container, world)
  const state = restartState(previous, current, world.asked.get(current.id))
  const { crashStreak } = state
  const due = restartDue(state, { now: world.now, told: previous?.nextRestartAt })
  if (request === undefined && current.state !== 'created' && world.now < due) {
    const seconds = delayAfter(crashStreak) / 1000
    const next = `it is started again at ${timestamp(due)}`
    const message = `back-off ${seconds}s after ${crashStreak} ends in a row, the last with ${ending}; ${next}${lastWords(log)}`
    return { wakeAt: due, waiting: { reason: 'CrashLoopBackOff', message } }
  }
  const start = { type: 'startContainer', container: current.id } as const
  if (request === undefined) builder.add(start, cause)
  else builder.add({ ...start, request }, whyRestart(request))
  return {}
}

function lastWords(log: readonly string[] = []): string {
  const line = log.findLast((each) => each.trim() !== '')
  return line === undefined ? '' : `; it wrote last: ${line.trim().slice(0, 200)}`
}

/** Whether its end is what the restart policy asked for. */
export function hasFinished({ spec }: Container, observed: ObservedContainer): boolean {
  if (observed.state !== 'exited') return false
  return spec.restartPolicy === 'Never' || (spec.restartPolicy === 'OnFailure' && observed.exitCode === 0)
}
