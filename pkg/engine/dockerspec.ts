/**
 * From Cove's words to Docker's: the bodies of create and update calls. Pure; docker.ts sends what is made here,
 * dockerview.ts reads what comes back. Docker counts durations in nanoseconds and cores in billionths.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { CommitOptions } from './looks.ts'
import type {
  ContainerCreate,
  ExecOptions,
  Mount,
  NetworkAttachment,
  NetworkCreate,
  PortMapping,
  ResourceLimits,
  Security,
  VolumeCreate,
} from './port.ts'
import type { Device, Healthcheck, RuntimeSettings } from './settings.ts'

/** Docker's defaults for a health check's numbers; a 0 would take over the image's, which Cove did not ask for. */
export const healthDefaults = { interval: 30_000, timeout: 30_000, retries: 3 } as const

/** In ms: as good as none. Engines take nothing between it and 0. */
export const shortestPeriod = 1

/** Networks that stand for a way of networking; they know no aliases and take no endpoint settings. */
const modeNetworks: readonly string[] = ['host', 'none']

/** Words of `SecurityOpt`. */
export const noNewPrivileges = 'no-new-privileges'
export const unconfined = 'seccomp=unconfined'

/**
 * The body of `POST /containers/create`. Engines before API 1.44 attach one network at create, so only the first
 * is in here for all of them; the caller connects the others before the start.
 */
export function makeContainerBody(create: ContainerCreate): Record<string, unknown> {
  const [first] = create.networks
  return {
    Image: create.image,
    Env: Object.entries(create.env).map(([name, value]) => `${name}=${value}`),
    Labels: create.labels,
    ExposedPorts: Object.fromEntries(create.ports.map((port) => [portKey(port), {}])),
    ...(create.entrypoint && { Entrypoint: create.entrypoint }),
    ...(create.cmd && { Cmd: create.cmd }),
    ...(create.workingDir !== undefined && { WorkingDir: create.workingDir }),
    ...(create.user !== undefined && { User: create.user }),
    ...(create.stdin === true && { OpenStdin: true }),
    ...(create.stdinOnce === true && { StdinOnce: true }),
    ...(create.tty === true && { Tty: true }),
    ...(create.hostname !== undefined && { Hostname: create.hostname }),
    ...(create.stopSignal !== undefined && { StopSignal: create.stopSignal }),
    ...(create.healthcheck && { Healthcheck: makeHealthcheck(create.healthcheck) }),
    HostConfig: {
      NetworkMode: create.networkMode ?? first?.network ?? 'default',
      ...(create.links && { Links: create.links }),
      PortBindings: makePortBindings(create.ports),
      Mounts: create.mounts.map(makeMount),
      RestartPolicy: { Name: 'no' },
      ...makeLimits(create.limits),
      ...(create.security && makeSecurity(create.security)),
      ...makeRuntime(create),
    },
    ...(first && !modeNetworks.includes(first.network) && { NetworkingConfig: makeNetworking(first) }),
  }
}

/** Of `HostConfig`. */
function makeRuntime(settings: RuntimeSettings): Record<string, unknown> {
  const { init, extraHosts, dns, devices, ulimits, sysctls, shmBytes, logging, publishAll } = settings
  return {
    ...(init !== undefined && { Init: init }),
    ...(extraHosts && { ExtraHosts: extraHosts }),
    ...(dns && { Dns: dns.servers, DnsSearch: dns.searches, DnsOptions: dns.options }),
    ...(devices && { Devices: devices.map(makeDevice) }),
    ...(ulimits && {
      Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    }),
    ...(sysctls && { Sysctls: sysctls }),
    ...(shmBytes !== undefined && { ShmSize: shmBytes }),
    ...(logging && { LogConfig: { Type: logging.driver, Config: logging.options } }),
    ...(publishAll === true && { PublishAllPorts: true }),
  }
}

function makeDevice({ hostPath, containerPath, permissions }: Device): Record<string, unknown> {
  return { PathOnHost: hostPath, PathInContainer: containerPath, CgroupPermissions: permissions }
}

/** The settings of one endpoint, at create and at connect. */
export function makeEndpoint(attachment: NetworkAttachment): Record<string, unknown> {
  const { aliases, links = [] } = attachment
  return { ...(aliases.length > 0 && { Aliases: aliases }), ...(links.length > 0 && { Links: links }) }
}

/**
 * The body of `POST /containers/x/update`. Docker reads a 0 as "leave as it is" and has no word for lifting a core
 * or memory limit of a container, so that is refused with InvalidSpec: the container has to be made anew.
 */
export function makeUpdateBody(current: ResourceLimits, wanted: ResourceLimits): Record<string, unknown> {
  const lifted = limitsLifted(current, wanted)
  if (lifted !== undefined) throw new StatusError('InvalidSpec', lifted)
  return { ...makeLimits(wanted), RestartPolicy: { Name: 'no' } }
}

/** Why limits cannot change in place, or undefined when they can. */
export function limitsLifted(current: ResourceLimits, wanted: ResourceLimits): string | undefined {
  const lifted = (['cpus', 'memoryBytes'] as const).find((key) => current[key] > 0 && wanted[key] === 0)
  return lifted && `the engine cannot lift the ${lifted} limit of an existing container`
}

/** The body of `POST /networks/create`. */
export function makeNetworkBody(create: NetworkCreate): Record<string, unknown> {
  const config = create.ipam.map(({ subnet, gateway, ipRange }) => ({
    Subnet: subnet,
    ...(gateway !== undefined && { Gateway: gateway }),
    ...(ipRange !== undefined && { IPRange: ipRange }),
  }))
  return {
    Name: create.name,
    CheckDuplicate: true,
    Driver: create.driver,
    Internal: create.internal,
    Options: create.options,
    Labels: create.labels,
    ...(config.length > 0 && { IPAM: { Driver: 'default', Config: config } }),
  }
}

/** The body of `POST /volumes/create`. */
export function makeVolumeBody(create: VolumeCreate): Record<string, unknown> {
  return { Name: create.name, Driver: create.driver, DriverOpts: create.options, Labels: create.labels }
}

/** Docker's grace period is whole seconds; a started second counts as one. */
export function wholeSeconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1000)
}

function makeHealthcheck(check: Healthcheck): Record<string, unknown> {
  if (check.disabled) return { Test: ['NONE'] }
  return {
    Test: check.test,
    Interval: nanoseconds(check.interval || healthDefaults.interval),
    Timeout: nanoseconds(check.timeout || healthDefaults.timeout),
    Retries: check.retries || healthDefaults.retries,
    // To the engine 0 means that of the image's own check.
    StartPeriod: nanoseconds(check.startPeriod || shortestPeriod),
    ...(check.startInterval !== undefined && { StartInterval: nanoseconds(check.startInterval) }),
  }
}

function makePortBindings(ports: readonly PortMapping[]): Record<string, unknown> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {}
  for (const port of ports) {
    const list = bindings[portKey(port)] ?? []
    list.push({
      HostIp: port.hostIP ?? '',
      HostPort: port.hostPort === undefined ? '' : String(port.hostPort),
    })
    bindings[portKey(port)] = list
  }
  return bindings
}

/** `Mounts`, not `Binds`: with `Binds` the engine makes a missing source as an empty directory of root. */
function makeMount(mount: Mount): Record<string, unknown> {
  const common = { Type: mount.type, Target: mount.target, ReadOnly: mount.readOnly }
  if (mount.type !== 'tmpfs') return { ...common, Source: mount.source }
  return { ...common, ...(mount.sizeBytes !== undefined && { TmpfsOptions: { SizeBytes: mount.sizeBytes } }) }
}

function makeSecurity(security: Security): Record<string, unknown> {
  const { privileged, readOnlyRootFilesystem, capabilities, allowPrivilegeEscalation, seccomp } = security
  const options = [
    ...(allowPrivilegeEscalation ? [] : [noNewPrivileges]),
    ...(seccomp === 'unconfined' ? [unconfined] : []),
  ]
  return {
    Privileged: privileged,
    ReadonlyRootfs: readOnlyRootFilesystem,
    ...(capabilities.add.length > 0 && { CapAdd: capabilities.add }),
    ...(capabilities.drop.length > 0 && { CapDrop: capabilities.drop }),
    ...(options.length > 0 && { SecurityOpt: options }),
  }
}

/** Memory and swap together never exceed the memory limit: unset, Docker would allow as much again in swap. */
function makeLimits(limits: ResourceLimits): Record<string, unknown> {
  return {
    NanoCpus: Math.round(limits.cpus * 1e9),
    Memory: limits.memoryBytes,
    MemorySwap: limits.memoryBytes,
    PidsLimit: limits.pids,
  }
}

function makeNetworking(attachment: NetworkAttachment): Record<string, unknown> {
  return { EndpointsConfig: { [attachment.network]: makeEndpoint(attachment) } }
}

function portKey(port: PortMapping): string {
  return `${port.containerPort}/${port.protocol}`
}

function nanoseconds(milliseconds: number): number {
  return Math.round(milliseconds * 1e6)
}

/** The body of `POST /containers/x/exec`. */
export function makeExecBody({ command, stdin, stdout, stderr, tty }: ExecOptions): Record<string, unknown> {
  return { Cmd: command, AttachStdin: stdin, AttachStdout: stdout, AttachStderr: stderr, Tty: tty }
}

/** Of `POST /commit`. The engine takes changes as the lines of one text too. */
export function commitQuery(container: string, options: CommitOptions): Record<string, string | boolean> {
  const { reference, author, message, changes, pause } = options
  return {
    container,
    pause,
    ...(reference !== undefined && imageName(reference)),
    ...(author !== undefined && { author }),
    ...(message !== undefined && { comment: message }),
    ...(changes.length > 0 && { changes: changes.join('\n') }),
  }
}

/** Of an image that is made, as the engine is told it. */
export function imageName(reference: string): { repo: string; tag: string } {
  const parsed = parseReference(reference)
  if (!parsed.ok) throw new StatusError('InvalidSpec', `image reference "${reference}": ${parsed.message}`)
  const { registry, repository, tag, digest } = parsed.reference
  if (digest !== undefined)
    throw new StatusError(
      'InvalidSpec',
      `image reference "${reference}": what is made anew has no digest yet`,
    )
  return { repo: canonicalReference({ registry, repository }), tag: tag ?? 'latest' }
}
