/**
 * One Container: from what is desired and what is observed to the next operations. Pure.
 *
 * Several containers may carry the object's uid while it is being replaced; which of them is which is told by their
 * names (container.cast.ts). Each pass plans from what is there, so a replacement that was cut short at any op is taken
 * up where it stands.
 */
import type { Container } from '#pkg/apis/container.ts'
import { updatePolicy } from '#pkg/apis/container.update.ts'
import { asideName, engineName } from '#pkg/apis/wellknown.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { planAdoption } from './container.adopt.ts'
import { allOf, type Cast, castOf } from './container.cast.ts'
import { planCreated, wantsNoStart } from './container.created.ts'
import { whyBereft } from './container.drift.ts'
import { failureInForce } from './container.failure.ts'
import { whyWorn } from './container.healing.ts'
import { isAlive } from './container.look.ts'
import { anonymousVolumes, planDeletion, remove, stop } from './container.remove.ts'
import { planChange, planReplacement, planSuccession } from './container.replace.ts'
import { type Builder, fits, type Subject } from './container.subject.ts'
import { planRolledBack, planServing } from './container.trial.ts'
import { sparingVolumes } from './container.volumes.ts'
import { wantedImage } from './image.ts'
import { whyNoReference } from './images/following.ts'
import type { AgentOp } from './ops.ts'
import { resolve } from './resolve.ts'
import { type Decision, groupOf, type World } from './world.ts'

export function planContainer(container: Container, world: World): Decision {
  const decision = planAdoption(container, world) ?? planOwn(container, world)
  return { ...decision, plan: sparingVolumes(decision.plan, world) }
}

function planOwn(container: Container, world: World): Decision {
  const builder = new PlanBuilder<AgentOp>(groupOf('Container', container.metadata))
  const cast = castOf(container, world)
  if (container.metadata.deletionTimestamp !== undefined) return planDeletion(container, allOf(cast), builder)
  if (container.spec.state === 'Stopped') return planStopped(container, cast, builder)
  const nothing = wantedImage(container) === '' ? whyNoReference(container, world) : undefined
  if (nothing !== undefined) return { plan: emptyPlan(), waiting: nothing }
  const resolved = resolve({ container, ...world })
  if ('missing' in resolved) return { plan: emptyPlan(), waiting: resolved.missing }
  const policy = updatePolicy(container.spec)
  const subject: Subject = { container, world, resolved, cast, policy, builder }
  if (wantsNoStart(container)) return planCreated(subject, planChange)
  return planWanted(subject)
}

function planWanted(subject: Subject): Decision {
  const { container, world, resolved, cast, builder } = subject
  const { current } = cast
  if (current?.state === 'removing') return { plan: emptyPlan() }
  const name = engineName(container.metadata)
  if (current !== undefined && current.name !== name && !world.observed.containerNames.has(name)) {
    const cause = `metadata.name: want ${name}, found ${current.name}`
    return {
      plan: builder.add({ type: 'renameContainer', container: current.id, name }, cause).build(),
      urgent: true,
    }
  }
  const corpse = cast.dead.find((dead) => dead.name === name)
  if (current === undefined && corpse !== undefined) {
    // What the engine could neither end nor remove may be there for long: nobody waits for its name.
    const aside = asideName(container.metadata, 'old', corpse.id)
    const cause = 'the engine gave it up: it is dead'
    return {
      plan: builder.add({ type: 'renameContainer', container: corpse.id, name: aside }, cause).build(),
      urgent: true,
    }
  }
  const bereft = current && whyBereft(resolved, current)
  if (current !== undefined && bereft !== undefined) return planSuccession(subject, current, bereft)
  if (current !== undefined && fits(subject, current)) {
    const worn = whyWorn(container, world, current)
    return worn === undefined ? planServing(subject, current) : planReplacement(subject, worn)
  }
  const { fingerprint } = resolved
  const failed = failureInForce(container, world, { fingerprint, cast })
  return failed === undefined ? planChange(subject) : planRolledBack(subject, failed)
}

/** Nobody is left running, and nobody waits to take over. */
function planStopped(container: Container, cast: Cast, builder: Builder): Decision {
  const all = allOf(cast)
  for (const observed of all.filter(isAlive)) {
    builder.add(
      stop(observed, container.spec.terminationGracePeriodSeconds),
      `spec.state: want Stopped, found ${observed.state}`,
    )
  }
  const { next } = cast
  if (next !== undefined && next.state !== 'removing' && cast.current !== undefined) {
    const keep = all.filter((each) => each !== next).flatMap(anonymousVolumes)
    remove(builder, next, { cause: 'spec.state is Stopped: nothing is replaced', keep })
  }
  return { plan: builder.build() }
}
