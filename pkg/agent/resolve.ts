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
import type { Container, ContainerLimits, ContainerSpec } from '#pkg/apis/container.ts'
import { engineLabels, engineName } from '#pkg/apis/wellknown.ts'
import type { ContainerCreate, NetworkAttachment, PortMapping, ResourceLimits } from '#pkg/engine/port.ts'
import type { ImageConfig } from '#pkg/engine/settings.ts'
import { networkOwner } from './container.followers.ts'
import { resolveSecurity } from './container.security.ts'
import { secretsLabel, secretVariables } from './env.secrets.ts'
import { resolveEnv } from './env.ts'
import { canonicalImage, wantedImage } from './image.ts'
import { bridgeLinks, linksFingerprint, linksIn, linkVariables } from './links.ts'
import type { ProjectedFiles } from './ops.ts'
import { probeLabel, probeOf } from './probe.ts'
import {
  contentOf,
  desiredName,
  type ResolvedMount,
  type ResolveInput,
  resolveMount,
} from './resolve.mounts.ts'
import { resolveHealthcheck, resolveRuntime, usualLogging } from './resolve.runtime.ts'
import { restartLabel } from './restart.label.ts'
import type { Waiting } from './world.ts'

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
    image: canonicalImage(wantedImage({ spec })),
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
      [engineLabels.probe]: probeLabel(probe),
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
    image: wantedImage({ spec }),
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
  const { imagePullSecrets: _pull, image: _login, ...spec } = container.spec
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

function resolveLimits(limits: ContainerLimits | undefined): ResourceLimits {
  return {
    cpus: parseQuantity(limits?.cpu ?? 0) ?? 0,
    // The engine counts whole bytes.
    memoryBytes: Math.ceil(parseQuantity(limits?.memory ?? 0) ?? 0),
    pids: limits?.pids ?? 0,
  }
}
