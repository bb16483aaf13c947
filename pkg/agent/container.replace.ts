/**
 * Putting a new container in the place of one that does not fit any more. What can be refused is refused before
 * anything stops; then the new one is started beside the old one, or after it. Every state between two ops is one that
 * these planners take up, so a replacement may be cut short anywhere, by the end of the agent or by another wish. Pure.
 */
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import { type Aside, asideName, successorName } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan } from '#pkg/plan/plan.ts'
import { allOf } from './container.cast.ts'
import { planKept, whileResting } from './container.kept.ts'
import { isAlive, previousStatus } from './container.look.ts'
import { preflight } from './container.preflight.ts'
import { anonymousVolumes, remove, stop } from './container.remove.ts'
import { fits, type Subject } from './container.subject.ts'
import {
  dropNext,
  dropUnfitNext,
  inheritedMounts,
  makeNext,
  retire,
  takeOver,
  whyChange,
} from './container.succession.ts'
import { healthySince, judge, type Verdict } from './container.verdict.ts'
import type { AgentOp } from './ops.ts'
import type { Decision, RolloutView } from './world.ts'

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
  const wait = preflight(subject, undefined)
  if (wait?.waiting.reason === 'Pulling') return { plan: emptyPlan(), ...wait }
  // Where something is in the way of a new one, a restart is better than nothing.
  if (current !== undefined && (wait !== undefined || !fits(subject, current))) {
    const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
    builder.add({ type: 'restartContainer', container: current.id, gracePeriod, heals: true }, why)
    return { plan: builder.build() }
  }
  if (wait !== undefined) return { plan: emptyPlan(), ...wait }
  dropNext(subject, why)
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
  stopFirst(subject, candidate, { aside: 'old', cause: why })
  // Where one succession follows another nobody comes to rest who would tidy up.
  const { builder, cast } = subject
  for (const observed of cast.old.filter((each) => !isAlive(each) && each.state !== 'removing')) {
    const keep = allOf(cast)
      .filter((each) => each !== observed)
      .flatMap(anonymousVolumes)
    remove(builder, observed, { cause: 'its successor runs', keep })
  }
  return { plan: builder.build() }
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
