/**
 * From Docker's words to Cove's: the answers of inspect, list, info and events calls, decoded from `unknown` at
 * this border. Pure. What an engine adds or leaves out by version is evened out here: zero times become absent,
 * the alias made of the container's short id goes, the two wildcard addresses of a published port become one.
 */

import { readState } from './dockerlooksview.ts'
import { readSettings } from './dockersettings.ts'
import { healthDefaults, noNewPrivileges, unconfined } from './dockerspec.ts'
import { array, type Json, number, object, text, textMap, texts } from './json.ts'
import type {
  EngineEvent,
  EngineInfo,
  HealthProbe,
  ObservedAttachment,
  ObservedContainer,
  ObservedHealth,
  ObservedMount,
  ObservedNetwork,
  ObservedVolume,
  PortMapping,
  Security,
} from './port.ts'

const shortIdLength = 12
const probesKept = 5

/** `GET /containers/x/json`. */
export function readContainer(answer: unknown): ObservedContainer {
  const root = object(answer)
  const state = object(root, 'State')
  const config = object(root, 'Config')
  const host = object(root, 'HostConfig')
  const settings = object(root, 'NetworkSettings')
  const id = text(root['Id'])
  const health = readHealth(state, config)
  return {
    id,
    name: bareName(text(root['Name'])),
    image: text(config['Image']),
    imageID: text(root['Image']),
    labels: textMap(config['Labels']),
    state: readState(state['Status']),
    pid: number(state['Pid']),
    createdAt: text(root['Created']),
    ...time('startedAt', state['StartedAt']),
    ...time('finishedAt', state['FinishedAt']),
    exitCode: number(state['ExitCode']),
    oomKilled: state['OOMKilled'] === true,
    error: text(state['Error']),
    ...(health && { health }),
    command: [text(root['Path']), ...texts(root['Args'])],
    networks: readAttachments(object(settings, 'Networks'), id),
    ...readLinks(host),
    networkMode: readNetworkMode(text(host['NetworkMode'])),
    security: readSecurity(host),
    ports: collapseWildcards(readPorts(object(settings, 'Ports'))),
    requestedPorts: readPorts(object(host, 'PortBindings')),
    mounts: readMounts(root, host),
    limits: {
      cpus: number(host['NanoCpus']) / 1e9,
      memoryBytes: number(host['Memory']),
      pids: Math.max(0, number(host['PidsLimit'])),
    },
    restartPolicy: text(object(host, 'RestartPolicy')['Name']) || 'no',
    tty: config['Tty'] === true,
    settings: readSettings(root),
  }
}

/** One entry of `GET /networks`. */
export function readNetwork(entry: unknown): ObservedNetwork {
  const root = object(entry)
  const subnets = array(object(root, 'IPAM')['Config']).map((config) => text(object(config)['Subnet']))
  const createdAt = text(root['Created'])
  return {
    id: text(root['Id']),
    name: text(root['Name']),
    driver: text(root['Driver']),
    internal: root['Internal'] === true,
    options: textMap(root['Options']),
    labels: textMap(root['Labels']),
    subnets: subnets.filter((subnet) => subnet !== ''),
    ...(createdAt !== '' && { createdAt }),
  }
}

/** One entry of `GET /volumes`. */
export function readVolume(entry: unknown): ObservedVolume {
  const root = object(entry)
  return {
    name: text(root['Name']),
    driver: text(root['Driver']),
    options: textMap(root['Options']),
    labels: textMap(root['Labels']),
    mountpoint: text(root['Mountpoint']),
    createdAt: text(root['CreatedAt']),
  }
}

/** `GET /info`; `apiVersion` is the one negotiated. */
export function readInfo(answer: unknown, apiVersion: string): EngineInfo {
  const root = object(answer)
  return {
    id: text(root['ID']),
    hostname: text(root['Name']),
    version: text(root['ServerVersion']),
    apiVersion,
    kernel: text(root['KernelVersion']),
    operatingSystem: text(root['OperatingSystem']),
    architecture: text(root['Architecture']),
    cpus: number(root['NCPU']),
    memoryBytes: number(root['MemTotal']),
    storageDriver: text(root['Driver']),
    rootDirectory: text(root['DockerRootDir']),
    registries: readRegistries(object(root, 'RegistryConfig')),
    // What builds by itself, docker decides by the same version.
    builder: Number.parseInt(text(root['ServerVersion']), 10) >= 23 ? 'BuildKit' : 'Classic',
    containers: number(root['Containers']),
    images: number(root['Images']),
  }
}

function readRegistries(config: Json): EngineInfo['registries'] {
  const hosts = Object.entries(object(config, 'IndexConfigs'))
  const insecure = hosts.filter(([, index]) => object(index)['Secure'] === false).map(([host]) => host)
  return {
    mirrors: texts(config['Mirrors']),
    insecure: [...texts(config['InsecureRegistryCIDRs']), ...insecure],
  }
}

/** One line of `GET /events`; undefined for what Cove does not follow (plugins, secrets, the daemon itself). */
export function readEvent(line: unknown): EngineEvent | undefined {
  const root = object(line)
  const type = eventTypes.find((known) => known === root['Type'])
  if (type === undefined) return undefined
  const id = text(object(root, 'Actor')['ID'])
  const attributes = object(root, 'Actor', 'Attributes')
  const name = text(attributes['name'])
  const container = text(attributes['container'])
  const nanoseconds = number(root['timeNano'])
  return {
    type,
    action: text(root['Action']),
    id,
    name: name || id,
    ...(type === 'network' && container !== '' && { container }),
    ...(nanoseconds > 0 && { at: nanoseconds / 1e6 }),
  }
}

const eventTypes = ['container', 'image', 'network', 'volume'] as const

function readHealth(state: Json, config: Json): ObservedHealth | undefined {
  const health = object(state, 'Health')
  const status = (['starting', 'healthy', 'unhealthy'] as const).find((known) => known === health['Status'])
  if (status === undefined) return undefined
  const log = array(health['Log']).slice(-probesKept).map(readProbe)
  const failingStreak = number(health['FailingStreak'])
  const retries = number(object(config, 'Healthcheck')['Retries']) || healthDefaults.retries
  // While it is frozen, and until the first check after that, the engine calls unhealthy what it does not check.
  const isUnchecked = state['Running'] === true && status === 'unhealthy' && failingStreak < retries
  if (!isUnchecked) return { status, failingStreak, log }
  const hasPassed = log.some(({ exitCode }) => exitCode === 0)
  return { status: hasPassed ? 'healthy' : 'starting', failingStreak, log }
}

function readProbe(entry: unknown): HealthProbe {
  const root = object(entry)
  return {
    start: text(root['Start']),
    end: text(root['End']),
    exitCode: number(root['ExitCode']),
    output: text(root['Output']),
  }
}

function readAttachments(networks: Json, containerID: string): ObservedAttachment[] {
  return Object.entries(networks).map(([network, value]) => {
    const endpoint = object(value)
    return {
      network,
      aliases: askedAliases(texts(endpoint['Aliases']), containerID),
      ip: text(endpoint['IPAddress']),
      ...(texts(endpoint['Links']).length > 0 && { links: texts(endpoint['Links']) }),
    }
  })
}

/** At the start the engine appends the short id, and after it the host name: both are not what was asked for. */
function askedAliases(aliases: readonly string[], containerID: string): readonly string[] {
  const added = aliases.indexOf(containerID.slice(0, shortIdLength))
  return added < 0 ? aliases : aliases.slice(0, added)
}

/** Engines write `/TARGET:/OWN/NAME`. */
function readLinks(host: Json): Pick<ObservedContainer, 'links'> {
  const links = texts(host['Links']).map((link) => {
    const [target = '', name = ''] = link.split(':')
    return `${bareName(target)}:${name.slice(name.lastIndexOf('/') + 1)}`
  })
  return links.length === 0 ? {} : { links }
}

/** Whoever joined a network at create has its name here: that is the bridge's way too. */
function readNetworkMode(mode: string): string {
  return mode === 'host' || mode === 'none' || mode.startsWith('container:') ? mode : 'bridge'
}

/** Engines add options of their own, such as `label=disable`, and write what they were given in several ways. */
function readSecurity(host: Json): Security {
  const options = texts(host['SecurityOpt']).map((option) => option.replace(':', '='))
  const capabilities = (key: string) => texts(host[key]).map((name) => name.replace(/^CAP_/, ''))
  const isOn = [noNewPrivileges, `${noNewPrivileges}=true`]
  return {
    privileged: host['Privileged'] === true,
    readOnlyRootFilesystem: host['ReadonlyRootfs'] === true,
    capabilities: { add: capabilities('CapAdd'), drop: capabilities('CapDrop') },
    allowPrivilegeEscalation: !options.some((option) => isOn.includes(option)),
    seccomp: options.includes(unconfined) ? 'unconfined' : 'default',
  }
}

function readPorts(bindings: Json): PortMapping[] {
  return Object.entries(bindings).flatMap(([key, value]) => {
    const [port = '', protocol = ''] = key.split('/')
    return array(value).map((binding) => readBinding(Number(port), protocol, object(binding)))
  })
}

function readBinding(containerPort: number, protocol: string, binding: Json): PortMapping {
  const hostPort = Number(text(binding['HostPort']))
  const hostIP = text(binding['HostIp'])
  return {
    containerPort,
    protocol: protocol === 'udp' || protocol === 'sctp' ? protocol : 'tcp',
    ...(hostPort > 0 && { hostPort }),
    ...(hostIP !== '' && { hostIP }),
  }
}

/**
 * Publishing on all addresses shows up once for IPv4 and once for IPv6; where the engine picked the port, the two may
 * have different ones, and then `::` is told.
 */
function collapseWildcards(ports: readonly PortMapping[]): PortMapping[] {
  const seen = new Map<string, PortMapping>()
  for (const { hostIP, ...port } of ports) {
    const isWildcard = hostIP === undefined || hostIP === '0.0.0.0' || hostIP === '::'
    const inside = `${port.containerPort}/${port.protocol}`
    const isOther = hostIP === '::' && [...seen.keys()].some((key) => key.startsWith(`${inside}  `))
    const address = isWildcard ? '' : hostIP
    const key = `${inside} ${address} ${port.hostPort}`
    if (seen.has(key)) continue
    seen.set(key, isWildcard && !isOther ? port : { ...port, hostIP })
  }
  return [...seen.values()]
}

/** By target: the engine's order changes from look to look. `HostConfig.Tmpfs` is what `--tmpfs` leaves behind. */
function readMounts(root: Json, host: Json): ObservedMount[] {
  const sizes = new Map(array(host['Mounts']).map((entry) => sizeAsked(object(entry))))
  const mounts = array(root['Mounts']).flatMap((entry) => readMount(object(entry), sizes))
  const tmpfs = Object.entries(textMap(host['Tmpfs'])).map(([target, text]): ObservedMount => {
    const options = text.split(',')
    const size = /^size=(.*)$/.exec(options.find((option) => option.startsWith('size=')) ?? '')?.[1]
    const sizeBytes = size === undefined ? undefined : tmpfsSize(size)
    const readOnly = options.includes('ro')
    return { type: 'tmpfs', source: '', target, readOnly, ...(sizeBytes !== undefined && { sizeBytes }) }
  })
  return [...mounts, ...tmpfs].sort((a, b) => (a.target < b.target ? -1 : 1))
}

function sizeAsked(mount: Json): readonly [string, number] {
  return [text(mount['Target']), number(object(mount, 'TmpfsOptions')['SizeBytes'])]
}

/** As mount(8) takes it: bytes, or with k, m or g. Undefined for a part of the memory. */
function tmpfsSize(size: string): number | undefined {
  const match = /^(\d+)([kmg]?)$/i.exec(size)
  const shift = { '': 0, k: 10, m: 20, g: 30 }[match?.[2]?.toLowerCase() ?? '']
  return match === null || shift === undefined ? undefined : Number(match[1]) * 2 ** shift
}

function readMount(mount: Json, sizes: ReadonlyMap<string, number>): ObservedMount[] {
  const type = (['volume', 'bind', 'tmpfs'] as const).find((known) => known === mount['Type'])
  if (type === undefined) return []
  const source = { volume: text(mount['Name']), bind: text(mount['Source']), tmpfs: '' }[type]
  const target = text(mount['Destination'])
  const sizeBytes = type === 'tmpfs' ? (sizes.get(target) ?? 0) : 0
  return [{ type, source, target, readOnly: mount['RW'] === false, ...(sizeBytes > 0 && { sizeBytes }) }]
}

function time(key: 'startedAt' | 'finishedAt', value: unknown): { startedAt?: string; finishedAt?: string } {
  const at = text(value)
  return at === '' || at.startsWith('0001-01-01T') ? {} : { [key]: at }
}

function bareName(name: string): string {
  return name.startsWith('/') ? name.slice(1) : name
}
