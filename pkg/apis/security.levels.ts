/**
 * How much a namespace lets what runs in it do to its node: the levels of Kubernetes' Pod Security Standards
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards/) in Cove's fields. A control is one line of a
 * table: a field, which of its values each level allows, and how the others are named. Fields that Cove refuses by now
 * are in it all the same, so that none can be implemented and forgotten. Pure.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { kindOfUser } from './container.security.ts'

/** From everything to little: what one allows, those before it allow too. */
export const levels = ['privileged', 'baseline', 'restricted'] as const
export type Level = (typeof levels)[number]

/** Labels of a Namespace. */
export const levelLabels = {
  /** What violates the level is refused. Absent: privileged. */
  enforce: 'cove.run/enforce',
  /** What violates the level is warned of. Absent: privileged. */
  warn: 'cove.run/warn',
} as const

/** Which values of a field are allowed, and what must be of the others. */
export interface Allowed {
  /** For people: `false, or absent`. */
  readonly values: string
  readonly allows: (value: unknown) => boolean
  readonly must: (value: unknown) => string
}

export interface Control {
  readonly name: string
  /** As spec.a.b. `[]` stands for each item of a list, `{}` for each key of a map; without them absence is judged too. */
  readonly field: string
  readonly baseline?: Allowed
  /** Absent: what baseline allows. */
  readonly restricted?: Allowed
}

export interface Violation {
  readonly control: string
  /** `spec.mounts[2].hostPath`. */
  readonly field: string
  /** `must not be set`. */
  readonly message: string
}

const quoted = (value: unknown) => JSON.stringify(value)

const absent: Allowed = {
  values: 'absent',
  allows: (value) => value === undefined,
  must: () => 'must not be set',
}

function not(refused: boolean | string): Allowed {
  return {
    values: `not ${refused}, or absent`,
    allows: (value) => value !== refused,
    must: () => `must not be ${quoted(refused)}`,
  }
}

function exactly(wanted: boolean): Allowed {
  return { values: `${wanted}`, allows: (value) => value === wanted, must: () => `must be ${wanted}` }
}

function oneOfThese(...values: readonly string[]): Allowed {
  return {
    values: values.join(', '),
    allows: (value) => value === undefined || (typeof value === 'string' && values.includes(value)),
    must: (value) => `must not be ${quoted(value)}`,
  }
}

function noneOfThese(...refused: readonly string[]): Allowed {
  return {
    values: `not ${refused.join(', ')}`,
    allows: (value) => typeof value !== 'string' || !refused.includes(value),
    must: (value) => `must not be ${quoted(value)}`,
  }
}

function including(item: string): Allowed {
  return {
    values: `a list with ${item}`,
    allows: (value) => Array.isArray(value) && value.includes(item),
    must: () => `must include ${quoted(item)}`,
  }
}

function none(values: string, why: string): Allowed {
  return { values, allows: () => false, must: () => why }
}

const noRoot: Allowed = {
  values: 'not root (0, root), or absent',
  allows: (value) => typeof value !== 'string' || kindOfUser(value) !== 'root',
  must: (value) => `must not be ${quoted(value)}, which is root`,
}

/** Options of the mount call: with these the local driver mounts whatever path of the node it is told. */
const noBind: Allowed = {
  values: 'without bind and rbind',
  allows: (value) => typeof value !== 'string' || !/(^|,)\s*r?bind\s*(,|$)/i.test(value),
  must: () => 'must not mount a path of the node with bind',
}

const noFileUrl: Allowed = {
  values: 'not file:///..., or absent',
  allows: (value) => typeof value !== 'string' || !/^file:/i.test(value),
  must: () => 'must not be a path of the node',
}

const relativePath: Allowed = {
  values: 'a relative path, or absent',
  allows: (value) => typeof value !== 'string' || !value.startsWith('/'),
  must: () => 'must not be a path of the node',
}

/** What whoever judges a Build puts in place of a Dockerfile that reaches for nothing: only its text would say. */
export const harmlessDockerfile = ''

/** Others are judged by whoever reads Dockerfiles, which is not done here: they are replaced by what is wrong with them. */
const judgedDockerfile: Allowed = {
  values: 'there, without ADD of an address, and read by docker/dockerfile if `# syntax` names anything',
  allows: (value) => value === harmlessDockerfile,
  must: (value) =>
    typeof value === 'string' ? value : 'must be set: what the Dockerfile fetches must be readable here',
}

/** Proxies change what steps fetch, and no builder tells what it has kept by them. */
const plainArgs: Allowed = {
  values: 'no proxies, nothing of BUILDKIT_',
  allows: (value) => typeof value !== 'string' || !/^(?:https?|ftp|no|all)_proxy$|^buildkit_/i.test(value),
  must: (value) => `must not be ${quoted(value)}`,
}

/** Of what engines give every container: that which does no harm. */
export const usualCapabilities: readonly string[] = [
  ...['AUDIT_WRITE', 'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'MKNOD', 'NET_BIND_SERVICE'],
  ...['SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'],
]

/** Kept apart by the kernel for each container, and without effect on others. */
const safeSysctls = [
  'kernel.shm_rmid_forced',
  ...['ip_local_port_range', 'ip_unprivileged_port_start', 'tcp_syncookies', 'ping_group_range']
    .concat(['ip_local_reserved_ports', 'tcp_keepalive_time', 'tcp_fin_timeout', 'tcp_keepalive_intvl'])
    .concat(['tcp_keepalive_probes', 'tcp_rmem', 'tcp_wmem'])
    .map((name) => `net.ipv4.${name}`),
]

const rights = 'spec.securityContext'

export const containerControls: readonly Control[] = [
  { name: 'privileged', field: `${rights}.privileged`, baseline: not(true) },
  { name: 'host network', field: 'spec.networkMode', baseline: not('host') },
  // A Network of this name in `default` is the engine's own of that name.
  { name: 'host network', field: 'spec.networks[].name', baseline: not('host') },
  { name: 'hostPath volumes', field: 'spec.mounts[].hostPath', baseline: absent },
  { name: 'hostPort', field: 'spec.ports[].hostPort', baseline: absent },
  { name: 'containers of others', field: 'spec.adopt', baseline: absent },
  { name: 'devices', field: 'spec.devices[]', baseline: { ...absent, allows: () => false } },
  { name: 'forbidden sysctls', field: 'spec.sysctls{}', baseline: oneOfThese(...safeSysctls) },
  // The others are run by the engine, with its rights and its credentials, and reach out to other machines.
  {
    name: 'logging driver',
    field: 'spec.logging.driver',
    baseline: oneOfThese('json-file', 'local', 'none'),
  },
  { name: 'priority over the node', field: 'spec.ulimits{}', baseline: noneOfThese('nice', 'rtprio') },
  { name: 'seccompProfile', field: `${rights}.seccompProfile.type`, baseline: not('Unconfined') },
  {
    name: 'non-default capabilities',
    field: `${rights}.capabilities.add[]`,
    baseline: oneOfThese(...usualCapabilities),
    restricted: oneOfThese('NET_BIND_SERVICE'),
  },
  {
    name: 'unrestricted capabilities',
    field: `${rights}.capabilities.drop`,
    restricted: including('ALL'),
  },
  {
    name: 'allowPrivilegeEscalation != false',
    field: `${rights}.allowPrivilegeEscalation`,
    restricted: exactly(false),
  },
  { name: 'runAsNonRoot != true', field: `${rights}.runAsNonRoot`, restricted: exactly(true) },
  { name: 'root user', field: 'spec.user', restricted: noRoot },
]

const bridgeOption = 'com.docker.network.bridge.name'

/** A Volume can be a path of the node under another name. */
export const volumeControls: readonly Control[] = [
  { name: 'volumes of others', field: 'spec.externalName', baseline: absent },
  { name: 'volume driver', field: 'spec.driver', baseline: oneOfThese('local') },
  {
    name: 'volume of the node',
    field: 'spec.driverOpts.type',
    baseline: oneOfThese('tmpfs', 'nfs', 'nfs4', 'cifs'),
  },
  { name: 'volume of the node', field: 'spec.driverOpts.o', baseline: noBind },
]

/**
 * A Network can be an interface or a bridge of the node, or of another namespace's Network, under another name; and a
 * range of addresses that is given takes the node's own way to them.
 */
export const networkControls: readonly Control[] = [
  { name: 'networks of others', field: 'spec.externalName', baseline: absent },
  { name: 'network driver', field: 'spec.driver', baseline: oneOfThese('bridge') },
  {
    name: 'network of the node',
    field: 'spec.options{}',
    baseline: {
      values: `not ${bridgeOption}`,
      allows: (value) => value !== bridgeOption,
      must: () => 'must not be set',
    },
  },
  {
    name: 'addresses of the node',
    field: 'spec.ipam[]',
    baseline: none('absent', 'must not be set: the engine picks addresses that the node has no other way to'),
  },
]

/**
 * Names of images on a node are everybody's: what bears the name of an image that Containers of other namespaces are made
 * from is what they get. Only a registry says by itself what is under its names; and what a node fetches from an address,
 * it fetches from where it stands.
 */
export const imageControls: readonly Control[] = [
  ...['archive', 'rootfs', 'commit', 'node'].map((source) => ({
    name: 'images that no registry vouches for',
    field: `spec.source.${source}`,
    baseline: absent,
  })),
  // But for the Image that a Build keeps under its own name, which is judged as if it had no source.
  { name: 'images that no registry vouches for', field: 'spec.source.build', baseline: absent },
  { name: 'names of other images', field: 'spec.tags[]', baseline: none('absent', 'must not be set') },
  { name: 'names of other images', field: 'spec.push[]', baseline: none('absent', 'must not be set') },
]

/**
 * What builds reads no file of the node, writes none, fetches nothing from where the node stands, names its image by a name
 * that nobody else asks for, and leaves nothing in the engine's cache, which is everybody's, that is other than what its
 * steps say. Steps run in containers with the usual rights; and as root, unless the Dockerfile says otherwise, which nobody
 * holds it to.
 */
export const buildControls: readonly Control[] = [
  { name: 'files of the node', field: 'spec.context.hostPath', baseline: absent },
  { name: 'files of the node', field: 'spec.context.git.url', baseline: noFileUrl },
  { name: 'files of the node', field: 'spec.outputs[].to', baseline: relativePath },
  { name: 'addresses asked by the node', field: 'spec.context.tar', baseline: absent },
  { name: 'addresses asked by the node', field: 'spec.dockerfileInline', baseline: judgedDockerfile },
  { name: 'network of steps', field: 'spec.network', baseline: oneOfThese('default', 'none') },
  { name: 'cache of others', field: 'spec.args{}', baseline: plainArgs },
  { name: 'cache of others', field: 'spec.cacheFrom[]', baseline: none('absent', 'must not be set') },
  { name: 'names of other images', field: 'spec.tags[]', baseline: none('absent', 'must not be set') },
  { name: 'names of other images', field: 'spec.push[]', baseline: none('absent', 'must not be set') },
  {
    name: 'steps as root',
    field: 'spec.context',
    restricted: none('no Build', 'must not be built in this namespace: steps of a build run as root'),
  },
]

const controlsByKind: Readonly<Record<string, readonly Control[]>> = {
  'Build.cove.run': buildControls,
  'Container.cove.run': containerControls,
  'Image.cove.run': imageControls,
  'Network.cove.run': networkControls,
  'Volume.cove.run': volumeControls,
}

/** None: nothing of the kind does anything to a node. */
export function controlsOf(kind: { readonly group: string; readonly kind: string }): readonly Control[] {
  return controlsByKind[`${kind.kind}.${kind.group}`] ?? []
}

export function allowedBy(control: Control, level: Level): Allowed | undefined {
  if (level === 'privileged') return undefined
  return level === 'restricted' ? (control.restricted ?? control.baseline) : control.baseline
}

/** Everything of the object that the level does not allow, in the order of the table. */
export function violations(controls: readonly Control[], level: Level, object: unknown): Violation[] {
  return controls.flatMap((control) => {
    const allowed = allowedBy(control, level)
    if (allowed === undefined) return []
    return valuesAt(object, control.field)
      .filter(({ value }) => !allowed.allows(value))
      .map(({ field, value }) => ({ control: control.name, field, message: allowed.must(value) }))
  })
}

/** `privileged (spec.securityContext.privileged must not be true), ...`: each control once, as Kubernetes lists them. */
export function describeViolations(found: readonly Violation[]): string {
  const byControl = Map.groupBy(found, ({ control }) => control)
  return [...byControl]
    .map(
      ([control, of]) => `${control} (${of.map(({ field, message }) => `${field} ${message}`).join(', ')})`,
    )
    .join(', ')
}

/** The level that a Namespace's label sets. What nobody could have written is taken for the strictest. */
export function levelOf(labels: Readonly<Record<string, string>>, label: string): Level {
  const value = labels[label]
  if (value === undefined) return 'privileged'
  return levels.find((level) => level === value) ?? 'restricted'
}

interface Found {
  readonly field: string
  readonly value: unknown
}

/** Every value under the field; one that is missing is undefined, an empty list or map has none. */
function valuesAt(object: unknown, field: string): Found[] {
  let found: Found[] = [{ field: '', value: object }]
  for (const part of field.split('.')) {
    const name = part.replace(/\[\]$|\{\}$/, '')
    found = found.map((at) => ({ field: join(at.field, name), value: memberOf(at.value, name) }))
    if (part.endsWith('[]')) found = found.flatMap(itemsOf)
    if (part.endsWith('{}')) found = found.flatMap(keysOf)
  }
  return found
}

const join = (path: string, name: string) => (path === '' ? name : `${path}.${name}`)

function memberOf(value: unknown, name: string): unknown {
  const member = isPlainObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  return member ?? undefined
}

function itemsOf({ field, value }: Found): Found[] {
  if (!Array.isArray(value)) return []
  return value.map((item: unknown, index) => ({ field: `${field}[${index}]`, value: item }))
}

function keysOf({ field, value }: Found): Found[] {
  if (!isPlainObject(value)) return []
  return Object.keys(value).map((key) => ({ field: `${field}[${key}]`, value: key }))
}
