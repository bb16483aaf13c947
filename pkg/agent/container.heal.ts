/** A container that fits its wish but does not do what it should: unhealthy, frozen, or ended. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { previousStatus } from './container.look.ts'
import { whyNotJoin, whyNotStart } from './container.start.ts'
import type { Subject } from './container.subject.ts'
import { restartState } from './restart.ts'
import type { Decision } from './world.ts'

/** One that has processes, frozen or not. */
export function planRunning(subject: Subject, current: ObservedContainer): Omit<Decision, 'plan'> {
  const { container, world, builder } = subject
  const { state } = container.spec
  if (state === 'Running' && current.state === 'paused') {
    builder.add({ type: 'unpauseContainer', container: current.id }, 'spec.state: want Running, found paused')
  }
  if (state === 'Paused' && current.state === 'running') {
    builder.add({ type: 'pauseContainer', container: current.id }, 'spec.state: want Paused, found running')
  }
  const waiting = whyNotJoin(container, world)
  const healing = state === 'Running' && current.state === 'running' ? planUnhealthy(subject, current) : {}
  return { ...healing, ...(waiting !== undefined && { waiting }) }
}

function planUnhealthy(
  { container, world, builder }: Subject,
  current: ObservedContainer,
): Omit<Decision, 'plan'> {
  const { health } = current
  if (health?.status !== 'unhealthy' || container.spec.healthcheck?.onUnhealthy === 'None') return {}
  const { crashStreak } = restartState(previousStatus(container, world), current)
  const due = Date.parse(current.startedAt ?? current.createdAt) + pauseBeforeHealing(crashStreak)
  if (world.now < due) return { wakeAt: due }
  const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
  const cause = `status.health: unhealthy after ${health.failingStreak} failed checks in a row`
  builder.add({ type: 'restartContainer', container: current.id, gracePeriod }, cause)
  return {}
}

/** The first healing is immediate; a container that keeps turning unhealthy is restarted ever more slowly. */
function pauseBeforeHealing(crashStreak: number): number {
  return crashStreak === 0 ? 0 : Math.min(300_000, 10_000 * 2 ** (crashStreak - 1))
}

/** One that was made and does not run: started, unless its end was wanted or something is in the way. */
export function planEnded(subject: Subject, current: ObservedContainer): Omit<Decision, 'plan'> {
  const { container, world, builder } = subject
  if (hasFinished(container, current)) return {}
  const wait = whyNotStart(container, world)
  if (wait !== undefined) return { waiting: wait }
  const cause =
    current.state === 'created'
      ? `spec.state is ${container.spec.state}`
      : `spec.state: want ${container.spec.state}, found ${current.state} with exit code ${current.exitCode}`
  const { notBefore, crashStreak } = restartState(previousStatus(container, world), current)
  if (current.state !== 'created' && world.now < notBefore) {
    const seconds = Math.ceil((notBefore - Date.parse(current.finishedAt ?? current.createdAt)) / 1000)
    const message = `back-off ${seconds}s after ${crashStreak} ends in a row, the last with exit code ${current.exitCode}`
    return { wakeAt: notBefore, waiting: { reason: 'CrashLoopBackOff', message } }
  }
  builder.add({ type: 'startContainer', container: current.id }, cause)
  return {}
}

/** Whether its end is what the restart policy asked for. */
export function hasFinished({ spec }: Container, observed: ObservedContainer): boolean {
  if (observed.state !== 'exited') return false
  return spec.restartPolicy === 'Never' || (spec.restartPolicy === 'OnFailure' && observed.exitCode === 0)
}
