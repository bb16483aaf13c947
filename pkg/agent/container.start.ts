/** What must be true before a Container may start: its networks, its volumes and what it depends on. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import { currentContainer } from './container.look.ts'
import type { Waiting, World } from './world.ts'

/** The first thing that is missing, or undefined when it may start. */
export function whyNotStart(container: Container, world: World): Waiting | undefined {
  const namespace = container.metadata.namespace ?? 'default'
  const { spec } = container
  const networks = spec.networks.map(({ name }) => whyNoNetwork({ namespace, name }, world))
  const volumes = spec.mounts.map(({ volume: name }) =>
    name === undefined ? undefined : whyNoVolume({ namespace, name }, world),
  )
  const dependencies = spec.dependsOn.map((dependency) => whyNotMet(namespace, dependency, world))
  return [...networks, ...volumes, ...dependencies].find((waiting) => waiting !== undefined)
}

function whyNoNetwork(meta: { namespace: string; name: string }, world: World): Waiting | undefined {
  const key = objectKey(meta)
  const network = world.desired.networks.get(key)
  if (network === undefined)
    return { reason: 'NetworkNotFound', message: `spec.networks: Network ${key} does not exist` }
  if (network.metadata.deletionTimestamp !== undefined) {
    return { reason: 'NetworkNotReady', message: `Network ${key} is being deleted` }
  }
  const exists = world.observed.networks.some(({ name }) => name === engineName(meta))
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
  const exists = world.observed.volumes.some(({ name }) => name === engineName(meta))
  return exists ? undefined : { reason: 'VolumeNotReady', message: `Volume ${key} is not made yet` }
}

function whyNotMet(
  namespace: string,
  { container: name, condition }: Container['spec']['dependsOn'][number],
  world: World,
): Waiting | undefined {
  const wait = (found: string): Waiting => ({
    reason: 'DependencyNotReady',
    message: `spec.dependsOn: Container ${name} must be ${condition}, but ${found}`,
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
