/**
 * A Container's spec with everything it refers to filled in: variables, files, engine names. The result is what
 * the engine is given, and the fingerprint that decides whether an existing container still is what was asked
 * for. Content counts: changed Secrets and ConfigMaps change the fingerprint, and so does a Secret that was made anew;
 * paths, labels and key order do not.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import { referencesOf } from '#pkg/apis/container.references.ts'
import type { Container, ContainerLimits, ContainerMount, ContainerSpec } from '#pkg/apis/container.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import { engineLabels, engineName, engineNameOf } from '#pkg/apis/wellknown.ts'
import type {
  ContainerCreate,
  Mount,
  NetworkAttachment,
  PortMapping,
  ResourceLimits,
} from '#pkg/engine/port.ts'
import type { ImageConfig } from '#pkg/engine/settings.ts'
import { networkOwner } from './container.followers.ts'
import { resolveSecurity } from './container.security.ts'
import { secretsLabel, secretVariables } from './env.secrets.ts'
import { resolveEnv } from './env.ts'
import { canonicalImage } from './image.ts'
import { bridgeLinks, linksFingerprint, linksIn, linkVariables } from './links.ts'
import type { ProjectedFiles } from './ops.ts'
import { probeOf, writeProbe } from './probe.ts'
import { resolveHealthcheck, resolveRuntime, usualLogging } from './resolve.runtime.ts'
import { restartLabel } from './restart.label.ts'
import { type Desired, groupOf, type Waiting, type World } from './world.ts'

export interface Resolved {
  readonly create: ContainerCreate
  readonly fingerprint: string
  readonly projections: readonly ProjectedFiles[]
  /** Of the spec: labels for programs that read them on the engine. */
  readonly ownLabels: Readonly<Record<string, string>>
  /** Variables whose values come from Secrets. */
  readonly secretVariables: readonly string[]
  /** Variables that are as they were when a container was made, whatever they would be now. */
  readonly frozenVariables: readonly string[]
  /** What images bring, by id, as far as it is known. */
  readonly imageConfigs: ReadonlyMap<string, ImageConfig>
  /** The name of the Container whose network it joins. */
  readonly sharesNetworkOf?: string
}

export interface ResolveInput extends Pick<World, 'desired' | 'observed' | 'clusterID' | 'projectionRoot'> {
  readonly container: Container
}

interface ResolvedMount {
  readonly mount: Mount
  readonly projection?: ProjectedFiles
}

/** Either everything the engine needs, or what is missing. */
export function resolve(input: ResolveInput): Resolved | { readonly missing: Waiting } {
  const { container, desired } = input
  const env = resolveEnv(container, desired)
  if ('missing' in env) return env
  const owner = networkOwner(container, input)
  if (owner !== undefined && 'missing' in owner) return owner
  const mounts: ResolvedMount[] = []
  for (const mount of container.spec.mounts) {
    const resolved = resolveMount(mount, input)
    if ('missing' in resolved) return resolved
    mounts.push(resolved)
  }
  return assemble(input, env.variables, mounts)
}

function assemble(
  input: ResolveInput,
  env: Record<string, string>,
  mounts: readonly ResolvedMount[],
): Resolved {
  const { container, clusterID } = input
  const { spec, metadata } = container
  const recreated = recreatedOf(spec, env)
  const secrets = secretsOf(input)
  const probe = probeOf(spec.healthcheck)
  const hash = fingerprint({
    ...recreated,
    ...(probe && { probe }),
    image: canonicalImage(spec.image),
    mounts: mounts.map(contentOf),
    ...(spec.networkMode !== undefined && { networkMode: spec.networkMode }),
    ...(spec.labels !== undefined && { labels: spec.labels }),
    ...(spec.securityContext?.runAsNonRoot === true && { runAsNonRoot: true }),
    ...(secrets.length > 0 && { secrets }),
    ...((spec.links ?? []).length > 0 && { links: linksFingerprint(container) }),
  })
  const networkMode = networkModeOf(input)
  const links = bridgeLinks(container)
  const frozen = linkVariables(container, input)
  const hidden = secretVariables(container, input.desired)
  const create: ContainerCreate = {
    ...recreated,
    logging: recreated.logging ?? usualLogging,
    ...(networkMode !== undefined && { networkMode }),
    name: engineName(metadata),
    mounts: mounts.map(({ mount }) => mount),
    networks: resolveNetworks(input),
    ...(links.length > 0 && { links }),
    env: { ...frozen, ...recreated.env },
    limits: resolveLimits(spec.resources?.limits),
    labels: {
      ...metadata.labels,
      ...spec.labels,
      [engineLabels.uid]: metadata.uid ?? '',
      [engineLabels.namespace]: metadata.namespace ?? 'default',
      [engineLabels.name]: metadata.name,
      [engineLabels.fingerprint]: hash,
      [engineLabels.cluster]: clusterID,
      ...secretsLabel(hidden),
      ...restartLabel(container),
      ...(probe && { [engineLabels.probe]: writeProbe(probe) }),
    },
  }
  const sharesNetworkOf = sharedNetworkOf(spec)
  return {
    create,
    fingerprint: hash,
    projections: mounts.flatMap(({ projection }) => projection ?? []),
    ownLabels: spec.labels ?? {},
    secretVariables: hidden,
    frozenVariables: Object.keys(frozen).filter((name) => !Object.hasOwn(recreated.env, name)),
    imageConfigs: input.observed.imageConfigs,
    ...(sharesNetworkOf !== undefined && { sharesNetworkOf }),
  }
}

/** What only a new container can have otherwise. */
function recreatedOf(spec: ContainerSpec, env: Record<string, string>) {
  return {
    image: spec.image,
    ...(spec.command !== undefined && { entrypoint: spec.command }),
    ...(spec.args !== undefined && { cmd: spec.args }),
    env,
    ...(spec.workingDir !== undefined && { workingDir: spec.workingDir }),
    ...(spec.user !== undefined && { user: spec.user }),
    ...(spec.securityContext !== undefined && { security: resolveSecurity(spec.securityContext) }),
    ...(spec.stdin === true && { stdin: true }),
    ...(spec.stdinOnce === true && { stdinOnce: true }),
    ...(spec.tty === true && { tty: true }),
    ...resolveRuntime(spec),
    ports: spec.ports.map(resolvePort),
    ...(spec.healthcheck !== undefined && { healthcheck: resolveHealthcheck(spec.healthcheck) }),
  }
}

/**
 * The UIDs of the Secrets that it names. The fingerprint is told to whoever may see the Container, who could try out what
 * a Secret may hold; a UID is random, and told only to those who may read the Secret.
 */
function secretsOf({ container, desired }: ResolveInput): string[] {
  // What an image is pulled with says nothing about the container that runs it.
  const { imagePullSecrets: _pull, ...spec } = container.spec
  return referencesOf({ ...container, spec }).flatMap(({ kind, namespace, name }) => {
    const secret = kind === 'Secret' ? desired.secrets.get(objectKey({ namespace, name })) : undefined
    return secret?.metadata.uid ?? []
  })
}

/** Whose network it shares is said by id: names change hands. Not in the fingerprint, which says what was asked for. */
function networkModeOf(input: ResolveInput): ContainerCreate['networkMode'] {
  const { networkMode } = input.container.spec
  const shared = networkOwner(input.container, input)
  if (shared !== undefined && 'owner' in shared) return `container:${shared.owner.id}`
  return networkMode === 'host' || networkMode === 'none' || networkMode === 'bridge'
    ? networkMode
    : undefined
}

/** Projected files count by their content, not by where the node keeps them. */
function contentOf({ mount, projection }: ResolvedMount): unknown {
  return projection === undefined ? mount : { ...mount, source: projection.files }
}

function resolveMount(mount: ContainerMount, input: ResolveInput): ResolvedMount | { missing: Waiting } {
  const { mountPath: target, readOnly } = mount
  const { desired } = input
  const { namespace = 'default' } = input.container.metadata
  if (mount.volume !== undefined) {
    const source = desiredName(desired.volumes, { namespace, name: mount.volume })
    return { mount: { type: 'volume', source, target, readOnly } }
  }
  if (mount.hostPath !== undefined)
    return { mount: { type: 'bind', source: mount.hostPath, target, readOnly } }
  if (mount.tmpfs !== undefined) {
    const sizeBytes = parseQuantity(mount.tmpfs.sizeLimit ?? '')
    return {
      mount: {
        type: 'tmpfs',
        target,
        readOnly,
        ...(sizeBytes !== undefined && { sizeBytes: Math.ceil(sizeBytes) }),
      },
    }
  }
  return projectMount(mount, input)
}

function projectMount(mount: ContainerMount, input: ResolveInput): ResolvedMount | { missing: Waiting } {
  const { desired, container, projectionRoot } = input
  const { namespace = 'default', uid = '' } = container.metadata
  const secret = mount.secret !== undefined
  const name = mount.secret ?? mount.configMap ?? ''
  const key = objectKey({ namespace, name })
  const all = secret ? desired.secrets.get(key)?.data : configMapFiles(desired, key)
  const files = keysOf(all ?? {}, mount.subPath)
  const found = secret ? desired.secrets.has(key) : desired.configMaps.has(key)
  if (!found && mount.optional !== true) {
    const kind = secret ? 'Secret' : 'ConfigMap'
    return { missing: { reason: `${kind}NotFound`, message: `mounts ${kind} ${key}, which does not exist` } }
  }
  if (mount.subPath !== undefined && files[mount.subPath] === undefined && mount.optional !== true) {
    const message = `mounts key ${mount.subPath} of ${secret ? 'Secret' : 'ConfigMap'} ${key}, which has no such key`
    return { missing: { reason: 'KeyNotFound', message } }
  }
  const salt = secret ? desired.secrets.get(key)?.metadata.uid : undefined
  const projection = {
    directory: `${uid}/${fingerprint({ name, files, ...(salt !== undefined && { salt }) })}`,
    secret,
    files,
  }
  const directory = `${projectionRoot}/${projection.directory}`
  return {
    mount: {
      type: 'bind',
      source: mount.subPath === undefined ? directory : `${directory}/${mount.subPath}`,
      target: mount.mountPath,
      readOnly: true,
    },
    projection,
  }
}

/** Only the key that is mounted counts: others may change without a new container. */
function keysOf(
  files: Readonly<Record<string, string>>,
  subPath: string | undefined,
): Record<string, string> {
  if (subPath === undefined) return { ...files }
  const content = Object.hasOwn(files, subPath) ? files[subPath] : undefined
  return content === undefined ? {} : { [subPath]: content }
}

/** Whether a directory of projected files is mounted, or about to be: its Container is at work. */
export function isMounted(directory: string, world: World): boolean {
  const source = `${world.projectionRoot}/${directory}`
  const uid = directory.split('/')[0]
  const owner = [...world.desired.containers.values()].find(({ metadata }) => metadata.uid === uid)
  if (owner !== undefined && world.busy.has(groupOf('Container', owner.metadata))) return true
  return world.observed.containers.some(({ mounts }) =>
    mounts.some((mount) => mount.source === source || mount.source.startsWith(`${source}/`)),
  )
}

function configMapFiles(desired: Desired, key: string): Record<string, string> {
  const { data = {}, binaryData = {} } = desired.configMaps.get(key) ?? {}
  const text = Object.entries(data).map(
    ([name, value]) => [name, Buffer.from(value).toString('base64')] as const,
  )
  return { ...Object.fromEntries(text), ...binaryData }
}

function resolvePort(port: Container['spec']['ports'][number]): PortMapping {
  const protocols = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const
  return {
    containerPort: port.containerPort,
    protocol: protocols[port.protocol],
    ...(port.hostPort !== undefined && { hostPort: port.hostPort }),
    ...(port.hostIP !== undefined && { hostIP: port.hostIP }),
  }
}

/** A container is reached by its object's name in every network, whatever the engine calls it. */
function resolveNetworks({ container, desired }: ResolveInput): NetworkAttachment[] {
  const { metadata, spec } = container
  return spec.networks.map((network) => {
    const links = linksIn(network.name, container, { desired })
    return {
      network: desiredName(desired.networks, {
        namespace: metadata.namespace ?? 'default',
        name: network.name,
      }),
      aliases: [...new Set([metadata.name, ...network.aliases])],
      ...(links.length > 0 && { links }),
    }
  })
}

/** What the engine calls the Volume or Network of this name, whether or not there is one yet. */
function desiredName(
  objects: ReadonlyMap<string, Volume | Network>,
  meta: { namespace: string; name: string },
): string {
  const object = objects.get(objectKey(meta))
  return object === undefined ? engineName(meta) : engineNameOf(object)
}

function resolveLimits(limits: ContainerLimits | undefined): ResourceLimits {
  return {
    cpus: parseQuantity(limits?.cpu ?? 0) ?? 0,
    // The engine counts whole bytes.
    memoryBytes: Math.ceil(parseQuantity(limits?.memory ?? 0) ?? 0),
    pids: limits?.pids ?? 0,
  }
}
