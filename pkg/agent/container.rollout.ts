/** What status, conditions and events say of a replacement. Pure. */
import { type Condition, timestamp } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { castOf } from './container.cast.ts'
import { type FailedRevision, failureOf, reportFailure } from './container.failure.ts'
import { previousStatus } from './container.look.ts'
import type { Decision, ReportInput, RolloutView } from './world.ts'

type Rollout = NonNullable<ContainerStatus['rollout']>
type Draft = Omit<Condition, 'lastTransitionTime'>

export function reportRollout(input: Omit<ReportInput, 'lastAction'>): Pick<ContainerStatus, 'rollout'> {
  const { container, decision, world } = input
  const before = previousStatus(container, world)?.rollout
  const view = decision.rollout
  if (view === undefined) return before === undefined ? {} : { rollout: before }
  const same = before?.phase === view.phase && before.fingerprint === view.fingerprint
  const stable = view.phase === 'Complete' ? view.fingerprint : before?.stable
  const failed = failedOf(input, view)
  return {
    rollout: {
      phase: view.phase,
      ...(view.message !== undefined && { message: view.message }),
      fingerprint: view.fingerprint,
      ...(view.containerID !== undefined && { containerID: view.containerID }),
      since: (same ? before.since : undefined) ?? timestamp(world.now),
      ...(view.healthySince !== undefined && { healthySince: timestamp(view.healthySince) }),
      ...(stable !== undefined && { stable }),
      ...(failed !== undefined && { failed }),
    },
  }
}

function failedOf(
  { container, world }: Pick<ReportInput, 'container' | 'world'>,
  { judged, containerID, phase }: RolloutView,
): FailedRevision | undefined {
  const observed = world.observed.containers.find(({ id }) => id === containerID)
  if (judged !== undefined && observed !== undefined) return failureOf(container, world, { observed, judged })
  // What came after it is good: nobody asks any more.
  if (phase === 'Complete' && castOf(container, world).failed.length === 0) return undefined
  return reportFailure(container, world)
}

/** Why what is wanted is not what serves, as far as a replacement is the reason; undefined when it is not. */
export function whyNotUpToDate(
  { rollout }: Decision,
  observed: ObservedContainer | undefined,
): Draft | undefined {
  const no = (reason: string, message: string): Draft => ({
    type: 'UpToDate',
    status: 'False',
    reason,
    message,
  })
  if (rollout?.phase === 'Paused') return no('RolloutPaused', rollout.message ?? 'spec.update.paused')
  if (rollout?.phase === 'RolledBack') return no('RolledBack', rollout.message ?? 'it is not good')
  const isBeside = rollout?.containerID !== undefined && rollout.containerID !== observed?.id
  if (isBeside && rollout.phase === 'Held')
    return no('RolloutHeld', `the new container beside this one: ${rollout.message ?? 'it is not good'}`)
  if (isBeside && rollout.phase === 'Progressing')
    return no('RollingOut', `the new container runs beside this one: ${rollout.message ?? 'it is good'}`)
  return undefined
}

/** Only of an object that was ever rolled back. */
export function rolledBack({ decision, container }: ReportInput): Draft[] {
  const { rollout } = decision
  const type = 'RolledBack'
  if (rollout?.phase === 'RolledBack') {
    const message = `${rollout.message ?? 'it is not good'}; it is not tried again until the object changes`
    return [{ type, status: 'True', reason: 'NewRevisionFailed', message }]
  }
  const was = container.status?.conditions?.some((condition) => condition.type === type) === true
  return was && rollout !== undefined
    ? [{ type, status: 'False', reason: 'Superseded', message: 'the object has changed since' }]
    : []
}

/** A container on trial, and when its trial may end; ms since the epoch. */
export interface Trial {
  readonly id: string
  readonly at: number
}

export function trialsOf(decisions: Iterable<Decision>): Trial[] {
  return [...decisions].flatMap(({ rollout, lookAgainAt }) =>
    rollout?.containerID === undefined || lookAgainAt === undefined
      ? []
      : [{ id: rollout.containerID, at: lookAgainAt }],
  )
}

/** What is worth an event between two statuses of a Container; ops tell of themselves. */
export function rolloutNotes(
  object: Container,
  before: ContainerStatus | undefined,
  after: ContainerStatus,
): EventNote[] {
  const [old, now] = [before?.rollout, after.rollout]
  if (now === undefined) return []
  const notes: EventNote[] = []
  const tell = (type: EventNote['type'], reason: EventNote['reason'], message: string) =>
    notes.push({ object, type, reason, message })
  const { failed, phase } = now
  if (
    failed !== undefined &&
    (old?.failed?.time !== failed.time || old.failed.fingerprint !== failed.fingerprint)
  )
    tell('Warning', 'RolloutFailed', `${short(failed.fingerprint)}: ${words(failed)}`)
  if (phase === 'RolledBack' && old?.phase !== 'RolledBack' && failed !== undefined)
    tell(
      'Warning',
      'RolledBack',
      `the container before serves again; ${short(failed.fingerprint)}: ${words(failed)}`,
    )
  // Of the first of all there is nothing to roll out; that it fails is told as that.
  if (phase === 'Held' && old?.phase !== 'Held' && now.stable !== undefined)
    tell('Warning', 'RolloutHeld', now.message ?? '')
  if (phase === 'Complete' && isNews(old))
    tell('Normal', 'RolloutComplete', `${short(now.fingerprint)} is good`)
  return notes
}

/** The first container of all is good without a word. */
function isNews(old: Rollout | undefined): boolean {
  return old !== undefined && old.phase !== 'Complete' && old.stable !== undefined
}

function short(fingerprint: string | undefined): string {
  return `revision ${(fingerprint ?? '').slice(0, 10)}`
}

const linesTold = 5

/** With its last lines, as many as an event can hold. */
function words({ reason, message, log, probes }: FailedRevision): string {
  const lines = log.slice(-linesTold).map((line) => line.slice(0, 120))
  const probe = probes.at(-1)?.output.trim().slice(0, 120)
  const parts = [
    `${reason}: ${message}`,
    ...(reason === 'HealthTimeout' && probe ? [`the last check said: ${probe}`] : []),
    ...(lines.length > 0 ? [`the last lines it wrote: ${lines.join(' | ')}`] : []),
  ]
  return parts.join('; ')
}
