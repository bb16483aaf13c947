/** The statuses of Volumes and Networks. Pure. */
import { setCondition } from '#pkg/apimachinery/meta.ts'
import type { Network, NetworkNodeState, NetworkStatus } from '#pkg/apis/network.ts'
import type { Volume, VolumeStatus } from '#pkg/apis/volume.ts'
import { findNetwork } from './network.ts'
import { findVolume, usersOf } from './volume.ts'
import { type Decision, groupOf, type World } from './world.ts'

interface Readiness {
  readonly phase: 'Pending' | 'Ready' | 'Failed'
  readonly reason: string
  readonly message: string
}

export function reportVolume(volume: Volume, decision: Decision, world: World): VolumeStatus {
  const existing = findVolume(volume, world)
  const readiness = readinessOf({
    decision,
    exists: existing !== undefined,
    world,
    group: groupOf('Volume', volume.metadata),
  })
  const generation = volume.metadata.generation ?? 0
  return {
    phase: readiness.phase,
    observedGeneration: generation,
    nodeName: world.nodeName,
    ...(existing !== undefined && { engineName: existing.name, mountpoint: existing.mountpoint }),
    usedBy: usersOf(volume, world),
    conditions: readyCondition(volume.status?.conditions, readiness, { generation, now: world.now }),
  }
}

/** This node's part of the status: what the other nodes say of themselves is theirs. */
export function reportNetwork(network: Network, decision: Decision, world: World): NetworkStatus {
  const existing = findNetwork(network, world)
  const readiness = readinessOf({
    decision,
    exists: existing !== undefined,
    world,
    group: groupOf('Network', network.metadata),
  })
  const own: NetworkNodeState = {
    state: decision.waiting?.reason === 'InUse' ? 'InUse' : readiness.phase,
    ...(existing !== undefined && { id: existing.id, subnets: [...existing.subnets] }),
    ...(readiness.phase !== 'Ready' && { message: readiness.message }),
  }
  const generation = network.metadata.generation ?? 0
  return {
    phase: readiness.phase,
    observedGeneration: generation,
    nodes: { [world.nodeName]: own },
    conditions: readyCondition(network.status?.conditions, readiness, { generation, now: world.now }),
  }
}

/** The Network as if nobody but this node had reported: what a new report is compared with. */
export function withOwnReport(network: Network, { nodeName }: World): Network {
  const { status } = network
  if (status?.nodes === undefined) return network
  const own = status.nodes[nodeName]
  return { ...network, status: { ...status, nodes: own === undefined ? {} : { [nodeName]: own } } }
}

function readinessOf(input: { decision: Decision; exists: boolean; world: World; group: string }): Readiness {
  const { decision, exists, world, group } = input
  const hold = world.holds.get(group)
  if (hold !== undefined)
    return { phase: 'Failed', reason: hold.reason, message: `${hold.action}: ${hold.message}` }
  const { waiting } = decision
  if (waiting !== undefined) return { phase: exists ? 'Pending' : 'Failed', ...waiting }
  if (exists) return { phase: 'Ready', reason: 'Present', message: `it is on node ${world.nodeName}` }
  return { phase: 'Pending', reason: 'Pending', message: 'it is not made yet' }
}

function readyCondition(
  previous: NonNullable<VolumeStatus['conditions']> | undefined,
  { phase, reason, message }: Readiness,
  at: { generation: number; now: number },
): NonNullable<VolumeStatus['conditions']> {
  const status = phase === 'Ready' ? 'True' : 'False'
  return setCondition(
    previous ?? [],
    { type: 'Ready', status, reason, message, observedGeneration: at.generation },
    at.now,
  )
}
