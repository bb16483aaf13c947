/**
 * Following a moving tag, or newer versions: from what the registry has said to what the Image takes, and when to ask
 * again. Only the lead does, and only by what is in the status: another agent goes on where this one stopped. Pure.
 */
import { type Condition, timestamp } from '#pkg/apimachinery/meta.ts'
import { canonicalReference, familiarReference, parseReference } from '#pkg/apimachinery/reference.ts'
import { approvedDigest, bytesIn, rejectionOf, repositoryIn } from '#pkg/apis/image.rejected.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import { isInRange } from '#pkg/apis/versions.ts'
import type { Candidate, Outcome, Question, RegistryAnswer } from './update.answer.ts'
import { type Asking, whenToAsk } from './update.asking.ts'
import { upToDate } from './update.text.ts'
import { minimumAge, openFrom, type Update } from './update.times.ts'
import { isOlder, versionIn } from './versions.ts'

/** The fields of the status that are about following; one that is absent is not the case. */
export type UpdateStatus = Pick<
  ImageStatus,
  'reference' | 'previous' | 'candidate' | 'checkedAt' | 'nextCheckAt' | 'checkRequest'
>

export interface UpdateDecision {
  readonly question: Question
  /** When the registry is to be asked; ms since the epoch, 0 for at once, undefined for never. */
  readonly askAt?: number
  /** Which request that answers. */
  readonly request?: string
  readonly status: UpdateStatus
  readonly condition: Omit<Condition, 'lastTransitionTime'>
  /** When time alone changes what is waited for. */
  readonly wakeAt?: number
}

export interface UpdateInput {
  /** Its status is the newest that is known. */
  readonly image: Image
  readonly answer: RegistryAnswer | undefined
  readonly now: number
  /** Changes with the credentials that the registry would be asked with: what it refused is asked again then. */
  readonly askedWith?: string
}

/**
 * Of an Image that this node leads; undefined for one that follows nothing. Of versions this finds the first one too, which
 * is taken at once: there is nothing yet that it could endanger. What a tag means first, the pull finds out.
 */
export function planUpdate({
  image,
  answer: given,
  now,
  askedWith,
}: UpdateInput): UpdateDecision | undefined {
  const { update } = image.spec
  const question = questionOf(image)
  if (update === undefined || question === undefined) return undefined
  if (image.status?.reference === undefined && update.policy === 'Digest') return undefined
  const answer = given?.question === question.key ? given : undefined
  const asking = whenToAsk(image, update, given, { ...question, askedWith, now })
  const back = whereToGoBack(image)
  const base = { image, update, answer, now }
  const candidate = back === undefined ? candidateOf(base) : undefined
  const outcome: Outcome = back === undefined ? weigh(base, candidate) : { is: 'back', reference: back }
  const { askAt, request } = asking
  return {
    question,
    ...(askAt !== undefined && { askAt }),
    ...(request !== undefined && { request }),
    status: { ...taken(image, outcome), ...checks(image, answer, asking) },
    condition: upToDate({ ...base, outcome, nextCheckAt: askAt }),
    ...(outcome.is === 'wait' && outcome.wakeAt !== undefined && { wakeAt: outcome.wakeAt }),
  }
}

/** Undefined for what no registry is asked about. */
export function questionOf({ spec }: Image): Question | undefined {
  const parsed = parseReference(spec.reference)
  if (spec.update === undefined || !parsed.ok) return undefined
  const { registry, repository, tag = 'latest' } = parsed.reference
  const { policy, range, filter } = spec.update
  const isTag = policy === 'Digest'
  const reference = canonicalReference({ registry, repository, ...(isTag && { tag }) })
  const versions = { ...(range !== undefined && { range }), ...(filter !== undefined && { filter }) }
  return { key: JSON.stringify([reference, range, filter]), reference, ...(isTag ? {} : versions) }
}

interface Base {
  readonly image: Image
  readonly update: Update
  readonly answer: RegistryAnswer | undefined
  readonly now: number
}

function checks(
  { status }: Image,
  answer: RegistryAnswer | undefined,
  { askAt }: Asking,
): Pick<UpdateStatus, 'checkedAt' | 'nextCheckAt' | 'checkRequest'> {
  const checkedAt = answer === undefined ? status?.checkedAt : timestamp(answer.at)
  const nextCheckAt = askAt === undefined || askAt === 0 ? undefined : timestamp(askAt)
  const checkRequest = answer?.request ?? status?.checkRequest
  return {
    ...(checkedAt !== undefined && { checkedAt }),
    ...(nextCheckAt !== undefined && { nextCheckAt }),
    ...(checkRequest !== undefined && { checkRequest }),
  }
}

/** What served before one that Containers were rolled back from, unless that is no better, or not asked for any more. */
function whereToGoBack(image: Image): string | undefined {
  const { reference, previous } = image.status ?? {}
  const rejection = rejectionOf(image, bytesIn(reference))
  if (rejection === undefined) return undefined
  return [rejection.back, previous].find(
    (each) => isName(each, image.spec) && rejectionOf(image, bytesIn(each)) === undefined,
  )
}

/** Whether it is of the repository that is followed, and with policy Digest of its tag. */
function isName(reference: string | undefined, spec: Image['spec']): boolean {
  const [found, wanted] = [parseReference(reference ?? ''), parseReference(spec.reference)]
  if (!found.ok || !wanted.ok || repositoryIn(reference) !== repositoryIn(spec.reference)) return false
  return spec.update?.policy !== 'Digest' || found.reference.tag === wanted.reference.tag
}

/** What the registry has that may be taken some time. */
function candidateOf({ image, update, answer }: Base): Candidate | undefined {
  const { reference, candidate: known } = image.status ?? {}
  const found = answer?.error === undefined ? answer?.found : undefined
  const isNews = answer !== undefined && answer.error === undefined
  const candidate = isNews ? seen(image, found, answer.at) : known
  if (candidate === undefined || candidate.digest === bytesIn(reference)) return undefined
  if (rejectionOf(image, candidate.digest) !== undefined) return undefined
  return isOfSpec(image, update, candidate) ? candidate : undefined
}

/** With the time at which it was first seen: one that changes again is another one. */
function seen({ spec, status }: Image, found: RegistryAnswer['found'], at: number): Candidate | undefined {
  const parsed = parseReference(spec.reference)
  if (found === undefined || !parsed.ok) return undefined
  const { registry, repository } = parsed.reference
  const { digest, tag } = found
  const reference = familiarReference({ registry, repository, tag })
  const before = status?.candidate
  const isSame = before?.digest === digest && before.reference === reference
  return { reference, digest, firstSeen: isSame ? before.firstSeen : timestamp(at) }
}

/** Found by a rule that has changed since, it does not count; nor does what is older than what is held. */
function isOfSpec({ spec, status }: Image, { policy, range, filter }: Update, candidate: Candidate): boolean {
  const parsed = parseReference(candidate.reference)
  if (!parsed.ok || !isName(candidate.reference, spec)) return false
  if (policy === 'Digest') return true
  const { tag = '' } = parsed.reference
  const version = versionIn(tag, filter)
  if (version === undefined || !isInRange(version, range ?? '*')) return false
  const current = parseReference(status?.reference ?? '')
  return !isOlder(tag, current.ok ? current.reference.tag : undefined, filter)
}

function weigh({ image, update, now }: Base, candidate: Candidate | undefined): Outcome {
  if (candidate === undefined) return { is: 'none' }
  const ready = Date.parse(candidate.firstSeen) + minimumAge(update)
  const isApproved = update.approval !== 'Manual' || approvedDigest(image) === candidate.digest
  const opens = openFrom(update, Math.max(ready, now))
  const { waitingFor: _waiting, takenAt: _at, ...plain } = candidate
  if (image.status?.reference === undefined) return { is: 'take', candidate: plain }
  const known: Candidate = isApproved && opens !== undefined ? { ...plain, takenAt: timestamp(opens) } : plain
  const waits = (waitingFor: NonNullable<Candidate['waitingFor']>, wakeAt?: number): Outcome => ({
    is: 'wait',
    candidate: { ...known, waitingFor },
    waitingFor,
    ...(wakeAt !== undefined && { wakeAt }),
  })
  if (now < ready) return waits('Age', ready)
  if (!isApproved) return waits('Approval')
  return opens !== undefined && opens <= now ? { is: 'take', candidate: plain } : waits('Window', opens)
}

function taken(
  { status = {} }: Image,
  outcome: Outcome,
): Pick<UpdateStatus, 'reference' | 'previous' | 'candidate'> {
  const { reference, previous } = status
  if (outcome.is === 'take') {
    const { digest, reference: name } = outcome.candidate
    return { reference: `${name}@${digest}`, ...(reference !== undefined && { previous: reference }) }
  }
  if (outcome.is === 'back') return { reference: outcome.reference }
  return {
    ...(reference !== undefined && { reference }),
    ...(previous !== undefined && { previous }),
    ...(outcome.is === 'wait' && { candidate: outcome.candidate }),
  }
}
