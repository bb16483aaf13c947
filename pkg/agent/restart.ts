/**
 * Counting ends and pacing restarts. Derived from the status as it was and the container as it is, so that an
 * agent that restarts goes on where it was. Pure.
 *
 * Kubernetes' timing: the first restart is immediate, then 10 s doubling to 5 min; ten minutes of running
 * forget the past.
 */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'

const firstDelay = 10_000
const mostDelay = 300_000
const forgetAfter = 600_000
/** An end so soon after somebody asked the engine for it came of that: programs may take their time; ms. */
const askedBefore = 60_000
/** The engine tells of a stop when the container has ended; ms. */
const askedAfter = 2000

export interface RestartState {
  readonly restartCount: number
  /** Ends in a row without a long run between them. */
  readonly crashStreak: number
  /** When it may be started again, for a container that has ended; ms since the epoch. */
  readonly notBefore: number
}

/** `askedAt`: when somebody last asked the engine to end the container; ms since the epoch. */
export function restartState(
  previous: ContainerStatus | undefined,
  observed: ObservedContainer,
  askedAt?: number,
): RestartState {
  const same = previous?.containerID === observed.id
  const sameSpec = previous?.fingerprint === fingerprintOf(observed)
  const counted = same || sameSpec ? (previous?.restartCount ?? 0) : 0
  const startedAnew =
    previous?.startedAt !== undefined &&
    observed.startedAt !== undefined &&
    previous.startedAt !== observed.startedAt
  const restartCount = counted + ((same || sameSpec) && startedAnew ? 1 : 0)
  const endedAt = Date.parse(observed.finishedAt ?? observed.createdAt)
  const wasAsked = askedAt !== undefined && isWithin(askedAt, observed, endedAt)
  const crashStreak = nextStreak(same || sameSpec ? previous : undefined, observed, wasAsked)
  return { restartCount, crashStreak, notBefore: endedAt + (wasAsked ? 0 : delayAfter(crashStreak)) }
}

/**
 * When it is to be started again, for a container that has ended. `told` is what status said of it. Nobody waits for the
 * time of a clock that was put back meanwhile: what ended in the future waits one pause from the first look on.
 */
export function restartDue(
  { crashStreak, notBefore }: RestartState,
  { now, told }: { readonly now: number; readonly told: string | undefined },
): number {
  const latest = now + delayAfter(crashStreak)
  if (notBefore <= latest) return notBefore
  return told === undefined ? latest : Math.min(Date.parse(told), latest)
}

/** Whether it was asked in the run that ended, and the end came of it. */
function isWithin(askedAt: number, { startedAt, createdAt }: ObservedContainer, endedAt: number): boolean {
  const inThisRun = askedAt >= Date.parse(startedAt ?? createdAt)
  return inThisRun && endedAt - askedAt <= askedBefore && askedAt - endedAt <= askedAfter
}

/** How long to wait before the start that follows the given number of ends in a row. */
export function delayAfter(crashStreak: number): number {
  return crashStreak <= 1 ? 0 : Math.min(mostDelay, firstDelay * 2 ** (crashStreak - 2))
}

function nextStreak(
  previous: ContainerStatus | undefined,
  observed: ObservedContainer,
  wasAsked: boolean,
): number {
  const streak = previous?.crashStreak ?? 0
  if (observed.finishedAt === undefined || wasAsked) return streak
  if (previous?.finishedAt === observed.finishedAt) return streak
  // While it runs, finishedAt is the end of the run before: startedAt lies behind it, and that run's length is unknown.
  const ran = Date.parse(observed.finishedAt) - Date.parse(observed.startedAt ?? observed.finishedAt)
  return ran >= forgetAfter ? 1 : streak + 1
}

function fingerprintOf(observed: ObservedContainer): string | undefined {
  return observed.labels[engineLabels.fingerprint]
}
