/**
 * The engine port in memory, for whole-cluster simulation and property tests: containers run on the injected clock,
 * host ports, names and volumes get in each other's way as on a real engine, and calls fail as scripted. It holds
 * the same promises as docker.ts (test/conformance/engine.ts). Acting behind an agent's back is calling the methods.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { BuildOptions, BuiltImage } from './builds.ts'
import { limitsLifted } from './dockerspec.ts'
import type {
  AttachedProcess,
  ContainerCreate,
  Engine,
  EngineEvent,
  EngineInfo,
  ExecOptions,
  ExecProcess,
  LogChunk,
  LogOptions,
  NetworkAttachment,
  NetworkCreate,
  ObservedContainer,
  RemoveOptions,
  ResourceLimits,
  VolumeCreate,
  WantedStreams,
} from './port.ts'
import { type BuildHook, SimBuild } from './simbuild.ts'
import { followOutput, isUp, observeContainer, readOutput, type SimContainer, wake } from './simcontainer.ts'
import { SimDoor } from './simdoor.ts'
import { SimEvents } from './simevents.ts'
import { attached, type CommandHook, runCommand } from './simexec.ts'
import type { EngineMethod, SimCall, SimFault } from './simfault.ts'
import { refuse, SimHost, simApiVersion } from './simhost.ts'
import { SimImages } from './simimages.ts'
import { SimLife } from './simlife.ts'
import type { SimUsage } from './simlooksview.ts'
import type { BehaviourHook } from './simprocess.ts'
import { familiarName, type SimImage, SimRegistry } from './simregistry.ts'

export interface SimEngineOptions {
  readonly clock: Clock
  /** Also the seed of the ids it gives out; `sim`. */
  readonly name?: string
  /** Shared between engines, or one of its own. */
  readonly registry?: SimRegistry
  /** What processes do; absent: they run until they are stopped. */
  readonly behaviour?: BehaviourHook
  /** What commands of execContainer do; absent: no program is there. */
  readonly commands?: CommandHook
  /** What RUN of a Dockerfile does, given its command; absent: nothing, and that well. */
  readonly runs?: BuildHook
  /** Whether a bind source is there; absent: always. */
  readonly pathExists?: (path: string) => boolean
  /** What processes of a container of this name use; absent: a hundredth of a core and a mebibyte. */
  readonly usage?: (container: string) => SimUsage
  readonly cpus?: number
  readonly memoryBytes?: number
  /** How long calls take, in ms; those not named take no time. */
  readonly delays?: Readonly<Partial<Record<EngineMethod, number>>>
}

const defaultMemory = 8 * 1024 ** 3

export class SimEngine extends SimImages implements Engine {
  readonly #options: SimEngineOptions
  readonly #clock: Clock
  readonly #events = new SimEvents()
  readonly #door: SimDoor
  readonly #life: SimLife

  constructor(options: SimEngineOptions) {
    const { clock, name = 'sim', cpus = 4, pathExists = () => true, delays = {} } = options
    const host = new SimHost({ name, cpus, pathExists })
    const door = new SimDoor({ clock, delays })
    const emit = (container: SimContainer, action: string) => this.#emit(container, action)
    super({
      host,
      door,
      clock,
      emit,
      usage: options.usage,
      memoryBytes: options.memoryBytes ?? defaultMemory,
      registry: options.registry ?? new SimRegistry(),
      emitImage: (action, id, name) => this.#events.emit({ type: 'image', action, id, name }),
    })
    this.#options = options
    this.#clock = clock
    this.#door = door
    this.#life = new SimLife({ host, clock, emit }, options.behaviour ?? (() => ({})))
  }

  /** Every call that wanted to change something, in order, failed ones too. */
  get calls(): SimCall[] {
    return this.#door.calls
  }

  /** How many calls wanted to change something so far; unlike `calls` never cleared. */
  get mutations(): number {
    return this.#door.mutations
  }

  /** From the next start of any container on. */
  behave(behaviour: BehaviourHook): void {
    this.#life.behave(behaviour)
  }

  /** Scripts failures; see SimFault. */
  fail(...faults: SimFault[]): void {
    this.#door.fail(...faults)
  }

  clearFaults(): void {
    this.#door.clearFaults()
  }

  /** While on, every call is EngineUnavailable and streams are cut; containers run on. */
  outage(isOn: boolean): void {
    this.#door.isOut = isOn
    if (isOn) this.#events.break()
  }

  /** The machine goes down and up again: all processes are gone, nothing else is. */
  reboot(): void {
    this.#events.break()
    for (const container of this.host.containers.values()) container.process?.lose()
  }

  /** Another process of the machine takes a host port, or lets go of it. */
  occupyPort(port: number, isTaken = true): void {
    if (isTaken) this.host.foreignPorts.add(port)
    else this.host.foreignPorts.delete(port)
  }

  /** Puts an image there without a pull. */
  loadImage(reference: string, image: SimImage): void {
    this.host.holdImage(image, reference, this.#clock.now())
  }

  buildImage(options: BuildOptions): Promise<BuiltImage> {
    const { builder, dockerfile, tags, args, labels } = options
    return this.#door.call('buildImage', [{ builder, dockerfile, tags, args, labels }], async () => {
      const { host, registry } = this
      const [clock, run, mustAnswer] = [
        this.#clock,
        this.#options.runs ?? (() => ({})),
        () => this.#door.mustAnswer(),
      ]
      const built = await SimBuild.run({ host, registry, clock, run, mustAnswer }, options)
      for (const tag of tags)
        this.#events.emit({ type: 'image', action: 'tag', id: built.image, name: familiarName(tag) })
      return built
    })
  }

  info(): Promise<EngineInfo> {
    const { name, cpus } = this.host.options
    return this.#door.call('info', [], () => ({
      id: `sim:${name}`,
      hostname: name,
      version: 'sim',
      builder: 'Classic' as const,
      apiVersion: simApiVersion,
      kernel: 'sim',
      operatingSystem: 'sim',
      architecture: 'x86_64',
      cpus,
      memoryBytes: this.#options.memoryBytes ?? defaultMemory,
      storageDriver: 'memory',
      rootDirectory: '/var/lib/docker',
      registries: { mirrors: [], insecure: ['127.0.0.0/8'] },
      containers: this.host.containers.size,
      images: this.host.images.size,
    }))
  }

  inspectContainer(container: string): Promise<ObservedContainer | undefined> {
    return this.#door.call('inspectContainer', [container], () => {
      const found = this.host.findContainer(container)
      return found && observeContainer(found)
    })
  }

  createContainer(create: ContainerCreate): Promise<{ id: string }> {
    return this.#door.call('createContainer', [create], () => {
      const container = this.#life.make(create, this.host.checkCreate(create))
      this.host.containers.set(container.id, container)
      this.#emit(container, 'create')
      return { id: container.id }
    })
  }

  startContainer(container: string): Promise<void> {
    return this.#door.call('startContainer', [container], () =>
      this.#life.start(this.host.mustContainer(container)),
    )
  }

  stopContainer(container: string, gracePeriod: number): Promise<void> {
    return this.#door.call('stopContainer', [container, gracePeriod], () =>
      this.#life.stop(this.host.mustContainer(container), gracePeriod),
    )
  }

  restartContainer(container: string, gracePeriod: number): Promise<void> {
    return this.#door.call('restartContainer', [container, gracePeriod], async () => {
      const found = this.host.mustContainer(container)
      await this.#life.stop(found, gracePeriod)
      this.#life.start(found)
      this.#emit(found, 'restart')
    })
  }

  pauseContainer(container: string): Promise<void> {
    return this.#door.call('pauseContainer', [container], () => {
      const found = this.host.mustContainer(container)
      if (found.state !== 'running') refuse('Conflict', `Container ${found.id} is not running`)
      found.process?.pause()
      found.state = 'paused'
      this.#emit(found, 'pause')
    })
  }

  unpauseContainer(container: string): Promise<void> {
    return this.#door.call('unpauseContainer', [container], () => {
      const found = this.host.mustContainer(container)
      if (found.state !== 'paused') refuse('Conflict', `Container ${found.id} is not paused`)
      found.state = 'running'
      found.process?.resume()
      this.#emit(found, 'unpause')
    })
  }

  renameContainer(container: string, name: string): Promise<void> {
    return this.#door.call('renameContainer', [container, name], () => {
      const found = this.host.mustContainer(container)
      if (found.name === name) refuse('InvalidSpec', 'a container is not renamed to the name it has')
      this.host.mustFreeName(name)
      found.name = name
      this.#emit(found, 'rename')
    })
  }

  updateContainer(container: string, limits: ResourceLimits): Promise<void> {
    return this.#door.call('updateContainer', [container, limits], () => {
      const found = this.host.mustContainer(container)
      this.host.checkLimits(limits)
      const lifted = limitsLifted(found.limits, limits)
      if (lifted !== undefined) refuse('InvalidSpec', lifted)
      found.limits = limits
      found.restartPolicy = 'no'
      this.#emit(found, 'update')
    })
  }

  removeContainer(container: string, options: RemoveOptions): Promise<void> {
    return this.#door.call('removeContainer', [container, options], () => {
      const found = this.host.mustContainer(container)
      if (options.ifEnded === true && isUp(found))
        refuse('Conflict', `You cannot remove a running container ${found.id}. Stop the container before`)
      found.process?.kill()
      this.host.containers.delete(found.id)
      if (options.anonymousVolumes) for (const name of found.anonymousVolumes) this.#dropUnused(name)
      this.#emit(found, 'destroy')
      wake(found)
    })
  }

  execContainer(container: string, options: ExecOptions): Promise<ExecProcess> {
    return this.#door.call('execContainer', [container, options.command], () => {
      const found = this.host.mustContainer(container)
      if (found.state !== 'running') refuse('Conflict', `Container ${found.id} is not running`)
      return runCommand(this.#options.commands?.(options.command), options)
    })
  }

  attachContainer(container: string, options: WantedStreams): Promise<AttachedProcess> {
    return this.#door.call('attachContainer', [container], () => {
      const found = this.host.mustContainer(container)
      if (found.state !== 'running' && found.state !== 'created')
        refuse('Conflict', `Container ${found.id} is not running`)
      const takesInput = options.stdin && found.create.stdin === true
      return attached({
        output: followOutput(found, options),
        takeInput: (data) => takesInput && found.process?.input(Buffer.from(data).toString()) === true,
      })
    })
  }

  async *containerLogs(container: string, options: LogOptions): AsyncGenerator<LogChunk> {
    const found = await this.#door.call('containerLogs', [container, options], () =>
      this.host.mustContainer(container),
    )
    yield* readOutput(found, options)
  }

  listNetworks() {
    return this.#door.call('listNetworks', [], () => [...this.host.networks.values()])
  }

  createNetwork(create: NetworkCreate): Promise<{ id: string }> {
    return this.#door.call('createNetwork', [create], () => {
      const { id, name } = this.host.makeNetwork(create, this.#clock.now())
      this.#events.emit({ type: 'network', action: 'create', id, name })
      return { id }
    })
  }

  removeNetwork(network: string): Promise<void> {
    return this.#door.call('removeNetwork', [network], () => {
      const found = this.host.mustNetwork(network)
      this.host.checkRemovable(found)
      this.host.networks.delete(found.name)
      this.#events.emit({ type: 'network', action: 'destroy', id: found.id, name: found.name })
    })
  }

  connectNetwork(container: string, attachment: NetworkAttachment): Promise<void> {
    return this.#door.call('connectNetwork', [container, attachment], () => {
      const network = this.host.mustNetwork(attachment.network)
      const found = this.host.mustContainer(container)
      this.host.join(found, network, attachment)
      this.#events.emit({
        type: 'network',
        action: 'connect',
        id: network.id,
        name: network.name,
        container: found.id,
      })
    })
  }

  disconnectNetwork(container: string, network: string): Promise<void> {
    return this.#door.call('disconnectNetwork', [container, network], () => {
      const { id, name } = this.host.mustNetwork(network)
      const found = this.host.mustContainer(container)
      this.host.leave(found, name)
      this.#events.emit({ type: 'network', action: 'disconnect', id, name, container: found.id })
    })
  }

  listVolumes() {
    return this.#door.call('listVolumes', [], () => [...this.host.volumes.values()])
  }

  createVolume(create: VolumeCreate): Promise<void> {
    return this.#door.call('createVolume', [create], () => {
      if (this.host.makeVolume(create, this.#clock.now())) this.#emitVolume(create.name, 'create')
    })
  }

  removeVolume(volume: string): Promise<void> {
    return this.#door.call('removeVolume', [volume], () => {
      if (!this.host.volumes.has(volume)) refuse('NotFound', `get ${volume}: no such volume`)
      const user = this.host.volumeUser(volume)
      if (user !== undefined) refuse('InUse', `remove ${volume}: volume is in use - [${user.id}]`)
      this.host.volumes.delete(volume)
      this.#emitVolume(volume, 'destroy')
    })
  }

  events(signal: AbortSignal): AsyncIterable<EngineEvent> {
    const stream = this.#events.subscribe(signal)
    if (this.#door.isOut) this.#events.break()
    return stream
  }

  async close(): Promise<void> {
    this.#events.break()
  }

  #dropUnused(volume: string): void {
    if (this.host.volumeUser(volume) !== undefined) return
    if (this.host.volumes.delete(volume)) this.#emitVolume(volume, 'destroy')
  }

  #emit(container: SimContainer, action: string): void {
    this.#events.emit({ type: 'container', action, id: container.id, name: container.name })
  }

  #emitVolume(name: string, action: string): void {
    this.#events.emit({ type: 'volume', action, id: name, name })
  }
}
