/** Finding an object's containers in the observation. Pure. */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer, ObservedMount } from '#pkg/engine/port.ts'
import type { World } from './world.ts'

/** All containers made for the object, in order of their making. */
export function containersOf(container: Container, world: Looked): ObservedContainer[] {
  return world.observed.containers
    .filter((observed) => isMadeFor(container, observed, world) || isTakenOver(container, observed, world))
    .toSorted((a, b) => a.createdAt.localeCompare(b.createdAt))
}

type Looked = Pick<World, 'observed' | 'clusterID'> & Partial<Pick<World, 'statuses'>>

function isMadeFor(container: Container, { labels }: ObservedContainer, world: Looked): boolean {
  return isOurs(labels, world) && labels[engineLabels.uid] === container.metadata.uid
}

/** Whether it is a container of nobody's that the object has taken over. */
export function isTakenOver(
  { metadata, spec, status }: Container,
  { id }: ObservedContainer,
  { statuses }: Looked,
): boolean {
  return spec.adopt === id && (statuses?.get(metadata.uid ?? '') ?? status)?.adopted === id
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
