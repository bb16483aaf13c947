/** Finding an object's containers in the observation. Pure. */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer, ObservedMount } from '#pkg/engine/port.ts'
import type { World } from './world.ts'

/** All containers made for the object, in order of their making. */
export function containersOf(
  container: Container,
  world: Pick<World, 'observed' | 'clusterID'>,
): ObservedContainer[] {
  return world.observed.containers
    .filter(({ labels }) => isOurs(labels, world) && labels[engineLabels.uid] === container.metadata.uid)
    .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))
}

/** The status it last had; an agent that has just started finds it in the API's copy. */
export function previousStatus(container: Container, world: World): ContainerStatus | undefined {
  return world.statuses.get(container.metadata.uid ?? '') ?? container.status
}

/** Several APIs may share one engine; each acts on its own things only. */
export function isOurs(labels: Readonly<Record<string, string>>, world: Pick<World, 'clusterID'>): boolean {
  return labels[engineLabels.cluster] === world.clusterID
}

/** Whether it has processes, frozen or not. */
export function isAlive({ state }: ObservedContainer): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting'
}

export function wantsToExist({ metadata, spec }: Container): boolean {
  return metadata.deletionTimestamp === undefined && spec.state !== 'Stopped'
}

/** The engine gives volumes that nobody named 64 hexadecimal digits. */
export function isAnonymous({ type, source }: ObservedMount): boolean {
  return type === 'volume' && /^[0-9a-f]{64}$/.test(source)
}
