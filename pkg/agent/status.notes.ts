/**
 * The events of what happened to a Container by itself: ends, failing checks, pauses between restarts, healing that was
 * given up for now. Told by comparing one status with the next, so that each happening is told once. Pure.
 */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { EventNote } from '#pkg/client/recorder.ts'

const linesTold = 5
const longestLine = 160

type Telling = Omit<EventNote, 'object'>

export function statusNotes(
  object: Container,
  before: ContainerStatus | undefined,
  after: ContainerStatus,
): EventNote[] {
  const told = [
    ending(object, before, after),
    unhealthy(before, after),
    backOff(before, after),
    spent(before, after),
  ]
  return told.flatMap((note) => (note === undefined ? [] : [{ object, ...note }]))
}

/** Ends that were asked for are told as the ops that made them. */
function ending(
  { spec }: Container,
  before: ContainerStatus | undefined,
  { lastTermination: end }: ContainerStatus,
): Telling | undefined {
  if (end === undefined || spec.state === 'Stopped') return undefined
  const known = before?.lastTermination
  const isKnown = known?.finishedAt === end.finishedAt && known?.message === end.message
  if (known !== undefined && isKnown) return undefined
  const log = (end.log ?? []).filter((line) => line.trim() !== '').slice(-linesTold)
  const wrote =
    log.length === 0 ? '' : `; it wrote last:\n${log.map((line) => line.slice(0, longestLine)).join('\n')}`
  const message = `ended with exit code ${end.exitCode}${end.message === undefined ? '' : `: ${end.message}`}${wrote}`
  const isDone = end.exitCode === 0 && (end.message === undefined || spec.restartPolicy !== 'Always')
  if (isDone) return { type: 'Normal', reason: 'Completed', message }
  const reason = (['OOMKilled', 'StartError'] as const).find((each) => each === end.reason) ?? 'Exited'
  return { type: 'Warning', reason, message }
}

function unhealthy(before: ContainerStatus | undefined, after: ContainerStatus): Telling | undefined {
  if (after.health?.status !== 'unhealthy' || before?.health?.status === 'unhealthy') return undefined
  const message = findCondition(after.conditions, 'Healthy')?.message
  return message === undefined ? undefined : { type: 'Warning', reason: 'Unhealthy', message }
}

function backOff(before: ContainerStatus | undefined, after: ContainerStatus): Telling | undefined {
  const ready = findCondition(after.conditions, 'Ready')
  if (ready?.reason !== 'CrashLoopBackOff' || after.nextRestartAt === before?.nextRestartAt) return undefined
  return { type: 'Warning', reason: 'BackOff', message: ready.message }
}

function spent(before: ContainerStatus | undefined, after: ContainerStatus): Telling | undefined {
  const stalled = findCondition(after.conditions, 'Stalled')
  if (stalled?.reason !== 'HealingBudgetSpent') return undefined
  if (findCondition(before?.conditions, 'Stalled')?.reason === stalled.reason) return undefined
  return { type: 'Warning', reason: 'HealingBudgetSpent', message: stalled.message }
}
