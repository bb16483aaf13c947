/** A container that serves on although another one is wanted: it is looked after until its successor takes over. Pure. */
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { leansOnNobody, startAnew } from './container.followers.ts'
import { planEnded, planRunning } from './container.heal.ts'
import { isAlive, previousStatus } from './container.look.ts'
import type { Subject } from './container.subject.ts'
import { isHeld } from './holds.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, groupOf } from './world.ts'

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
export function whileResting(subject: Subject, decision: Decision): Decision {
  const { container, world, cast } = subject
  if (cast.current === undefined || !isHeld(groupOf('Container', container.metadata), world)) return decision
  const kept = planKept(subject, cast.current)
  return kept.plan.ops.length === 0
    ? decision
    : { ...kept, ...(decision.rollout && { rollout: decision.rollout }) }
}
