/** What is told of following: the condition UpToDate, and events between two statuses. Pure. */
import { type Condition, timestamp } from '#pkg/apimachinery/meta.ts'
import { bytesIn, rejectionOf } from '#pkg/apis/image.rejected.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { Candidate, Outcome, RegistryAnswer } from './update.answer.ts'
import type { Update } from './update.times.ts'

interface Telling {
  readonly image: Image
  readonly update: Update
  readonly answer: RegistryAnswer | undefined
  readonly outcome: Outcome
  /** ms since the epoch. */
  readonly nextCheckAt: number | undefined
}

type Draft = Omit<Condition, 'lastTransitionTime'>

export function upToDate(telling: Telling): Draft {
  const { image, outcome, answer } = telling
  const { reference = '' } = image.status ?? {}
  const say = (status: Condition['status'], reason: string, message: string): Draft => ({
    type: 'UpToDate',
    status,
    reason,
    message,
  })
  if (outcome.is === 'take') return say('True', 'Taken', `takes ${named(outcome.candidate)}`)
  if (outcome.is === 'back')
    return say(
      'False',
      'Rejected',
      `${rejectedText(image, bytesIn(reference))}; back to ${outcome.reference}`,
    )
  if (outcome.is === 'wait')
    return say('False', `WaitingFor${outcome.waitingFor}`, waitText(telling, outcome))
  if (answer?.error !== undefined) {
    const { reason, message } = answer.error
    return say(
      'False',
      reason,
      `${message}; ${stays(telling)}, and the registry is asked again${whenText(telling)}`,
    )
  }
  const rejected = bytesIn(reference)
  if (rejectionOf(image, rejected) !== undefined)
    return say('False', 'Rejected', `${rejectedText(image, rejected)}; there is nothing to go back to`)
  if (answer !== undefined) return ofAnswer(telling, answer, say)
  const isChecked = image.status?.checkedAt !== undefined
  return isChecked
    ? (conditionBefore(image) ?? say('Unknown', 'NotChecked', `the registry is asked${whenText(telling)}`))
    : say('Unknown', 'NotChecked', 'the registry was not asked yet')
}

/** An agent that begins again has not asked: what was found before holds until it does. */
function conditionBefore({ status }: Image): Draft | undefined {
  const before = status?.conditions?.find(({ type }) => type === 'UpToDate')
  if (before === undefined) return undefined
  const { type, status: value, reason, message } = before
  return { type, status: value, reason, message }
}

function ofAnswer(
  { image, update }: Telling,
  { found }: RegistryAnswer,
  say: (status: Condition['status'], reason: string, message: string) => Draft,
): Draft {
  const { reference = '' } = image.status ?? {}
  if (found === undefined)
    return say(
      'False',
      'NoVersion',
      `the registry has no tag${update.filter === undefined ? '' : ` like ${update.filter}`} with a version in ${update.range}; ${stays({ image })}`,
    )
  const held = bytesIn(reference)
  if (found.digest === held) return say('True', 'Newest', `the registry has nothing newer than ${reference}`)
  const rejection = rejectionOf(image, found.digest)
  if (rejection !== undefined)
    return say(
      'False',
      'Rejected',
      `${rejectedText(image, found.digest)}; it stays ${reference} until there is another one, or \`cove image approve\` names that one`,
    )
  return say('True', 'Newest', `the registry has nothing newer than ${reference}: ${found.tag} is older`)
}

function waitText(
  { image }: Telling,
  { candidate, waitingFor }: { candidate: Candidate; waitingFor: string },
): string {
  const until = candidate.takenAt === undefined ? '' : `: it is taken at ${candidate.takenAt}`
  const waits: Readonly<Record<string, string>> = {
    Age: `waits for spec.update.minimumAge${until}`,
    Window: `waits for spec.update.window${until === '' ? ', which never opens' : until}`,
    Approval: `waits for \`cove image approve ${image.metadata.name}\``,
  }
  return `${named(candidate)}, first seen at ${candidate.firstSeen}, ${waits[waitingFor] ?? waitingFor}`
}

function whenText({ nextCheckAt }: Telling): string {
  if (nextCheckAt === undefined) return ' never: spec.update.schedule has no next time'
  return nextCheckAt === 0 ? ' now' : ` at ${timestamp(nextCheckAt)}`
}

function rejectedText(image: Image, digest: string | undefined): string {
  const rejection = rejectionOf(image, digest)
  return `${rejection?.reference ?? image.spec.reference}@${short(digest)} was given up: ${rejection?.reason}: ${rejection?.message}`
}

function stays({ image }: Pick<Telling, 'image'>): string {
  const { reference } = image.status ?? {}
  return reference === undefined ? 'there is no image yet' : `it stays ${reference}`
}

function named({ reference, digest }: Candidate): string {
  return `${reference}@${digest}`
}

function short(digest: string | undefined): string {
  return digest?.slice(0, 'sha256:'.length + 12) ?? ''
}

/** What is worth an event between two statuses. */
export function updateNotes(image: Image, before: ImageStatus | undefined, after: ImageStatus): EventNote[] {
  const notes: EventNote[] = []
  const { candidate, reference } = after
  if (candidate !== undefined && candidate.digest !== before?.candidate?.digest)
    notes.push({
      object: image,
      type: 'Normal',
      reason: 'NewImage',
      message: `the registry has ${named(candidate)}, which waits for ${candidate.waitingFor ?? 'nothing'}`,
    })
  const old = before?.reference
  if (old === undefined || reference === undefined || old === reference) return notes
  const rejection = rejectionOf(image, bytesIn(old))
  if (rejection !== undefined && before?.previous === reference)
    notes.push({
      object: image,
      type: 'Warning',
      reason: 'ImageRejected',
      message: `back to ${reference}, since ${old} was given up: ${rejection.reason}: ${rejection.message}`,
    })
  else if (after.previous === old)
    notes.push({
      object: image,
      type: 'Normal',
      reason: 'ImageTaken',
      message: `takes ${reference} instead of ${old}`,
    })
  return notes
}
