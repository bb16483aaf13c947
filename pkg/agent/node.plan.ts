/** The plan of a whole node: every object's decision, orphans included, without what rests or is under way. Pure. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { emptyPlan, mergePlans, type Plan, PlanBuilder } from '#pkg/plan/plan.ts'
import { planBuild } from './builds/build.plan.ts'
import { isAlive, isOurs } from './container.look.ts'
import { planContainer } from './container.ts'
import { type EngineConfigCondition, planEngineConfig } from './engineconfig/engineconfig.plan.ts'
import { rests } from './holds.ts'
import { planImages } from './image.ts'
import { planImageObject } from './images/imageobject.plan.ts'
import { withinBudgets } from './images/registrybudget.ts'
import { planNetwork } from './network.ts'
import type { AgentOp } from './ops.ts'
import { placedHere } from './placed.ts'
import { planVolume } from './volume.ts'
import { type Decision, engineConfigGroup, groupOf, plannerError, type World } from './world.ts'

export interface NodeDecision {
  readonly plan: Plan<AgentOp>
  /** Groups that have something to do, those that rest or are busy included. */
  readonly pending: ReadonlySet<string>
  /** By group, of every object: what status says. */
  readonly decisions: ReadonlyMap<string, Decision>
  /** Whether the engine has the settings that the Node asks for; absent: it asks for none. */
  readonly engineConfig?: EngineConfigCondition
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
  for (const image of placedHere(world.desired.images, world)) {
    decisions.set(
      groupOf('Image', image.metadata),
      shielded(() => planImageObject(image, world)),
    )
  }
  for (const build of placedHere(world.desired.builds, world)) {
    decisions.set(
      groupOf('Build', build.metadata),
      shielded(() => planBuild(build, world)),
    )
  }
  const settings = planSettings(world)
  const all = [
    ...(settings === undefined ? [] : [settings]),
    ...planImages(world, decisions),
    ...decisions.values(),
    ...planOrphans(world),
  ]
  const budgeted = withinBudgets(mergePlans(all.map((decision) => withoutResting(decision, world))), world)
  const { plan } = budgeted
  const wakeAt = earliest(
    [
      budgeted.wakeAt,
      ...all.flatMap(({ wakeAt, lookAgainAt }) => [wakeAt, lookAgainAt]),
      ...[...world.holds.values()].map(({ until }) => until),
    ],
    world.now,
  )
  const pending = new Set(all.flatMap((decision) => decision.plan.ops.map(({ group }) => group)))
  const engineConfig = settings?.condition && { engineConfig: settings.condition }
  return { plan, pending, decisions, ...engineConfig, ...(wakeAt !== undefined && { wakeAt }) }
}

function planSettings(world: World) {
  const { engineSettings, nodeName, now, desired, holds } = world
  if (engineSettings === undefined) return undefined
  const group = engineConfigGroup(nodeName)
  const hold = holds.get(group)
  const wanted = desired.node?.spec.engine
  return planEngineConfig({ ...engineSettings, group, now, wanted, ...(hold !== undefined && { hold }) })
}

/** An object that the planner trips over keeps nobody else waiting, and says so in its own status. */
function shielded(plan: () => Decision): Decision {
  try {
    return plan()
  } catch (error) {
    return { plan: emptyPlan(), waiting: { reason: plannerError, message: messageOf(error) } }
  }
}

/** A group rests while an op of it is under way, and after a failure until its time comes or its object changes. */
function withoutResting(decision: Decision, world: World): Plan<AgentOp> {
  const { ops } = decision.plan
  return { ops: ops.filter(({ group }) => !world.busy.has(group) && !rests(group, decision, world)) }
}

/** Containers made for objects that are no more: the API forgot them while this node was away. */
function planOrphans(world: World): Decision[] {
  if (world.remembered === true) return []
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
