/**
 * Volumes of this node. Data contract: a volume is removed from the engine only when its object is being deleted,
 * says reclaimPolicy Delete, and the volume carries the object's name; nothing else ever removes one. Pure.
 */
import type { Volume } from '#pkg/apis/volume.ts'
import { engineLabels, engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer, ObservedVolume } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { isOurs } from './container.look.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, groupOf, type World } from './world.ts'

export function findVolume(volume: Volume, world: World): ObservedVolume | undefined {
  const name = engineNameOf(volume)
  return world.observed.volumes.find((observed) => observed.name === name)
}

/** Names of the containers that mount it, whoever made them. */
export function usersOf(volume: Volume, world: World): string[] {
  return mounting(volume, world).map((container) => container.name)
}

function mounting(volume: Volume, world: World): ObservedContainer[] {
  const name = engineNameOf(volume)
  return world.observed.containers
    .filter(({ mounts }) => mounts.some((mount) => mount.type === 'volume' && mount.source === name))
    .toSorted((a, b) => a.name.localeCompare(b.name))
}

export function planVolume(volume: Volume, world: World): Decision {
  if (volume.metadata.deletionTimestamp !== undefined) return planDeletion(volume, world)
  const existing = findVolume(volume, world)
  const { externalName } = volume.spec
  if (existing === undefined && externalName !== undefined) {
    const message = `spec.externalName: the engine of node ${world.nodeName} has no volume ${externalName}`
    return { plan: emptyPlan(), waiting: { reason: 'VolumeNotFound', message } }
  }
  if (existing !== undefined) return { plan: emptyPlan(), ...whyUnfit(volume, existing) }
  const { namespace = 'default', name, uid = '' } = volume.metadata
  const { driver, driverOpts, labels } = volume.spec
  const create = {
    name: engineName(volume.metadata),
    driver,
    options: driverOpts,
    labels: {
      ...labels,
      [engineLabels.uid]: uid,
      [engineLabels.namespace]: namespace,
      [engineLabels.name]: name,
      [engineLabels.cluster]: world.clusterID,
    },
  }
  const builder = new PlanBuilder<AgentOp>(groupOf('Volume', volume.metadata))
  return { plan: builder.add({ type: 'createVolume', create }, 'it does not exist').build() }
}

/** A volume that was there before is taken as it is: its data is why it is there. */
function whyUnfit(volume: Volume, existing: ObservedVolume): Pick<Decision, 'waiting'> {
  if (existing.driver === volume.spec.driver) return {}
  const message = `spec.driver: want ${volume.spec.driver}, but volume ${existing.name} exists with driver ${existing.driver}; data is never moved or deleted to fit`
  return { waiting: { reason: 'DriverDiffers', message } }
}

function planDeletion(volume: Volume, world: World): Decision {
  const existing = findVolume(volume, world)
  const removes = existing !== undefined && mayRemove(volume, existing, world)
  // What stays on the engine may stay in use by others; only this cluster's containers need the object.
  const users = mounting(volume, world).filter(({ labels }) => removes || isOurs(labels, world))
  if (users.length > 0) {
    const message = `mounted by ${users.map(({ name }) => name).join(', ')}`
    return { plan: emptyPlan(), waiting: { reason: 'InUse', message } }
  }
  const { namespace = 'default', name } = volume.metadata
  const builder = new PlanBuilder<AgentOp>(groupOf('Volume', volume.metadata))
  if (removes) {
    builder.add(
      { type: 'removeVolume', volume: existing.name },
      'it is being deleted and spec.reclaimPolicy is Delete',
    )
  }
  const cause =
    volume.spec.reclaimPolicy === 'Delete'
      ? 'nothing of it is left on the node'
      : 'spec.reclaimPolicy is Retain: its data stays'
  builder.add({ type: 'releaseObject', kind: 'Volume', object: { namespace, name } }, cause)
  return { plan: builder.build() }
}

function mayRemove(volume: Volume, { labels }: ObservedVolume, world: World): boolean {
  const { namespace = 'default', name } = volume.metadata
  const ours =
    isOurs(labels, world) &&
    labels[engineLabels.namespace] === namespace &&
    labels[engineLabels.name] === name
  return volume.spec.reclaimPolicy === 'Delete' && ours
}
