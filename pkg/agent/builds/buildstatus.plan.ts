/** The status of a Build, as the node that makes it says: where it is, and why it is not further. Pure. */
import { classify, StatusError } from '#pkg/apimachinery/errors.ts'
import { type Condition, setCondition, timestamp } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildFailure, BuildStatus } from '#pkg/apis/build.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import { findImage } from '../image.ts'
import { statusOfBuild } from '../images/built.ts'
import { type Decision, groupOf, type Hold, type World } from '../world.ts'
import { generationOfBuild } from './build.plan.ts'
import { withProgress } from './buildbook.ts'
import { cancelOf, weighBuild } from './buildweigh.ts'
import { withLastingTimes } from './checktimes.ts'
import { nextDue } from './schedule.ts'
import type { Weighed } from './weighed.ts'

type Phase = NonNullable<BuildStatus['phase']>

/** `nextCheckAt`: when its context or its bases are asked about next; ms since the epoch. */
export function reportBuild(
  build: Build,
  decision: Decision,
  world: World,
  nextCheckAt?: number,
): BuildStatus {
  const { metadata, spec } = build
  const weighed = weighBuild(build, world)
  const answered = withCancel(build, weighed, world)
  const running = world.building?.running?.get(metadata.uid ?? '')
  const state = stateOf({ build, decision, world, weighed, status: answered })
  const status =
    running === undefined ? settledStatus(answered, weighed, state) : withProgress(answered, running)
  const nextAt = spec.suspend ? undefined : nextDue(spec.triggers, world.now)
  const { nextScheduledAt: _, nextCheckAt: __, ...rest } = status
  const observedGeneration = metadata.generation ?? 0
  const isHere = status.image !== undefined && findImage(world.observed.images, status.image.id) !== undefined
  return withLastingTimes(statusOfBuild(build, world), {
    ...rest,
    ...checksOf(build, status, world),
    ...sizeOf(status, world),
    ...requestOf(build, rest, state),
    ...(nextAt !== undefined && { nextScheduledAt: timestamp(nextAt) }),
    ...(nextCheckAt !== undefined && { nextCheckAt: timestamp(nextCheckAt) }),
    phase: running !== undefined && state.phase !== 'Terminating' ? 'Building' : state.phase,
    observedGeneration,
    conditions: conditionsOf(status, state, { isHere, observedGeneration, now: world.now }),
  })
}

/** Of what has been built this moment, which nobody has to wait for a look at the engine to be told of. */
export function justBuilt(build: Build, status: BuildStatus, now: number): BuildStatus {
  const seen = { isHere: true, observedGeneration: status.observedGeneration ?? 0, now }
  return { ...status, conditions: conditionsOf(status, builtState(build, status), seen) }
}

interface State {
  readonly phase: Phase
  readonly reason: string
  readonly message: string
  /** Why it cannot succeed unchanged. */
  readonly stalled?: true
  /** What is told as the failure; absent: none, or that of the last attempt. */
  readonly failure?: BuildFailure
  /** What the op said that rests; absent: none does. */
  readonly said?: string
}

interface Looking {
  readonly build: Build
  readonly decision: Decision
  readonly world: World
  readonly weighed: Weighed
  readonly status: BuildStatus
}

/** What was to be broken off is not begun again before an input moves. */
function withCancel(build: Build, weighed: Weighed, world: World): BuildStatus {
  const status = statusOfBuild(build, world)
  const asked = cancelOf(build, world)
  if (asked === undefined || world.building?.running?.has(build.metadata.uid ?? '') === true) return status
  const answered = { ...status, canceled: asked }
  if (weighed.is === 'current' || weighed.is === 'waiting') return answered
  const message = 'it was canceled; it is built again when an input moves, or somebody asks for it'
  return { ...answered, failure: { reason: 'Canceled', message, inputHash: weighed.key } }
}

function stateOf(looking: Looking): State {
  const { build, decision, world, weighed, status } = looking
  const group = groupOf('Build', build.metadata)
  if (build.metadata.deletionTimestamp !== undefined)
    return { phase: 'Terminating', reason: 'Terminating', message: 'it goes' }
  if (build.spec.suspend)
    return { phase: 'Suspended', reason: 'Suspended', message: 'spec.suspend: nothing is built' }
  if (world.building?.running?.has(build.metadata.uid ?? '') === true)
    return { phase: 'Building', reason: 'Building', message: status.cause ?? 'it is being built' }
  const blocked = blockedBy(looking)
  if (blocked !== undefined) return blocked
  if (weighed.is === 'current') return currentState(build, status, world)
  const hold = world.holds.get(group)
  const isHeld = hold !== undefined && hold.generation === generationOfBuild(build, world)
  if (isHeld && !world.busy.has(group)) return heldState(hold)
  if (weighed.is === 'waiting') {
    const phase = isPatience(weighed.waiting.reason) ? 'Pending' : 'Failed'
    return { phase, ...weighed.waiting, ...(phase === 'Failed' && { failure: weighed.waiting }) }
  }
  return comingState(decision)
}

/** Something is done for it; or would be, if it had not to rest. */
function comingState({ plan, waiting }: Decision): State {
  if (waiting !== undefined && isTrouble(waiting.reason))
    return { phase: 'Failed', ...waiting, failure: waiting }
  const { reason, message } = waiting ?? { reason: 'Preparing', message: plan.ops[0]?.cause ?? 'soon' }
  return { phase: 'Preparing', reason, message }
}

/** A registry is left alone for that; a limit that somebody has set is no failure. */
function isTrouble(reason: string): boolean {
  return reason === 'RegistryUnavailable' || reason === 'RegistryRateLimited'
}

/** By a failure that stays until an input moves. */
function blockedBy({ weighed, status }: Looking): State | undefined {
  if (weighed.is === 'refused') return failedState(weighed.failure)
  if (weighed.is === 'waiting' || weighed.is === 'current') return undefined
  const { failure } = status
  if (failure?.inputHash !== weighed.key) return undefined
  return failedState(failure)
}

function failedState(failure: BuildFailure): State {
  const { reason, message } = failure
  if (reason === 'Canceled') return { phase: 'Canceled', reason, message, failure }
  return { phase: 'Failed', reason, message, failure, stalled: true }
}

function heldState({ reason, message, action }: Hold): State {
  const stalled = classify(new StatusError(reason, message)) === 'stall'
  const failure = { reason, message: `${action}: ${message}` }
  return { phase: 'Failed', ...failure, failure, said: message, ...(stalled && { stalled }) }
}

function currentState(build: Build, status: BuildStatus, world: World): State {
  const { image } = status
  if (image === undefined || findImage(world.observed.images, image.id) === undefined)
    return { phase: 'Succeeded', reason: 'Collected', message: 'it was pruned here; nothing needs it' }
  return builtState(build, status)
}

function builtState({ metadata }: Build, { image }: BuildStatus): State {
  const reference = image?.reference ?? metadata.name
  return { phase: 'Succeeded', reason: 'Built', message: `${reference} is what its inputs say` }
}

/** Nothing is wrong: somebody or something else comes first. */
function isPatience(reason: string): boolean {
  return reason.startsWith('Waiting')
}

/** What is told of the last attempt stays; a failure goes with what failed. */
function settledStatus(status: BuildStatus, weighed: Weighed, { failure, said }: State): BuildStatus {
  const { failure: before, ...rest } = status
  const told = weighed.is === 'current' ? weighed.told : {}
  // The record of an attempt has more to say than what rests because of it, and keeps it from being made again.
  const same =
    failure !== undefined &&
    before !== undefined &&
    (failure.message.endsWith(before.message) || before.message.endsWith(said ?? failure.message))
  const lasts =
    before?.inputHash !== undefined && failure?.inputHash === undefined && weighed.is !== 'current'
  const shown = same || lasts ? before : failure
  return { ...rest, ...told, ...(shown !== undefined && { failure: shown }) }
}

/** Also a request that came to nothing is answered by that. */
function requestOf(
  { metadata }: Build,
  { request }: BuildStatus,
  { phase }: State,
): Pick<BuildStatus, 'request'> {
  const asked = metadata.annotations?.[buildAnnotation]
  const isEnd = phase === 'Succeeded' || phase === 'Failed' || phase === 'Canceled'
  const value = isEnd ? (asked ?? request) : request
  return value === undefined ? {} : { request: value }
}

function checksOf(
  { metadata }: Build,
  { checkedAt }: BuildStatus,
  world: World,
): Pick<BuildStatus, 'checkedAt'> {
  const at = world.building?.sources.get(metadata.uid ?? '')?.at
  if (at === undefined) return checkedAt === undefined ? {} : { checkedAt }
  return { checkedAt: timestamp(at) }
}

function sizeOf({ image }: BuildStatus, { observed }: World): Pick<BuildStatus, 'image'> {
  if (image === undefined) return {}
  const size = findImage(observed.images, image.id)?.sizeBytes ?? image.size
  return { image: { ...image, ...(size !== undefined && { size }) } }
}

interface Sight {
  /** Whether the node has the image. */
  readonly isHere: boolean
  readonly observedGeneration: number
  readonly now: number
}

function conditionsOf(
  { conditions = [] }: BuildStatus,
  state: State,
  { isHere, observedGeneration, now }: Sight,
): Condition[] {
  const isCurrent = state.phase === 'Succeeded'
  const { reason, message } = state
  const serves = state.phase === 'Suspended' && isHere
  const isReady = isHere && (isCurrent || serves)
  const drafts: Omit<Condition, 'lastTransitionTime'>[] = [
    { type: 'Ready', status: isReady ? 'True' : 'False', reason, message },
    { type: 'UpToDate', status: isCurrent ? 'True' : 'False', reason, message },
    state.stalled === true
      ? { type: 'Stalled', status: 'True', reason, message }
      : {
          type: 'Stalled',
          status: 'False',
          reason: 'Progressing',
          message: 'nothing is in the way for good',
        },
  ]
  return drafts.reduce<Condition[]>(
    (list, draft) => setCondition(list, { ...draft, observedGeneration }, now),
    [...conditions],
  )
}
