/**
 * The container that serves: as wanted and on trial, as wanted and proven, or the one that a failed replacement went
 * back to. And what becomes of the others, which stand aside. Pure.
 */
import { asideName, engineName } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { allOf } from './container.cast.ts'
import { planDrift } from './container.drift.ts'
import { type FailedRevision, fingerprintOf, isRecorded } from './container.failure.ts'
import { startAnew } from './container.followers.ts'
import { planEnded, planRunning } from './container.heal.ts'
import { planKept, withoutOwnStop } from './container.kept.ts'
import { isAlive, previousStatus } from './container.look.ts'
import { anonymousVolumes, remove, stop } from './container.remove.ts'
import { lookAgain, planChange, planFailed, viewOf } from './container.replace.ts'
import type { Subject } from './container.subject.ts'
import { judge, type Verdict } from './container.verdict.ts'
import { isHeld } from './holds.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, groupOf, type RolloutView } from './world.ts'

/** The one that serves is what is wanted. */
export function planServing(subject: Subject, current: ObservedContainer): Decision {
  const { container, world, resolved, cast, policy, builder } = subject
  const previous = previousStatus(container, world)
  const proven = previous?.rollout?.stable === resolved.fingerprint
  const verdict: Verdict = proven
    ? { is: 'good' }
    : judge({ container, policy, observed: current, now: world.now, previous, serves: true })
  const target = cast.parked.find((parked) => isWorthIt(subject, parked))
  const view = viewOf(subject, current, verdict)
  if (verdict.is === 'bad' && target !== undefined && policy.onFailure === 'Rollback') {
    planFailed(subject, current)
    planReturn(subject, target, 'its successor is not good')
    return { plan: builder.build(), urgent: true, rollout: { ...view, judged: verdict } }
  }
  planDrift({ container, world, resolved, observed: current, builder })
  const healed = isAlive(current)
    ? planRunning(subject, current)
    : planEnded(withoutOwnStop(subject, current), current)
  startAnew(subject, current)
  const kept = verdict.is === 'good' ? keptUntil(subject) : undefined
  tidy(subject, { current, expires: kept })
  const waits = [kept, lookAgain(verdict).lookAgainAt].filter(
    (time) => time !== undefined && time > world.now,
  )
  const hasWait = waits.length > 0 && (verdict.is === 'pending' || cast.parked.length > 0)
  return whileHeld(subject, current, {
    ...healed,
    plan: builder.build(),
    rollout: concluded(subject, view, verdict, target !== undefined),
    ...(hasWait && { lookAgainAt: Math.min(...waits.map((time) => time ?? 0)) }),
  })
}

/** What cannot be mended, or cannot be taken away, keeps nobody from being started and healed meanwhile. */
function whileHeld(subject: Subject, current: ObservedContainer, decision: Decision): Decision {
  const group = groupOf('Container', subject.container.metadata)
  if (!isHeld(group, subject.world)) return decision
  const builder = new PlanBuilder<AgentOp>(group)
  const alone: Subject = { ...withoutOwnStop(subject, current), builder }
  if (isAlive(current)) planRunning(alone, current)
  else planEnded(alone, current)
  const plan = builder.build()
  return plan.ops.length === 0 ? decision : { ...decision, plan, urgent: true }
}

function concluded(
  { policy }: Subject,
  { message, ...view }: RolloutView,
  verdict: Verdict,
  hasTarget: boolean,
): RolloutView {
  if (verdict.is === 'good') return { phase: 'Complete', fingerprint: view.fingerprint }
  if (verdict.is === 'pending') return { ...view, ...(message !== undefined && { message }) }
  const why =
    hasTarget && policy.onFailure === 'Hold'
      ? 'spec.update.onFailure is Hold'
      : 'there is nothing to go back to'
  return { ...view, phase: 'Held', message: `${verdict.message}; ${why}` }
}

/** What is wanted has failed: the one that served before serves on, or again. */
export function planRolledBack(subject: Subject, failed: FailedRevision): Decision {
  const { cast, resolved, builder } = subject
  const rollout: RolloutView = {
    phase: 'RolledBack',
    fingerprint: resolved.fingerprint,
    message: `${failed.reason}: ${failed.message}`,
  }
  const back =
    cast.current === undefined ? cast.parked.find((parked) => isWorthIt(subject, parked)) : undefined
  if (cast.current === undefined && back === undefined) return planChange(subject)
  for (const observed of cast.failed.filter(isAlive))
    builder.add(stop(observed, 0), 'it was tried and is not good')
  if (back !== undefined) {
    planReturn(subject, back, 'its successor is not good')
    return { plan: builder.build(), urgent: true, rollout }
  }
  const current = cast.current
  if (current === undefined) return { plan: builder.build(), rollout }
  const kept = planKept(subject, current)
  if (kept.plan.ops.length > 0) return { ...kept, rollout }
  tidy(subject, { current, expires: undefined })
  return { ...kept, plan: builder.build(), rollout }
}

/** Started last: its name is what tells that it serves. */
function planReturn({ container, builder }: Subject, target: ObservedContainer, cause: string): void {
  const name = engineName(container.metadata)
  builder.add({ type: 'renameContainer', container: target.id, name }, cause)
  if (!isAlive(target)) builder.add({ type: 'startContainer', container: target.id }, cause)
}

/**
 * Whether it may be gone back to: it has run, for another wish. One that carries the mark of this wish and is not what is
 * wanted was changed or forged; nobody ever asked for it.
 */
function isWorthIt({ resolved }: Subject, parked: ObservedContainer): boolean {
  return parked.startedAt !== undefined && fingerprintOf(parked) !== resolved.fingerprint
}

/** When a predecessor that is kept for going back goes; ms since the epoch. */
function keptUntil({ container, world, policy }: Subject): number {
  const { phase, since } = previousStatus(container, world)?.rollout ?? {}
  const from = phase === 'Complete' && since !== undefined ? Date.parse(since) : world.now
  return from + policy.keepPrevious
}

/** Nobody who stands aside runs; who is of no more use goes once somebody serves. */
function tidy(
  subject: Subject,
  { current, expires }: { current: ObservedContainer; expires: number | undefined },
): void {
  const { cast, container, world, builder } = subject
  const { terminationGracePeriodSeconds } = container.spec
  const others = allOf(cast).filter((each) => each !== current && each.state !== 'removing')
  for (const observed of others.filter(isAlive))
    builder.add(
      stop(observed, terminationGracePeriodSeconds),
      'it stands aside for the container that serves',
    )
  if (!isAlive(current)) {
    if (cast.next !== undefined) builder.add(removal(cast.next), 'it is not wanted any more')
    return
  }
  const target = cast.parked.find((parked) => parked.state !== 'removing' && isWorthIt(subject, parked))
  const surplus = cast.parked.filter((parked) => parked !== target)
  const expired = target !== undefined && isOver(subject, target, expires) ? [target] : []
  const lastFailed = cast.failed.at(-1)
  const told = cast.failed.filter((failed) => failed !== lastFailed || isRecorded(container, world, failed))
  const useless = [...cast.old, ...cast.dead, ...surplus, ...told, ...expired]
  const leaving = [...(cast.next === undefined ? [] : [cast.next]), ...useless].filter((each) =>
    others.includes(each),
  )
  const staying = allOf(cast).filter((each) => !leaving.includes(each))
  const keep = staying.flatMap(anonymousVolumes)
  for (const observed of leaving) {
    const cause = observed === cast.next ? 'it is not wanted any more' : whyGone(subject, observed, target)
    remove(builder, observed, { cause, keep })
  }
  const name = target && asideName(container.metadata, 'prev', target.id)
  if (target === undefined || target.name === name || leaving.includes(target)) return
  const cause = 'it is kept for going back to it'
  builder.add({ type: 'renameContainer', container: target.id, name: name ?? '' }, cause)
}

function removal({ id }: ObservedContainer) {
  return { type: 'removeContainer', container: id } as const
}

function isOver(subject: Subject, target: ObservedContainer, expires: number | undefined): boolean {
  return expires !== undefined && (expires <= subject.world.now || holdsUp(subject, target))
}

/** Whether a Volume that is being deleted waits for nobody but one that is kept just in case. */
function holdsUp({ world }: Subject, target: ObservedContainer): boolean {
  const leaving = [...world.desired.volumes.values()].filter(
    ({ metadata }) => metadata.deletionTimestamp !== undefined,
  )
  const names = new Set(leaving.map(({ metadata }) => engineName(metadata)))
  return target.mounts.some(({ type, source }) => type === 'volume' && names.has(source))
}

function whyGone(
  { cast }: Subject,
  observed: ObservedContainer,
  target: ObservedContainer | undefined,
): string {
  if (cast.failed.includes(observed)) return 'status.rollout.failed tells of it'
  return observed === target ? 'it is not kept for going back any longer' : 'its successor runs'
}
