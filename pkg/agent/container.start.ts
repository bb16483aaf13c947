/** What must be true before a Container may start: its networks, its volumes and what it depends on. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineNameOf } from '#pkg/apis/wellknown.ts'
import { currentContainer } from './container.cast.ts'
import { whyEngineCannot } from './container.engine.ts'
import { whyNoSharedNetwork, whyOwnerBusy } from './container.followers.ts'
import { isOurs } from './container.look.ts'
import { whyNoLink } from './links.ts'
import type { Waiting, World } from './world.ts'

/** The first thing that is missing, or undefined when it may start. */
export function whyNotStart(container: Container, world: World): Waiting | undefined {
  const namespace = container.metadata.namespace ?? 'default'
  const { spec } = container
  const volumes = spec.mounts.map(({ volume: name }) =>
    name === undefined ? undefined : whyNoVolume({ namespace, name }, world),
  )
  const ports = spec.ports.map((port) => whyPortTaken(port, world))
  const dependencies = spec.dependsOn.map((needed) => whyNotMet('spec.dependsOn', namespace, needed, world))
  const linked = (spec.links ?? []).map(({ container: name }) => ({
    container: name,
    condition: 'Started' as const,
  }))
  const links = linked.map((needed) => whyNotMet('spec.links', namespace, needed, world))
  const reasons = [
    whyEngineCannot(container, world),
    whyOwnerBusy(container, world),
    whyNotJoin(container, world),
    whyNoLink(container, world),
    ...volumes,
    ...ports,
    ...dependencies,
    ...links,
  ]
  return reasons.find((waiting) => waiting !== undefined)
}

/** The first of its networks that is not there to be joined, or the Container whose network it shares. */
export function whyNotJoin(container: Container, world: World): Waiting | undefined {
  const { metadata, spec } = container
  const { namespace = 'default' } = metadata
  const shared = whyNoSharedNetwork(container, world)
  if (shared !== undefined) return shared
  const networks = spec.networks.map(({ name }) => whyNoNetwork({ namespace, name }, world))
  return networks.find((waiting) => waiting !== undefined)
}

function whyNoNetwork(meta: { namespace: string; name: string }, world: World): Waiting | undefined {
  const key = objectKey(meta)
  const network = world.desired.networks.get(key)
  if (network === undefined)
    return { reason: 'NetworkNotFound', message: `spec.networks: Network ${key} does not exist` }
  if (network.metadata.deletionTimestamp !== undefined) {
    return { reason: 'NetworkNotReady', message: `Network ${key} is being deleted` }
  }
  const exists = world.observed.networks.some(({ name }) => name === engineNameOf(network))
  return exists ? undefined : { reason: 'NetworkNotReady', message: `Network ${key} is not made yet` }
}

function whyNoVolume(meta: { namespace: string; name: string }, world: World): Waiting | undefined {
  const key = objectKey(meta)
  const volume = world.desired.volumes.get(key)
  if (volume === undefined)
    return { reason: 'VolumeNotFound', message: `spec.mounts: Volume ${key} does not exist` }
  const { nodeName } = volume.spec
  if (nodeName !== undefined && nodeName !== world.nodeName) {
    const message = `Volume ${key} has its data on node ${nodeName}, not on ${world.nodeName}`
    return { reason: 'VolumeOnOtherNode', message }
  }
  const exists = world.observed.volumes.some(({ name }) => name === engineNameOf(volume))
  return exists ? undefined : { reason: 'VolumeNotReady', message: `Volume ${key} is not made yet` }
}

/**
 * A host port that a container of somebody else has: waited for, since nothing here will free it. Among Cove's own
 * the engine decides, for they may be about to change ports with each other.
 */
function whyPortTaken(
  { hostPort, hostIP, protocol }: Container['spec']['ports'][number],
  world: World,
): Waiting | undefined {
  if (hostPort === undefined) return undefined
  const holder = world.observed.containers.find(
    ({ labels, ports }) =>
      !isOurs(labels, world) &&
      ports.some(
        (port) =>
          port.hostPort === hostPort &&
          port.protocol === protocol.toLowerCase() &&
          sameAddress(port.hostIP, hostIP),
      ),
  )
  if (holder === undefined) return undefined
  const message = `spec.ports: host port ${hostPort} is held by container ${holder.name} (${holder.id.slice(0, 12)}), which is not Cove's: choose another one, or remove that container`
  return { reason: 'HostPortInUse', message }
}

const allAddresses: readonly (string | undefined)[] = [undefined, '', '0.0.0.0', '::']

function sameAddress(left: string | undefined, right: string | undefined): boolean {
  return left === right || allAddresses.includes(left) || allAddresses.includes(right)
}

function whyNotMet(
  field: string,
  namespace: string,
  { container: name, condition }: Container['spec']['dependsOn'][number],
  world: World,
): Waiting | undefined {
  const wait = (found: string): Waiting => ({
    reason: 'DependencyNotReady',
    message: `${field}: Container ${name} must be ${condition}, but ${found}`,
  })
  const target = world.desired.containers.get(objectKey({ namespace, name }))
  if (target === undefined) return wait(`it is not on node ${world.nodeName}`)
  const observed = currentContainer(target, world)
  if (observed === undefined) return wait('it does not exist yet')
  if (condition === 'Completed') {
    const completed = observed.state === 'exited' && observed.exitCode === 0
    return completed
      ? undefined
      : wait(
          `it is ${observed.state}${observed.state === 'exited' ? ` with exit code ${observed.exitCode}` : ''}`,
        )
  }
  if (observed.state !== 'running') return wait(`it is ${observed.state}`)
  const healthy = observed.health === undefined || observed.health.status === 'healthy'
  return condition === 'Healthy' && !healthy ? wait(`it is ${observed.health?.status}`) : undefined
}
