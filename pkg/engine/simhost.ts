/**
 * The machine under a simulated engine: its containers, images, networks, volumes and host ports, and the rules by
 * which they get in each other's way. Everything here is immediate; calls, waiting and faults are sim.ts's.
 */
import { createHash } from 'node:crypto'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { idPattern } from '#pkg/apimachinery/reference.ts'
import type { DiskUsage } from './images.ts'
import type {
  ContainerCreate,
  Mount,
  NetworkAttachment,
  NetworkCreate,
  ObservedMount,
  ObservedNetwork,
  ObservedVolume,
  PortMapping,
  ResourceLimits,
  VolumeCreate,
} from './port.ts'
import { hasStartInterval } from './settings.ts'
import { commandOf, isUp, type SimContainer } from './simcontainer.ts'
import { canonicalName, digestReference, type SimImage } from './simregistry.ts'

export interface SimHostOptions {
  readonly name: string
  readonly cpus: number
  /** Whether a bind source is there. */
  readonly pathExists: (path: string) => boolean
}

export interface HeldImage {
  readonly image: SimImage
  /** Canonical. */
  readonly references: Set<string>
  readonly digests: Set<string>
  readonly createdAt: number
  /** Of the image that it was made of here. */
  readonly parent?: string
}

const containerName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/
const smallestMemory = 6 * 1024 * 1024
const firstEphemeral = 49_153
const loggingDrivers: readonly string[] = ['json-file', 'local', 'none', 'syslog']
/** What the simulated engine says it speaks. */
export const simApiVersion = '1.41'
const predefined = ['bridge', 'host', 'none'] as const

const hostNetworkStays = 'container cannot be disconnected from host network or connected to host network'
const noneIsAlone =
  'container cannot be connected to multiple networks with one of the networks in private (none) mode'

export class SimHost {
  readonly options: SimHostOptions
  readonly containers = new Map<string, SimContainer>()
  readonly images = new Map<string, HeldImage>()
  readonly networks = new Map<string, ObservedNetwork>()
  readonly volumes = new Map<string, ObservedVolume>()
  /** Layers on disk, by id. */
  readonly layers = new Set<string>()
  /** Ids of the images that steps of builds were found to make, by what makes them so. */
  readonly buildSteps = new Map<string, string>()
  /** What BuildKit left behind; that has no cache of its own here, so tests put it there. */
  readonly buildCache: DiskUsage['buildCache'][number][] = []
  /** Host ports that other processes listen on, on all addresses. */
  readonly foreignPorts = new Set<number>()
  #sequence = 0

  constructor(options: SimHostOptions) {
    this.options = options
    for (const name of predefined) {
      const driver = name === 'none' ? 'null' : name
      this.#putNetwork({ name, driver, internal: false, options: {}, labels: {}, ipam: [] })
    }
  }

  /** 64 hex digits, the same in every run with the same calls. */
  nextId(): string {
    this.#sequence += 1
    return createHash('sha256').update(`${this.options.name}/${this.#sequence}`).digest('hex')
  }

  nextPid(): number {
    this.#sequence += 1
    return 1000 + this.#sequence
  }

  findContainer(container: string): SimContainer | undefined {
    const byId = this.containers.get(container)
    if (byId !== undefined) return byId
    for (const candidate of this.containers.values()) if (candidate.name === container) return candidate
    return undefined
  }

  mustContainer(container: string): SimContainer {
    return this.findContainer(container) ?? refuse('NotFound', `No such container: ${container}`)
  }

  mustFreeName(name: string): void {
    if (!containerName.test(name)) refuse('InvalidSpec', `Invalid container name (${name})`)
    const holder = this.findContainer(name)
    if (holder === undefined) return
    refuse('NameInUse', `The container name "/${name}" is already in use by container "${holder.id}"`)
  }

  findImage(image: string): HeldImage | undefined {
    const byId = this.images.get(image)
    if (byId !== undefined || image.startsWith('sha256:')) return byId
    const name = canonicalName(image)
    for (const held of this.images.values()) {
      if (held.references.has(name) || held.digests.has(name)) return held
    }
    return undefined
  }

  mustImage(image: string): HeldImage {
    return this.findImage(image) ?? refuse('ImageNotFound', `No such image: ${image}`)
  }

  /** Takes the image in under the reference, which leaves any other image that had it. */
  holdImage(image: SimImage, reference: string, now: number): void {
    const held = this.keepImage(image, now)
    held.digests.add(canonicalName(digestReference(reference, image)))
    this.tagImage(held, reference)
  }

  /** Takes in an image that no registry knows, without a name. */
  keepImage(image: SimImage, now: number, parent?: string): HeldImage {
    const names = { references: new Set<string>(), digests: new Set<string>() }
    const held = this.images.get(image.id) ?? {
      image,
      ...names,
      createdAt: now,
      ...(parent !== undefined && { parent }),
    }
    this.images.set(image.id, held)
    for (const layer of Object.keys(image.spec.layers ?? {})) this.layers.add(layer)
    return held
  }

  /** By a name, or by any beginning of an id that fits one image only. */
  findAnyImage(image: string): HeldImage | undefined {
    const digits = image.replace(/^sha256:/, '')
    const named = idPattern.test(digits) ? this.images.get(`sha256:${digits}`) : this.findImage(image)
    if (named !== undefined || !/^[0-9a-f]+$/.test(digits)) return named
    const fitting = [...this.images.values()].filter((held) => held.image.id.startsWith(`sha256:${digits}`))
    return fitting.length === 1 ? fitting[0] : undefined
  }

  /** Forgets it, and its layers where no other image has them. */
  dropImage({ image }: HeldImage): void {
    this.images.delete(image.id)
    this.layers.clear()
    for (const other of this.images.values())
      for (const layer of Object.keys(other.image.spec.layers ?? {})) this.layers.add(layer)
  }

  tagImage(held: HeldImage, reference: string): void {
    const name = canonicalName(reference)
    if (name.includes('@')) return
    for (const other of this.images.values()) other.references.delete(name)
    held.references.add(name)
  }

  /** Everything a create call is refused for, in the engine's order. */
  checkCreate(create: ContainerCreate): HeldImage {
    const held = this.mustImage(create.image)
    this.checkLimits(create.limits)
    checkSettings(create)
    checkMounts(create.mounts, this.options.pathExists)
    this.mustFreeName(create.name)
    if (commandOf(create, held.image).length === 0) refuse('InvalidSpec', 'No command specified')
    return held
  }

  checkLimits({ cpus, memoryBytes }: ResourceLimits): void {
    if (cpus > this.options.cpus) {
      refuse('InvalidSpec', `Range of CPUs is from 0.01 to ${this.options.cpus.toFixed(2)}`)
    }
    if (memoryBytes > 0 && memoryBytes < smallestMemory) {
      refuse('InvalidSpec', 'Minimum memory limit allowed is 6MB')
    }
  }

  /** The mounts with their volumes made; volumes of the image that nothing is mounted over become anonymous ones. */
  makeMounts(create: ContainerCreate, image: SimImage, now: number) {
    const targets = new Set(create.mounts.map(({ target }) => target))
    const declared = (image.spec.volumes ?? []).filter((target) => !targets.has(target))
    const implied = declared.map((target): Mount => ({ type: 'volume', source: '', target, readOnly: false }))
    const anonymousVolumes: string[] = []
    const mounts = [...create.mounts, ...implied].map((mount): ObservedMount => {
      const { type, target, readOnly } = mount
      if (type === 'bind') return { type, source: mount.source, target, readOnly }
      if (type === 'tmpfs') {
        const { sizeBytes } = mount
        return { type, source: '', target, readOnly, ...(sizeBytes !== undefined && { sizeBytes }) }
      }
      const source = mount.source || this.nextId()
      if (mount.source === '') anonymousVolumes.push(source)
      this.makeVolume({ name: source, driver: 'local', options: {}, labels: {} }, now)
      return { type, source, target, readOnly }
    })
    return { mounts: mounts.sort((a, b) => (a.target < b.target ? -1 : 1)), anonymousVolumes }
  }

  /** Whether it was made now. */
  makeVolume(create: VolumeCreate, now: number): boolean {
    if (create.driver !== 'local') refuse('InvalidSpec', `plugin "${create.driver}" not found`)
    if (this.volumes.has(create.name)) return false
    const mountpoint = `/var/lib/docker/volumes/${create.name}/_data`
    this.volumes.set(create.name, { ...create, mountpoint, createdAt: new Date(now).toISOString() })
    return true
  }

  volumeUser(volume: string): SimContainer | undefined {
    return [...this.containers.values()].find(({ mounts }) =>
      mounts.some((mount) => mount.type === 'volume' && mount.source === volume),
    )
  }

  /** The ports of a start, with free ones picked; HostPortInUse when somebody has one. */
  allocatePorts(container: SimContainer): PortMapping[] {
    const taken = [...this.containers.values()]
      .filter((other) => other !== container && isUp(other))
      .flatMap(({ published }) => published)
    const mine: PortMapping[] = []
    for (const port of portsOf(container)) {
      const hostPort = port.hostPort ?? this.#freePort(port, [...taken, ...mine])
      const isTaken = this.foreignPorts.has(hostPort) || clashes({ ...port, hostPort }, [...taken, ...mine])
      if (isTaken) refuse('HostPortInUse', `Bind for ${hostPort} failed: port is already allocated`)
      mine.push({ ...port, hostPort })
    }
    return mine
  }

  makeNetwork(create: NetworkCreate, now: number): ObservedNetwork {
    if (this.networks.has(create.name)) {
      const isPredefined = predefined.some((name) => name === create.name)
      const message = `network with name ${create.name} already exists`
      refuse(isPredefined ? 'InvalidSpec' : 'NameInUse', message)
    }
    if (create.driver !== 'bridge') refuse('InvalidSpec', `plugin "${create.driver}" not found`)
    const used = new Set([...this.networks.values()].flatMap(({ subnets }) => subnets))
    const overlap = create.ipam.find(({ subnet }) => used.has(subnet))
    if (overlap !== undefined) refuse('InUse', `Pool overlaps with other one: ${overlap.subnet}`)
    const network = { ...this.#putNetwork(create), createdAt: new Date(now).toISOString() }
    this.networks.set(network.name, network)
    return network
  }

  mustNetwork(network: string): ObservedNetwork {
    const found = this.networks.get(network) ?? [...this.networks.values()].find(({ id }) => id === network)
    return found ?? refuse('NotFound', `network ${network} not found`)
  }

  join(
    container: SimContainer,
    network: ObservedNetwork,
    { aliases, links = [] }: Pick<NetworkAttachment, 'aliases' | 'links'>,
  ): void {
    const { name } = network
    if (container.networks.has(name)) {
      refuse('NameInUse', `endpoint with name ${container.name} already exists in network ${name}`)
    }
    const all = [...container.networks.keys(), name]
    if (all.includes('host') && (all.length > 1 || isUp(container))) refuse('InvalidSpec', hostNetworkStays)
    if (all.includes('none') && all.length > 1) refuse('Conflict', noneIsAlone)
    const ip = isUp(container) ? this.allocateAddress(network) : ''
    container.networks.set(name, { aliases, ip, ...(links.length > 0 && { links }) })
  }

  /** Those whose network it shares, and those it links to on the default bridge, must run when it starts. */
  checkNeighbours({ create, links }: SimContainer): void {
    const { networkMode = 'bridge' } = create
    const shared = networkMode.startsWith('container:') ? [networkMode.slice('container:'.length)] : []
    for (const name of shared) {
      if (!isUp(this.mustContainer(name)))
        refuse('Conflict', `cannot join network of a non running container: ${name}`)
    }
    for (const { source } of links) {
      if (!isUp(source)) refuse('Conflict', `Cannot link to a non running container: /${source.name}`)
    }
  }

  /** What links of a create call lead to; the engine refuses one to nobody. */
  findLinked({ links = [] }: ContainerCreate): SimContainer['links'] {
    return links.map((link) => {
      const [name = '', alias = ''] = link.split(':')
      const source = this.findContainer(name)
      return source === undefined
        ? refuse('InvalidSpec', `could not get container for ${name}`)
        : { source, alias }
    })
  }

  leave(container: SimContainer, network: string): void {
    if (network === 'host' && isUp(container)) refuse('InvalidSpec', hostNetworkStays)
    if (container.networks.delete(network)) return
    refuse('NotFound', `${container.id} is not connected to network ${network}`)
  }

  checkRemovable(network: ObservedNetwork): void {
    if (predefined.some((name) => name === network.name)) {
      refuse('InvalidSpec', `${network.name} is a pre-defined network and cannot be removed`)
    }
    const isUsed = [...this.containers.values()].some((one) => isUp(one) && one.networks.has(network.name))
    if (isUsed) refuse('InUse', `network ${network.name} has active endpoints`)
  }

  /** A free address of the network; empty for those that give none. */
  allocateAddress(network: ObservedNetwork): string {
    const [subnet = ''] = network.subnets
    const [a, b] = subnet.split('.')
    if (b === undefined) return ''
    const used = new Set([...this.containers.values()].map((one) => one.networks.get(network.name)?.ip))
    for (let host = 2; ; host++) {
      const address = `${a}.${b}.${host >> 8}.${host & 255}`
      if (!used.has(address)) return address
    }
  }

  #putNetwork(create: NetworkCreate): ObservedNetwork {
    const { name, driver, internal, options, labels, ipam } = create
    const isBridge = driver === 'bridge'
    const asked = ipam.map(({ subnet }) => subnet)
    const subnets = asked.length > 0 || !isBridge ? asked : [this.#freeSubnet()]
    const network = { id: this.nextId(), name, driver, internal, options, labels, subnets }
    this.networks.set(name, network)
    return network
  }

  #freeSubnet(): string {
    const used = new Set([...this.networks.values()].flatMap(({ subnets }) => subnets))
    for (let index = 17; ; index++) {
      const subnet = index < 256 ? `172.${index}.0.0/16` : `10.${index - 256}.0.0/16`
      if (!used.has(subnet)) return subnet
    }
  }

  #freePort(port: PortMapping, taken: readonly PortMapping[]): number {
    let hostPort = firstEphemeral
    while (this.foreignPorts.has(hostPort) || clashes({ ...port, hostPort }, taken)) hostPort += 1
    return hostPort
  }
}

export function refuse(reason: Reason, message: string): never {
  throw new StatusError(reason, message)
}

/** What was asked for, and with publishAll every other port that the image exposes. */
function portsOf({ create, image }: SimContainer): readonly PortMapping[] {
  if (create.publishAll !== true) return create.ports
  const exposed = (image.spec.exposedPorts ?? []).map((key): PortMapping => {
    const [port, protocol] = key.split('/')
    return {
      containerPort: Number(port),
      protocol: protocol === 'udp' || protocol === 'sctp' ? protocol : 'tcp',
    }
  })
  const isAsked = ({ containerPort, protocol }: PortMapping) =>
    create.ports.some((port) => port.containerPort === containerPort && port.protocol === protocol)
  return [...create.ports, ...exposed.filter((port) => !isAsked(port))]
}

function clashes(port: PortMapping, taken: readonly PortMapping[]): boolean {
  return taken.some(
    (other) =>
      other.hostPort === port.hostPort &&
      other.protocol === port.protocol &&
      (isWildcard(other.hostIP) || isWildcard(port.hostIP) || other.hostIP === port.hostIP),
  )
}

function isWildcard(address: string | undefined): boolean {
  return address === undefined || address === '0.0.0.0' || address === '::'
}

function checkSettings({ healthcheck, logging }: ContainerCreate): void {
  if (healthcheck?.disabled === false && healthcheck.startInterval !== undefined) {
    if (!hasStartInterval(simApiVersion))
      refuse('InvalidSpec', 'this engine has no start interval of health checks')
  }
  if (logging !== undefined && !loggingDrivers.includes(logging.driver)) {
    refuse('InvalidSpec', `logger: no log driver named '${logging.driver}' is registered`)
  }
}

function checkMounts(mounts: readonly Mount[], pathExists: (path: string) => boolean): void {
  const targets = new Set<string>()
  for (const mount of mounts) {
    if (!mount.target.startsWith('/')) refuse('InvalidSpec', `mount path must be absolute: ${mount.target}`)
    if (targets.has(mount.target)) refuse('InvalidSpec', `Duplicate mount point: ${mount.target}`)
    targets.add(mount.target)
    if (mount.type === 'bind' && !pathExists(mount.source)) {
      refuse('MountSourceMissing', `bind source path does not exist: ${mount.source}`)
    }
  }
}
