/** Whether a container on trial is good: up, or healthy where it has a healthcheck, for as long as it is monitored. Pure. */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { UpdatePolicy } from '#pkg/apis/container.update.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { hasFinished } from './container.heal.ts'
import { isAlive } from './container.look.ts'
import { restartState } from './restart.ts'

/** ms. */
const clockWasPutBack = 300_000

export type FailureReason = 'Unhealthy' | 'HealthTimeout' | 'Exited' | 'StartError'

export type Verdict =
  | { readonly is: 'good' }
  /** `until`: when time alone may decide; ms since the epoch. */
  | { readonly is: 'pending'; readonly message: string; readonly until?: number }
  | { readonly is: 'bad'; readonly reason: FailureReason; readonly message: string }

export interface Trial {
  readonly container: Container
  readonly policy: UpdatePolicy
  readonly observed: ObservedContainer
  readonly now: number
  /** The status the object last had. */
  readonly previous: ContainerStatus | undefined
  /** Nobody else serves: an end that came from outside, such as that of the machine, may be nobody's fault. */
  readonly serves: boolean
}

export function judge(trial: Trial): Verdict {
  const { observed } = trial
  if (isAlive(observed)) return judgeRunning(trial)
  if (observed.state === 'exited') return judgeEnded(trial)
  if (observed.error !== '') return { is: 'bad', reason: 'StartError', message: observed.error }
  return { is: 'pending', message: `it is ${observed.state}` }
}

function judgeRunning(trial: Trial): Verdict {
  const { observed, container, policy, now } = trial
  const { health } = observed
  if (container.spec.state === 'Paused') return { is: 'pending', message: 'spec.state is Paused' }
  const startedAt = Date.parse(observed.startedAt ?? observed.createdAt)
  if (health === undefined) return monitored('up', startedAt, trial)
  if (health.status === 'unhealthy') {
    const last = health.log.at(-1)
    const output = last?.output.trim().slice(0, 200)
    const message = `${health.failingStreak} checks in a row failed, the last with exit code ${last?.exitCode}: ${output}`
    return { is: 'bad', reason: 'Unhealthy', message }
  }
  if (health.status === 'healthy') return monitored('healthy', healthySince(observed, trial) ?? now, trial)
  const until = startedAt + policy.healthTimeout
  const seconds = policy.healthTimeout / 1000
  if (now < until) return { is: 'pending', message: `it has ${seconds}s to become healthy`, until }
  return { is: 'bad', reason: 'HealthTimeout', message: `it did not become healthy within ${seconds}s` }
}

function monitored(what: string, since: number, { policy, now }: Trial): Verdict {
  const until = since + policy.monitor
  // What began in the future began before the clock was put back: how long ago, nobody knows.
  if (now >= until || since - now > clockWasPutBack) return { is: 'good' }
  return { is: 'pending', message: `it must be ${what} for ${policy.monitor / 1000}s`, until }
}

/** From its last checks, which the engine keeps, and from the status, which reaches further back. */
export function healthySince(
  { id, health, startedAt }: ObservedContainer,
  { previous }: Pick<Trial, 'previous'>,
): number | undefined {
  if (health?.status !== 'healthy') return undefined
  const first = health.log.slice(health.log.findLastIndex(({ exitCode }) => exitCode !== 0) + 1).at(0)
  const { containerID, healthySince: recorded } = previous?.rollout ?? {}
  const known = [first?.end, containerID === id ? recorded : undefined]
    .filter((time) => time !== undefined)
    .map((time) => Date.parse(time))
    .filter((time) => time >= Date.parse(startedAt ?? '') - 1000)
  return known.length === 0 ? undefined : Math.min(...known)
}

function judgeEnded(trial: Trial): Verdict {
  const { observed, container, serves, previous } = trial
  const { exitCode, oomKilled } = observed
  if (exitCode === 0 && hasFinished(container, observed)) return { is: 'good' }
  const how = oomKilled ? 'it was killed for its memory' : `it ended with exit code ${exitCode}`
  const { crashStreak } = restartState(previous, observed)
  if (serves && crashStreak <= 1 && endedFromOutside(observed))
    return { is: 'pending', message: `${how}, which came from outside; it is started again` }
  return { is: 'bad', reason: 'Exited', message: how }
}

/** SIGTERM and SIGKILL come from somebody else, and 255 is what engines know of a run that their own end cut short. */
function endedFromOutside({ exitCode, oomKilled }: ObservedContainer): boolean {
  return !oomKilled && [137, 143, 255].includes(exitCode)
}
