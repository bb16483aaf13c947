/**
 * Taking over a container that Cove did not make, as it runs. It is this object's once it was found to be what the spec
 * asks for, and status has said so; before that nobody touches it. Pure.
 */
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { differences } from './container.differences.ts'
import { isTakenOver, previousStatus } from './container.look.ts'
import { planDeletion } from './container.remove.ts'
import { tell } from './difference.ts'
import type { AgentOp } from './ops.ts'
import { resolve } from './resolve.ts'
import { type Decision, groupOf, type World } from './world.ts'

/** What is to be decided before anything else; undefined when there is nothing to take over, or it was. */
export function planAdoption(container: Container, world: World): Decision | undefined {
  const { adopt } = container.spec
  const found = world.observed.containers.find(({ id }) => id === adopt)
  if (found === undefined || isTakenOver(container, found, world)) return undefined
  if (container.metadata.deletionTimestamp !== undefined)
    return planDeletion(container, [], new PlanBuilder<AgentOp>(groupOf('Container', container.metadata)))
  const owner = found.labels[engineLabels.cluster]
  if (owner !== undefined) return owner === world.clusterID ? undefined : refuse(foreign(found))
  const decision = compareWith(container, found, world)
  const rival = decision.takesOver === undefined ? undefined : rivalOf(container, found, world)
  return rival === undefined ? decision : refuse(taken(container, rival))
}

/** Whose it is by now: a container without labels could be taken over by any number of objects. */
function rivalOf(container: Container, found: ObservedContainer, world: World): Container | undefined {
  const rivals = [...world.desired.containers.values()].filter(
    ({ spec, metadata }) => spec.adopt === found.id && metadata.uid !== container.metadata.uid,
  )
  return (
    rivals.find((rival) => isTakenOver(rival, found, world)) ??
    rivals.find((rival) => isBefore(rival, container) && willTakeOver(rival, found, world))
  )
}

/** Of two that take it over in the same pass. */
function willTakeOver(rival: Container, found: ObservedContainer, world: World): boolean {
  const goes = rival.metadata.deletionTimestamp !== undefined
  return !goes && compareWith(rival, found, world).takesOver !== undefined
}

function isBefore({ metadata: one }: Container, { metadata: other }: Container): boolean {
  const textOf = ({ creationTimestamp = '', uid = '' }: typeof one) => `${creationTimestamp} ${uid}`
  return textOf(one) < textOf(other)
}

function compareWith(container: Container, found: ObservedContainer, world: World): Decision {
  const resolved = resolve({ container, ...world })
  if ('missing' in resolved) return { plan: emptyPlan(), waiting: resolved.missing }
  if (!resolved.imageConfigs.has(found.imageID)) return refuse(unknownImage(found))
  const differing = differences(resolved, found).filter(({ change }) => change === 'recreate')
  if (differing.length > 0)
    return refuse(`it is not what the spec asks for: ${differing.map(tell).join('; ')}`)
  return { plan: emptyPlan(), takesOver: found.id, wakeAt: world.now + 1 }
}

/** What status remembers of it. */
export function adoptedBy(container: Container, decision: Decision, world: World): { adopted?: string } {
  const adopted = decision.takesOver ?? previousStatus(container, world)?.adopted
  return adopted === undefined ? {} : { adopted }
}

function refuse(why: string): Decision {
  const message = `spec.adopt: the container is left alone: ${why}`
  return { plan: emptyPlan(), waiting: { reason: 'AdoptionDiffers', message } }
}

function foreign({ labels }: ObservedContainer): string {
  return `it belongs to Container ${labels[engineLabels.namespace]}/${labels[engineLabels.name]} of another Cove`
}

/** What other namespaces hold is not told. */
function taken({ metadata: { namespace } }: Container, { metadata: rival }: Container): string {
  const whose = rival.namespace === namespace ? `Container ${rival.name}` : 'a Container of another namespace'
  return `${whose} has taken it over`
}

function unknownImage({ imageID }: ObservedContainer): string {
  return `its image ${imageID.slice(0, 19)} is not on the engine any more, so it cannot be told what it was made with`
}
