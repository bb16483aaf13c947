/**
 * Taking over a container that Cove did not make, as it runs. It is this object's once it was found to be what the spec
 * asks for, and status has said so; before that nobody touches it. Pure.
 */
import type { Container } from '#pkg/apis/container.ts'
import { clusterOf, engineLabels } from '#pkg/apis/wellknown.ts'
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
  const owner = clusterOf(found.labels)
  if (owner !== undefined && owner !== world.clusterID) return refuse(foreign(found))
  const maker = owner === undefined ? undefined : makerOf(container, found, world)
  if (owner !== undefined) return maker && refuse(made(container, maker))
  const decision = compareWith(container, found, world)
  const rival = decision.takesOver === undefined ? undefined : rivalOf(container, found, world)
  return rival === undefined ? decision : refuse(taken(container, rival))
}

/** The other object that it was made for. Made beside it, a container of this one would share its data with it. */
function makerOf(container: Container, { labels }: ObservedContainer, world: World): Container | undefined {
  const uid = labels[engineLabels.uid]
  if (uid === container.metadata.uid) return undefined
  return [...world.desired.containers.values()].find(({ metadata }) => metadata.uid === uid)
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

function taken(container: Container, rival: Container): string {
  return `${called(container, rival)} has taken it over`
}

function made(container: Container, maker: Container): string {
  return `it was made for ${called(container, maker)}`
}

/** What other namespaces hold is not told. */
function called({ metadata: { namespace } }: Container, { metadata: other }: Container): string {
  return other.namespace === namespace ? `Container ${other.name}` : 'a Container of another namespace'
}

function unknownImage({ imageID }: ObservedContainer): string {
  return `its image ${imageID.slice(0, 19)} is not on the engine any more, so it cannot be told what it was made with`
}
