/**
 * A container that Cove did not make as manifests: a Container that asks for exactly what is there, and the Volumes and
 * Networks that it needs. What no manifest can say is told by comparing the two, not guessed. Pure.
 */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { engineName, nearestObjectName } from '#pkg/apis/wellknown.ts'
import { type ObservedContainer, type PortMapping, usualSecurity } from '#pkg/engine/port.ts'
import type { Healthcheck, ImageConfig } from '#pkg/engine/settings.ts'
import { isAnonymous } from './container.look.ts'

export interface Adoption {
  /** Volumes and Networks first. */
  readonly manifests: readonly KubeObject[]
  /** What is otherwise afterwards, or could not be carried over. */
  readonly notes: readonly string[]
}

export interface AdoptionInput {
  readonly found: ObservedContainer
  readonly image: ImageConfig | undefined
  readonly namespace: string
  readonly nodeName: string
  /** The object's name for the container of this id, which is taken over too or is Cove's already. */
  readonly nameOf: (id: string) => string | undefined
}

type Fields = Readonly<Record<string, unknown>>

const api = 'cove.run/v1'
/** By which Compose knows its containers again: it would take them for its own once they are made anew. */
const composeLabels = 'com.docker.compose.'

export function adoptionOf(input: AdoptionInput): Adoption {
  const { found, namespace } = input
  const name = nearestObjectName(found.name)
  const container = {
    apiVersion: api,
    kind: 'Container',
    metadata: { name, namespace },
    spec: specOf(input),
  }
  const renamed = engineName({ namespace, name })
  const notes =
    found.name === renamed ? [] : [`container ${found.name} is called ${renamed} on the engine from now on`]
  const twice = found.requestedPorts.length - portsOf(found.requestedPorts).length
  if (twice > 0)
    notes.push('a port of the container is published on several ports of the host, which no manifest can say')
  notes.push(...found.settings.further.map(tellFurther))
  return { manifests: [...volumesOf(input), ...networksOf(input), container], notes }
}

function tellFurther(setting: string): string {
  return `no manifest can say ${setting}: this container keeps it, and the next one that is made is without it`
}

function specOf(input: AdoptionInput): Fields {
  const { found, image, nodeName } = input
  const { settings } = found
  return {
    image: found.image,
    ...programOf(found, image),
    ...listed(
      'env',
      Object.entries(settings.env)
        .filter(([name, value]) => image?.env[name] !== value)
        .map(([name, value]) => ({ name, value })),
    ),
    ...when(settings.workingDir !== (image?.workingDir ?? '') && settings.workingDir !== '', {
      workingDir: settings.workingDir,
    }),
    ...when(settings.user !== (image?.user ?? '') && settings.user !== '', { user: settings.user }),
    ...when(ownHostname(found), { hostname: settings.hostname }),
    ...when(settings.stdin, { stdin: true }),
    ...when(settings.stdinOnce, { stdinOnce: true }),
    ...when(found.tty, { tty: true }),
    ...when(settings.init === true, { init: true }),
    ...when(settings.stopSignal !== (image?.stopSignal ?? '') && settings.stopSignal !== '', {
      stopSignal: settings.stopSignal,
    }),
    ...listed('ports', portsOf(found.requestedPorts).map(portField)),
    ...when(settings.publishAll, { publishAll: true }),
    ...listed(
      'mounts',
      found.mounts.flatMap((mount) => mountField(mount)),
    ),
    ...networkFields(input),
    ...when(settings.extraHosts.length > 0, { extraHosts: settings.extraHosts }),
    ...dnsOf(found),
    ...healthOf(settings.healthcheck, image?.healthcheck),
    restartPolicy: restartPolicyOf(found.restartPolicy),
    ...limitsOf(found),
    ...securityOf(found),
    ...kernelOf(found),
    ...labelsOf(found, image),
    ...stateOf(found),
    nodeName,
    adopt: found.id,
  }
}

function when(isSo: boolean, fields: Fields): Fields {
  return isSo ? fields : {}
}

function listed(field: string, items: readonly unknown[]): Fields {
  return when(items.length > 0, { [field]: items })
}

/** A given entry point drops the image's command. */
function programOf({ settings }: ObservedContainer, image: ImageConfig | undefined): Fields {
  const other = !same(settings.entrypoint, image?.entrypoint ?? [])
  const usual = other ? [] : (image?.cmd ?? [])
  return {
    ...when(other && settings.entrypoint.length > 0, { command: settings.entrypoint }),
    ...when(!same(settings.cmd, usual) && settings.cmd.length > 0, { args: settings.cmd }),
  }
}

function same(left: unknown, right: unknown): boolean {
  return JSON.stringify(left) === JSON.stringify(right)
}

/** One that was made of the id says nothing, and on the node's network it is the node's. */
function ownHostname({ id, settings, networkMode }: ObservedContainer): boolean {
  const isOwn = networkMode === 'bridge' || networkMode === 'none'
  return isOwn && settings.hostname !== '' && !id.startsWith(settings.hostname)
}

function portsOf(ports: readonly PortMapping[]): PortMapping[] {
  const byPort = Map.groupBy(ports, ({ containerPort, protocol }) => `${containerPort}/${protocol}`)
  return [...byPort.values()].flatMap(([first]) => first ?? [])
}

function portField({ containerPort, protocol, hostPort, hostIP = '' }: PortMapping): Fields {
  return {
    containerPort,
    ...when(hostPort !== undefined && hostPort !== 0, { hostPort }),
    ...when(hostIP !== '' && hostIP !== '0.0.0.0', { hostIP }),
    ...when(protocol !== 'tcp', { protocol: protocol.toUpperCase() }),
  }
}

/** Volumes that nobody named go along with every successor without being said. */
function mountField(mount: ObservedContainer['mounts'][number]): Fields[] {
  if (isAnonymous(mount)) return []
  const { type, source, target: mountPath, readOnly, sizeBytes } = mount
  const common = { mountPath, ...when(readOnly, { readOnly }) }
  if (type === 'volume') return [{ volume: nearestObjectName(source), ...common }]
  if (type === 'bind') return [{ hostPath: source, ...common }]
  return [{ tmpfs: sizeBytes === undefined ? {} : { sizeLimit: sizeBytes }, ...common }]
}

function networkFields({ found, nameOf, namespace }: AdoptionInput): Fields {
  const { networkMode, networks, name } = found
  const owner = /^container:(.+)$/.exec(networkMode)?.[1]
  if (owner !== undefined) return { networkMode: `container:${nameOf(owner) ?? owner.slice(0, 12)}` }
  if (networkMode === 'host' || networkMode === 'none') return { networkMode }
  if (networks.length === 1 && networks[0]?.network === 'bridge') return {}
  const own = new Set([
    name,
    nearestObjectName(name),
    engineName({ namespace, name: nearestObjectName(name) }),
  ])
  return {
    networks: networks.map(({ network, aliases }) => ({
      name: nearestObjectName(network),
      ...listed(
        'aliases',
        aliases.filter((alias) => !own.has(alias)),
      ),
    })),
  }
}

function dnsOf({ settings: { dns } }: ObservedContainer): Fields {
  const lists = Object.entries(dns).filter(([, list]) => list.length > 0)
  return when(lists.length > 0, { dns: Object.fromEntries(lists) })
}

function healthOf(check: Healthcheck | undefined, ofImage: Healthcheck | undefined): Fields {
  if (check === undefined || same(check, ofImage)) return {}
  if (check.disabled) return { healthcheck: { disabled: true } }
  const { test, interval, timeout, retries, startPeriod, startInterval } = check
  const [how, ...rest] = test
  const seconds = (milliseconds: number) => `${milliseconds / 1000}s`
  return {
    healthcheck: {
      ...(how === 'CMD-SHELL' ? { shell: rest.join(' ') } : { command: rest }),
      ...when(interval > 0, { interval: seconds(interval) }),
      ...when(timeout > 0, { timeout: seconds(timeout) }),
      ...when(retries > 0, { retries }),
      ...when(startPeriod > 0, { startPeriod: seconds(startPeriod) }),
      ...(startInterval !== undefined && { startInterval: seconds(startInterval) }),
    },
  }
}

function restartPolicyOf(policy: string): string {
  if (policy === 'no' || policy === '') return 'Never'
  return policy === 'on-failure' ? 'OnFailure' : 'Always'
}

function limitsOf({ limits: { cpus, memoryBytes, pids } }: ObservedContainer): Fields {
  const limits = {
    ...when(cpus > 0, { cpu: cpus }),
    ...when(memoryBytes > 0, { memory: memoryBytes }),
    ...when(pids > 0, { pids }),
  }
  return when(Object.keys(limits).length > 0, { resources: { limits } })
}

function securityOf({ security }: ObservedContainer): Fields {
  const { privileged, readOnlyRootFilesystem, capabilities, allowPrivilegeEscalation, seccomp } = security
  const lists = Object.entries(capabilities).filter(([, list]) => list.length > 0)
  const context = {
    ...when(privileged, { privileged }),
    ...when(readOnlyRootFilesystem, { readOnlyRootFilesystem }),
    ...when(lists.length > 0, { capabilities: Object.fromEntries(lists) }),
    ...when(allowPrivilegeEscalation !== usualSecurity.allowPrivilegeEscalation, {
      allowPrivilegeEscalation,
    }),
    ...when(seccomp === 'unconfined' && !privileged, { seccompProfile: { type: 'Unconfined' } }),
  }
  return when(Object.keys(context).length > 0, { securityContext: context })
}

const usualShmBytes = 64 * 1024 ** 2

function kernelOf({ settings }: ObservedContainer): Fields {
  const { devices, ulimits, sysctls, shmBytes, logging } = settings
  const ulimitFields = ulimits.map(({ name, soft, hard }) => [name, soft === hard ? soft : `${soft}:${hard}`])
  return {
    ...listed(
      'devices',
      devices.map(
        ({ hostPath, containerPath, permissions }) => `${hostPath}:${containerPath}:${permissions}`,
      ),
    ),
    ...when(ulimits.length > 0, { ulimits: Object.fromEntries(ulimitFields) }),
    ...when(Object.keys(sysctls).length > 0, { sysctls }),
    ...when(shmBytes > 0 && shmBytes !== usualShmBytes, { shmSize: shmBytes }),
    logging: { driver: logging.driver, options: logging.options },
  }
}

function labelsOf({ labels }: ObservedContainer, image: ImageConfig | undefined): Fields {
  const own = Object.entries(labels).filter(
    ([name, value]) => image?.labels[name] !== value && !name.startsWith(composeLabels),
  )
  return when(own.length > 0, { labels: Object.fromEntries(own) })
}

/** One that somebody stopped stays stopped. */
function stateOf({ state, restartPolicy }: ObservedContainer): Fields {
  if (state === 'paused') return { state: 'Paused' }
  const isDown = state === 'exited' || state === 'created'
  return when(isDown && restartPolicyOf(restartPolicy) === 'Always', { state: 'Stopped' })
}

function volumesOf({ found, namespace, nodeName }: AdoptionInput): KubeObject[] {
  const named = found.mounts.filter((mount) => mount.type === 'volume' && !isAnonymous(mount))
  return [...new Set(named.map(({ source }) => source))].map((source) => ({
    apiVersion: api,
    kind: 'Volume',
    metadata: { name: nearestObjectName(source), namespace },
    spec: { ...external(source, namespace), nodeName },
  }))
}

function networksOf({ found, namespace }: AdoptionInput): KubeObject[] {
  const { networkMode, networks } = found
  if (networkMode !== 'bridge' || (networks.length === 1 && networks[0]?.network === 'bridge')) return []
  return networks.map(({ network }) => ({
    apiVersion: api,
    kind: 'Network',
    metadata: { name: nearestObjectName(network), namespace },
    spec: { externalName: network },
  }))
}

/** Said only where the object's own name is another. */
function external(source: string, namespace: string): Fields {
  return when(engineName({ namespace, name: nearestObjectName(source) }) !== source, { externalName: source })
}
