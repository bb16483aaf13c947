/** Networks of this node. What a network is made of is fixed when it is made; a change makes it anew once nobody uses it. Pure. */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import type { Network } from '#pkg/apis/network.ts'
import { engineLabels, engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import type { NetworkCreate, ObservedNetwork } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { isOurs } from './container.look.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, groupOf, type World } from './world.ts'

export function findNetwork(network: Network, world: World): ObservedNetwork | undefined {
  const name = engineNameOf(network)
  return world.observed.networks.find((observed) => observed.name === name)
}

export function planNetwork(network: Network, world: World): Decision {
  if (network.metadata.deletionTimestamp !== undefined) return planDeletion(network, world)
  const existing = findNetwork(network, world)
  const { externalName } = network.spec
  if (externalName !== undefined)
    return { plan: emptyPlan(), ...whyNoExternal(externalName, existing, world) }
  const builder = new PlanBuilder<AgentOp>(groupOf('Network', network.metadata))
  const create = networkCreate(network, world.clusterID)
  if (existing === undefined)
    return { plan: builder.add({ type: 'createNetwork', create }, 'it does not exist').build() }
  const found = existing.labels[engineLabels.fingerprint]
  if (!isOurs(existing.labels, world)) return { plan: emptyPlan(), ...whyUnfit(network, existing) }
  if (found === create.labels[engineLabels.fingerprint]) return { plan: emptyPlan() }
  const members = membersOf(existing, world)
  if (members.length > 0)
    return { plan: emptyPlan(), waiting: inUse('the spec changed, but it is joined by', members) }
  const cause = `the spec changed: fingerprint ${found} is now ${create.labels[engineLabels.fingerprint]}`
  builder
    .add({ type: 'removeNetwork', network: existing.id }, cause)
    .add({ type: 'createNetwork', create }, cause)
  return { plan: builder.build() }
}

function planDeletion(network: Network, world: World): Decision {
  const existing = findNetwork(network, world)
  const builder = new PlanBuilder<AgentOp>(groupOf('Network', network.metadata))
  if (existing !== undefined && network.spec.externalName === undefined && isOurs(existing.labels, world)) {
    const members = membersOf(existing, world)
    if (members.length > 0) return { plan: emptyPlan(), waiting: inUse('joined by', members) }
    builder.add({ type: 'removeNetwork', network: existing.id }, 'metadata.deletionTimestamp is set')
  }
  const { namespace = 'default', name } = network.metadata
  const cause = 'nothing of it is left on the node'
  return {
    plan: builder.add({ type: 'releaseObject', kind: 'Network', object: { namespace, name } }, cause).build(),
  }
}

function networkCreate({ metadata, spec }: Network, clusterID: string): NetworkCreate {
  const { driver, internal, options } = spec
  const ipam = spec.ipam.map(({ subnet, gateway, ipRange }) => ({
    subnet,
    ...(gateway !== undefined && { gateway }),
    ...(ipRange !== undefined && { ipRange }),
  }))
  const labels = {
    ...spec.labels,
    [engineLabels.uid]: metadata.uid ?? '',
    [engineLabels.namespace]: metadata.namespace ?? 'default',
    [engineLabels.name]: metadata.name,
    [engineLabels.cluster]: clusterID,
    [engineLabels.fingerprint]: fingerprint({ driver, internal, options, ipam }),
  }
  return { name: engineName(metadata), driver, internal, options, ipam, labels }
}

function whyNoExternal(
  name: string,
  existing: ObservedNetwork | undefined,
  { nodeName }: World,
): Pick<Decision, 'waiting'> {
  if (existing !== undefined) return {}
  const message = `spec.externalName: the engine of node ${nodeName} has no network ${name}`
  return { waiting: { reason: 'NetworkNotFound', message } }
}

/** A network somebody else made is joined as it is, and never changed or removed. */
function whyUnfit(network: Network, existing: ObservedNetwork): Pick<Decision, 'waiting'> {
  if (existing.driver === network.spec.driver) return {}
  const message = `spec.driver: want ${network.spec.driver}, but network ${existing.name} exists with driver ${existing.driver} and is not Cove's`
  return { waiting: { reason: 'DriverDiffers', message } }
}

function membersOf({ name }: ObservedNetwork, world: World): string[] {
  return world.observed.containers
    .filter(({ networks }) => networks.some(({ network }) => network === name))
    .map((container) => container.name)
    .sort()
}

function inUse(prefix: string, members: readonly string[]): { reason: string; message: string } {
  return { reason: 'InUse', message: `${prefix} ${members.join(', ')}` }
}
