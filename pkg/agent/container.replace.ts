/**
 * Putting a new container in the place of one that does not fit any more. What can be refused is refused before
 * anything stops; then the new one is started beside the old one, or after it. Every state between two ops is one that
 * these planners take up, so a replacement may be cut short anywhere, by the end of the agent or by another wish. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { type Aside, asideName, engineName, successorName } from '#pkg/apis/wellknown.ts'
import type { Mount, ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { allOf, currentContainer } from './container.cast.ts'
import { wantsNoStart } from './container.created.ts'
import { whyRecreate } from './container.drift.ts'
import { fingerprintOf } from './container.failure.ts'
import { followersOf, leansOnNobody, startAnew } from './container.followers.ts'
import { planEnded, planRunning } from './container.heal.ts'
import { isAlive, isAnonymous, previousStatus } from './container.look.ts'
import { anonymousVolumes, remove, stop } from './container.remove.ts'
import { whyRoot } from './container.security.ts'
import { whyNotStart } from './container.start.ts'
import { fits, type Subject } from './container.subject.ts'
import { healthySince, judge, type Verdict } from './container.verdict.ts'
import { isHeld } from './holds.ts'
import { imageReadiness } from './image.ts'
import type { AgentOp } from './ops.ts'
import { restartState } from './restart.ts'
import { type Decision, groupOf, type RolloutView, type Waiting } from './world.ts'

/** Nobody who stands for the object fits, and what is wanted has not failed. */
export function planChange(subject: Subject): Decision {
  const { cast, policy, resolved } = subject
  const { current, next } = cast
  const view: RolloutView = { phase: 'Progressing', fingerprint: resolved.fingerprint }
  if (current !== undefined && policy.paused) {
    const message = `spec.update.paused: ${whyChange(subject)}`
    return { ...planKept(subject, current), rollout: { ...view, phase: 'Paused', message } }
  }
  if (next !== undefined && fits(subject, next) && (next.state !== 'created' || next.error !== ''))
    return planBeside(subject, next)
  const candidate = [next, ...cast.parked].find((each) => each && fits(subject, each))
  if (candidate !== undefined && !isAlive(candidate) && candidate.error !== '') {
    const judged = { reason: 'StartError', message: candidate.error }
    return { ...planFailed(subject, candidate), rollout: { ...view, containerID: candidate.id, judged } }
  }
  const wait = preflight(subject, candidate)
  if (wait !== undefined) {
    const kept = current === undefined ? { plan: emptyPlan<AgentOp>() } : planKept(subject, current)
    return { ...kept, ...wait, rollout: { ...view, message: wait.waiting.message } }
  }
  const first = orderOf(subject) === 'StartFirst'
  const decision = first ? startFirst(subject, candidate) : stopFirst(subject, candidate)
  return whileResting(subject, { ...decision, rollout: { ...view, message: whyChange(subject) } })
}

/**
 * A new container of the same kind in the place of one that fits and is worn out. Whoever is to be replaced has not
 * worked, so there is nothing to go back to; one that does not fit is only restarted, for what is wanted is no remedy.
 */
export function planReplacement(subject: Subject, why: string): Decision {
  const { cast, builder, container } = subject
  const { current } = cast
  if (current !== undefined && !fits(subject, current)) {
    const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
    builder.add({ type: 'restartContainer', container: current.id, gracePeriod, heals: true }, why)
    return { plan: builder.build() }
  }
  const wait = preflight(subject, undefined)
  if (wait !== undefined) return { plan: emptyPlan(), ...wait }
  const name = makeNext(subject, why, { heals: true })
  if (current !== undefined) retire(subject, current, { aside: 'old', cause: why })
  takeOver(subject, { container: name, name, starts: true, cause: why })
  return { plan: builder.build() }
}

/**
 * In the place of one that was made for this very wish, and is bound to a container that is no more: its successor needs
 * no trial, and there is nothing to go back to.
 */
export function planSuccession(subject: Subject, current: ObservedContainer, why: string): Decision {
  const { next } = subject.cast
  const candidate = next !== undefined && fits(subject, next) ? next : undefined
  const wait = preflight(subject, candidate)
  if (wait !== undefined) return { ...planKept(subject, current), ...wait }
  return stopFirst(subject, candidate, { aside: 'old', cause: why })
}

/** What a container that serves on needs although another one is wanted: to be there and to run. */
export function planKept(subject: Subject, current: ObservedContainer): Decision {
  const { container } = subject
  const builder = new PlanBuilder<AgentOp>(groupOf('Container', container.metadata))
  if (!isAlive(current) && leansOnNobody(current, subject.world)) return { plan: emptyPlan(), urgent: true }
  // What the new spec needs is no need of a container that was made before.
  const { networkMode: _, ...spec } = container.spec
  const bare = { ...container, spec: { ...spec, networks: [], mounts: [], ports: [], dependsOn: [] } }
  const kept: Subject = { ...withoutOwnStop(subject, current), container: bare, builder }
  const healed = isAlive(current) ? planRunning(kept, current) : planEnded(kept, current)
  startAnew({ ...subject, builder }, current)
  return { ...healed, plan: builder.build(), urgent: true }
}

/**
 * The subject as it is when the last end of the container was Cove's doing: one that stopped for its successor has not
 * crashed, and is started again at once. It was if it has not run since the successor has, or was to.
 */
export function withoutOwnStop(subject: Subject, current: ObservedContainer): Subject {
  const { container, world, cast } = subject
  const { uid = '' } = container.metadata
  const endedAt = Date.parse(current.finishedAt ?? '')
  const wasAsked = [...cast.failed, ...(cast.next === undefined ? [] : [cast.next])].some(({ startedAt }) =>
    startedAt === undefined ? cast.next !== undefined : endedAt <= Date.parse(startedAt),
  )
  if (!wasAsked) return subject
  const { crashStreak: _, ...status } = previousStatus(container, world) ?? {}
  return { ...subject, world: { ...world, statuses: new Map([...world.statuses, [uid, status]]) } }
}

/** After a failure a group rests; the container that serves is looked after all the same. */
function whileResting(subject: Subject, decision: Decision): Decision {
  const { container, world, cast } = subject
  if (cast.current === undefined || !isHeld(groupOf('Container', container.metadata), world)) return decision
  const kept = planKept(subject, cast.current)
  return kept.plan.ops.length === 0
    ? decision
    : { ...kept, ...(decision.rollout && { rollout: decision.rollout }) }
}

/** Everything that can be known to be in the way before anything is made or stopped. */
function preflight(
  { container, world, cast }: Subject,
  candidate: ObservedContainer | undefined,
): { readonly waiting: Waiting; readonly wantsPull?: true } | undefined {
  if (candidate === undefined) {
    const ready = imageReadiness(container, world)
    if ('waiting' in ready) return { waiting: ready.waiting, wantsPull: true }
    const root = whyRoot(container, ready.image, world)
    const wait = whyNotStart(container, world) ?? root
    if (wait !== undefined) return { waiting: wait }
  } else {
    const wait = whyNotStart(container, world)
    if (wait !== undefined) return { waiting: wait }
  }
  const names =
    cast.current === undefined ? [engineName(container.metadata)] : [successorName(container.metadata)]
  const own = new Set(allOf(cast).map(({ id }) => id))
  const holderOf = (name: string) => world.observed.containerNames.get(name)
  const taken = [engineName(container.metadata), ...names].find(
    (name) => holderOf(name) !== undefined && !own.has(holderOf(name) ?? ''),
  )
  return taken === undefined ? undefined : { waiting: nameConflict(container, world, taken) }
}

function nameConflict(container: Container, { observed }: Subject['world'], name: string): Waiting {
  const id = observed.containerNames.get(name)?.slice(0, 12)
  const message = `the engine has another container named ${name} (${id}), which does not belong to ${objectKey(container.metadata)}; rename or remove it, or take it over with \`cove adopt\``
  return { reason: 'NameConflict', message }
}

/** Two containers cannot have the same port or device at once, and should not write the same data at once. */
export function orderOf({ container, policy, cast }: Subject): 'StartFirst' | 'StopFirst' {
  const { spec } = container
  const { current } = cast
  if (current === undefined || !isAlive(current) || spec.state !== 'Running') return 'StopFirst'
  if (policy.order !== 'Auto') return policy.order
  const exclusive =
    spec.ports.some(({ hostPort }) => hostPort !== undefined) ||
    spec.mounts.some(
      ({ volume, hostPath, readOnly }) => (volume ?? hostPath) !== undefined && readOnly !== true,
    ) ||
    inheritedMounts(current, spec.mounts).length > 0 ||
    spec.networkMode === 'host' ||
    sharedNetworkOf(spec) !== undefined ||
    (spec.devices ?? []).length > 0
  return exclusive ? 'StopFirst' : 'StartFirst'
}

function startFirst(subject: Subject, candidate: ObservedContainer | undefined): Decision {
  const { builder, container } = subject
  const cause = whyChange(subject)
  dropUnfitNext(subject)
  if (candidate === undefined) {
    const name = makeNext(subject, cause)
    builder.add({ type: 'startContainer', container: name }, 'it is tried beside the one that serves')
    return { plan: builder.build() }
  }
  const name = successorName(container.metadata)
  const start = () => builder.add({ type: 'startContainer', container: candidate.id }, cause)
  // Of one that has run before, a role that it was not started in would tell of a run that it never had.
  const hasRun = candidate.state !== 'created'
  if (hasRun && !isAlive(candidate)) start()
  if (candidate.name !== name) builder.add({ type: 'renameContainer', container: candidate.id, name }, cause)
  if (!hasRun) start()
  return { plan: builder.build() }
}

function stopFirst(
  subject: Subject,
  candidate: ObservedContainer | undefined,
  how: { readonly aside?: Aside; readonly cause: string } = { cause: 'its successor is ready to start' },
): Decision {
  const { builder, cast } = subject
  const cause = whyChange(subject)
  dropUnfitNext(subject)
  const made = candidate === undefined ? makeNext(subject, cause) : undefined
  if (cast.current !== undefined) retire(subject, cast.current, how)
  takeOver(subject, {
    container: candidate?.id ?? made ?? '',
    name: candidate?.name ?? made ?? '',
    starts: candidate === undefined || !isAlive(candidate),
    isOld: candidate !== undefined && candidate.state !== 'created',
    cause,
  })
  return { plan: builder.build() }
}

/** The new one runs beside the old one, or has ended there. */
function planBeside(subject: Subject, next: ObservedContainer): Decision {
  const { cast, container, world, policy, builder, resolved } = subject
  const { current } = cast
  const serves = current === undefined || !isAlive(current)
  const previous = previousStatus(container, world)
  const verdict = judge({ container, policy, observed: next, now: world.now, previous, serves })
  const view = viewOf(subject, next, verdict)
  if (verdict.is === 'bad' && policy.onFailure === 'Rollback')
    return { ...planFailed(subject, next), rollout: { ...view, judged: verdict } }
  if (verdict.is === 'good' || (serves && verdict.is === 'pending')) {
    const cause = verdict.is === 'good' ? 'it is good' : 'nobody else serves'
    if (current !== undefined) retire(subject, current, { cause: `its successor: ${cause}` })
    takeOver(subject, {
      container: next.id,
      name: next.name,
      starts: !isAlive(next) && verdict.is !== 'good',
      isOld: true,
      cause,
    })
    return { plan: builder.build(), rollout: view }
  }
  const kept = current === undefined ? { plan: emptyPlan<AgentOp>() } : planKept(subject, current)
  const phase = verdict.is === 'bad' ? 'Held' : 'Progressing'
  return { ...kept, rollout: { ...view, phase, fingerprint: resolved.fingerprint }, ...lookAgain(verdict) }
}

/** The name says it first: whoever comes after a killed agent knows the verdict. Nobody waits for one that was judged. */
export function planFailed({ container, builder }: Subject, failed: ObservedContainer): Decision {
  const name = asideName(container.metadata, 'failed', failed.id)
  const cause = 'it was tried and is not good'
  builder.add({ type: 'renameContainer', container: failed.id, name }, cause)
  if (isAlive(failed)) builder.add(stop(failed, 0), cause)
  return { plan: builder.build(), urgent: true }
}

/** What is said of a trial. */
export function viewOf(subject: Subject, observed: ObservedContainer, verdict: Verdict): RolloutView {
  const { container, world, resolved } = subject
  const since = healthySince(observed, { previous: previousStatus(container, world) })
  return {
    phase: 'Progressing',
    fingerprint: resolved.fingerprint,
    containerID: observed.id,
    ...(verdict.is !== 'good' && { message: verdict.message }),
    ...(observed.health?.status === 'healthy' && { healthySince: since ?? world.now }),
  }
}

export function lookAgain(verdict: Verdict): Pick<Decision, 'lookAgainAt'> {
  return verdict.is === 'pending' && verdict.until !== undefined ? { lookAgainAt: verdict.until } : {}
}

function dropUnfitNext(subject: Subject): void {
  const { container, cast, builder } = subject
  const { next } = cast
  if (next === undefined || fits(subject, next)) return
  const cause = 'it is not wanted any more'
  if (isAlive(next)) builder.add(stop(next, container.spec.terminationGracePeriodSeconds), cause)
  const keep = allOf(cast)
    .filter((each) => each !== next)
    .flatMap(anonymousVolumes)
  remove(builder, next, { cause, keep })
}

/** Makes the new container, under the object's name if that is free; resolves to its name. */
function makeNext(subject: Subject, cause: string, { heals }: { heals?: true } = {}): string {
  const { container, cast, resolved, builder } = subject
  const own = engineName(container.metadata)
  const name = cast.current === undefined ? own : successorName(container.metadata)
  for (const projected of resolved.projections) builder.add({ type: 'writeFiles', projected }, cause)
  builder.add(
    {
      type: 'createContainer',
      create: { ...resolved.create, name, mounts: mountsOf(subject) },
      ...(heals && { heals }),
    },
    cause,
  )
  // The engine takes one network with the create call; the others join before the start.
  for (const attachment of resolved.create.networks.slice(1)) {
    builder.add(
      { type: 'connectNetwork', container: name, attachment },
      `spec.networks: ${attachment.network}`,
    )
  }
  return name
}

interface TakeOver {
  readonly container: string
  readonly name: string
  readonly starts: boolean
  /** It has run before: only its name tells that it has not yet run as the one that serves. */
  readonly isOld?: boolean
  readonly cause: string
}

function takeOver({ container, builder }: Subject, { isOld = false, ...who }: TakeOver): void {
  const name = engineName(container.metadata)
  const starts = who.starts && !wantsNoStart(container)
  const start = () => {
    const started = who.name === who.container && !isOld ? name : who.container
    builder.add({ type: 'startContainer', container: started }, `spec.state is ${container.spec.state}`)
  }
  if (starts && isOld) start()
  if (who.name !== name) builder.add({ type: 'renameContainer', container: who.container, name }, who.cause)
  if (starts && !isOld) start()
}

/** Stops the container that serves, after those that share its network, and moves it out of the name. */
function retire(
  subject: Subject,
  current: ObservedContainer,
  { aside = roleOfRetired(subject, current), cause }: { aside?: Aside; cause: string },
): void {
  const { container, world, builder } = subject
  for (const follower of followersOf(container, world)) {
    const observed = currentContainer(follower, world)
    if (observed === undefined || !isAlive(observed)) continue
    const why = `it shares the network of Container ${container.metadata.name}, which is replaced`
    builder.add(stop(observed, follower.spec.terminationGracePeriodSeconds), why)
  }
  if (isAlive(current)) builder.add(stop(current, container.spec.terminationGracePeriodSeconds), cause)
  const name = asideName(container.metadata, aside, current.id)
  builder.add({ type: 'renameContainer', container: current.id, name }, cause)
}

/** Parked if it worked: there would be no use in going back to it otherwise. */
function roleOfRetired({ container, world, cast }: Subject, current: ObservedContainer): Aside {
  const previous = previousStatus(container, world)
  const stable = previous?.rollout?.stable
  const proven = cast.parked.some((parked) => fingerprintOf(parked) === stable)
  if (proven && fingerprintOf(current) !== stable) return 'old'
  return hasWorked(current, previous) ? 'prev' : 'old'
}

function hasWorked(current: ObservedContainer, previous: ContainerStatus | undefined): boolean {
  if (isAlive(current)) return current.health?.status !== 'unhealthy'
  if (current.state !== 'exited') return false
  const told = previous?.containerID === current.id && previous.startedAt === current.startedAt
  const { phase = 'Unknown', health } = previous ?? {}
  if (told && health?.status === 'unhealthy' && health.failingStreak > 0) return false
  if (told && ['Running', 'Paused', 'Stopped', 'Succeeded'].includes(phase)) return true
  return restartState(previous, current).crashStreak <= 1
}

/** The spec's mounts, and the data of its predecessor's anonymous volumes where the spec mounts nothing else. */
function mountsOf({ resolved, cast }: Subject): Mount[] {
  const { mounts } = resolved.create
  const heir = cast.current ?? cast.parked[0] ?? cast.next ?? cast.old.at(-1) ?? cast.failed.at(-1)
  return [
    ...mounts,
    ...(heir === undefined
      ? []
      : inheritedMounts(
          heir,
          mounts.map(({ target }) => ({ mountPath: target })),
        )),
  ]
}

function inheritedMounts(
  { mounts }: ObservedContainer,
  wanted: readonly { readonly mountPath: string }[],
): Mount[] {
  return mounts
    .filter((mount) => isAnonymous(mount) && !wanted.some(({ mountPath }) => mountPath === mount.target))
    .map(({ source, target, readOnly }) => ({ type: 'volume' as const, source, target, readOnly }))
}

function whyChange({ cast, resolved }: Subject): string {
  const previous = cast.current ?? cast.parked[0] ?? cast.next
  return (previous && whyRecreate(resolved, previous)) ?? 'it does not exist'
}
