/** The plan of a whole node: every object's decision, orphans included, without what rests or is under way. Pure. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels, nodeFinalizer } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, mergePlans, type Plan, PlanBuilder } from '#pkg/plan/plan.ts'
import { isAlive, isOurs } from './container.look.ts'
import { planContainer } from './container.ts'
import { planImages } from './image.ts'
import { planNetwork } from './network.ts'
import type { AgentOp } from './ops.ts'
import { planVolume } from './volume.ts'
import { type Decision, groupOf, type World } from './world.ts'

export interface NodeDecision {
  readonly plan: Plan<AgentOp>
  /** Groups that have something to do, those that rest or are busy included. */
  readonly pending: ReadonlySet<string>
  /** By group, of every object: what status says. */
  readonly decisions: ReadonlyMap<string, Decision>
  /** When to plan again although nothing changed; ms since the epoch. */
  readonly wakeAt?: number
}

export function planNode(world: World): NodeDecision {
  const decisions = new Map<string, Decision>()
  for (const network of placedHere(world.desired.networks, world)) {
    decisions.set(
      groupOf('Network', network.metadata),
      shielded(() => planNetwork(network, world)),
    )
  }
  for (const volume of placedHere(world.desired.volumes, world)) {
    decisions.set(
      groupOf('Volume', volume.metadata),
      shielded(() => planVolume(volume, world)),
    )
  }
  for (const container of placedHere(world.desired.containers, world)) {
    decisions.set(
      groupOf('Container', container.metadata),
      shielded(() => planContainer(container, world)),
    )
  }
  const all = [...planImages(world, decisions), ...decisions.values(), ...planOrphans(world)]
  const plan = mergePlans(all.map((decision) => withoutResting(decision.plan, world)))
  const wakeAt = earliest(
    [...all.map((decision) => decision.wakeAt), ...[...world.holds.values()].map(({ until }) => until)],
    world.now,
  )
  const pending = new Set(all.flatMap((decision) => decision.plan.ops.map(({ group }) => group)))
  return { plan, pending, decisions, ...(wakeAt !== undefined && { wakeAt }) }
}

/** An object that the planner trips over keeps nobody else waiting, and says so in its own status. */
function shielded(plan: () => Decision): Decision {
  try {
    return plan()
  } catch (error) {
    return { plan: emptyPlan(), waiting: { reason: 'PlannerError', message: messageOf(error) } }
  }
}

/** What placement gave to this node, and this node has not yet given back. */
export function placedHere<T extends KubeObject>(objects: ReadonlyMap<string, T>, { nodeName }: World): T[] {
  const finalizer = nodeFinalizer(nodeName)
  return [...objects.values()].filter(({ metadata }) => metadata.finalizers?.includes(finalizer) === true)
}

/** A group rests while an op of it is under way, and after a failure until its time comes or its object changes. */
function withoutResting(plan: Plan<AgentOp>, world: World): Plan<AgentOp> {
  return { ops: plan.ops.filter(({ group }) => !world.busy.has(group) && !isHeld(group, world)) }
}

export function isHeld(group: string, world: World): boolean {
  const hold = world.holds.get(group)
  return hold !== undefined && world.now < hold.until && hold.generation === generationOf(group, world)
}

/** The generation of the object behind a group; images have none. */
export function generationOf(group: string, { desired }: Pick<World, 'desired'>): number {
  const [kind, ...rest] = group.split('/')
  const key = rest.join('/')
  const objects = { Container: desired.containers, Volume: desired.volumes, Network: desired.networks }
  return objects[kind as keyof typeof objects]?.get(key)?.metadata.generation ?? 0
}

/** Containers made for objects that are no more: the API forgot them while this node was away. */
function planOrphans(world: World): Decision[] {
  const wanted = new Set(
    [...world.desired.containers.values()].map((container: Container) => container.metadata.uid),
  )
  return world.observed.containers
    .filter(({ labels }) => isOurs(labels, world) && !wanted.has(labels[engineLabels.uid]))
    .map(planOrphan)
}

function planOrphan(orphan: ObservedContainer): Decision {
  const builder = new PlanBuilder<AgentOp>(`Orphan/${orphan.id.slice(0, 12)}`)
  const { [engineLabels.namespace]: namespace, [engineLabels.name]: name } = orphan.labels
  const cause = `Container ${namespace}/${name} does not exist any more`
  if (isAlive(orphan))
    builder.add({ type: 'stopContainer', container: orphan.id, gracePeriod: 10_000 }, cause)
  return { plan: builder.add({ type: 'removeContainer', container: orphan.id }, cause).build() }
}

function earliest(times: readonly (number | undefined)[], now: number): number | undefined {
  const future = times.filter((time): time is number => time !== undefined && time > now)
  return future.length === 0 ? undefined : Math.min(...future)
}
