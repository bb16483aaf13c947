/**
 * The agent's one look at the engine, kept fresh cheaply: a full look at the start and at each resync, in between
 * only what events and own operations have touched. Events are hints and may be lost; the full look is the truth.
 */

import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import type {
  Engine,
  EngineEvent,
  ObservedContainer,
  ObservedImage,
  ObservedNetwork,
  ObservedVolume,
} from '#pkg/engine/port.ts'
import type { ImageConfig } from '#pkg/engine/settings.ts'
import { LogTails } from './logtails.ts'
import type { AgentOp } from './ops.ts'
import type { KnownImage, Observation } from './world.ts'

/** Healthchecks run inside containers all the time; nothing that is observed changes by them. */
const noise = /^(exec_|attach|resize|top|export|archive-path|extract-to-dir|copy)/

export interface Looking {
  readonly atWork?: (name: string) => boolean
  /** Which images are asked what they bring, by id. */
  readonly imagesOf?: (
    images: readonly ObservedImage[],
    containers: readonly ObservedContainer[],
  ) => ReadonlySet<string>
  /** Which images are read once in all their parts, by id. */
  readonly detailsOf?: (images: readonly ObservedImage[]) => ReadonlySet<string>
  /** Of which containers that have ended the last lines are wanted, by id, and how many. */
  readonly tailsOf?: (containers: readonly ObservedContainer[]) => ReadonlyMap<string, number>
  /** When this look begins; ms since the epoch. */
  readonly now?: number
  /** Ends the reading of logs. */
  readonly signal?: AbortSignal
  /** Called when the engine begins to fail to tell of a container that it has, with its id or name. */
  readonly onUnread?: (container: string, message: string) => void
}

export class Observer {
  readonly #engine: Engine
  readonly #containers = new Map<string, ObservedContainer>()
  #images: readonly ObservedImage[] = []
  /** By image id, which names the content: what was seen once holds. */
  #imageConfigs: ReadonlyMap<string, ImageConfig> = new Map()
  #imageDetails: ReadonlyMap<string, KnownImage> = new Map()
  readonly #tails: LogTails
  readonly #lookedAt = new Map<string, number>()
  #now = 0
  #networks: readonly ObservedNetwork[] = []
  #volumes: readonly ObservedVolume[] = []
  #everything = true
  /** By id or name; to the name when it is known. */
  readonly #dirtyContainers = new Map<string, string | undefined>()
  readonly #dirtyKinds = new Set<'image' | 'network' | 'volume'>()
  /** Why the engine did not tell of a container that it has, by id or name. */
  readonly #unread = new Map<string, string>()
  #onUnread: NonNullable<Looking['onUnread']> = () => {}
  /** Names of the last full look, by id: all that is known of one that the engine never told of. */
  #listed: ReadonlyMap<string, string> = new Map()

  constructor(engine: Engine) {
    this.#engine = engine
    this.#tails = new LogTails(engine)
  }

  /** The next look takes in everything. */
  invalidateAll(): void {
    this.#everything = true
  }

  /** By id or name. */
  invalidateContainer(container: string): void {
    this.#markContainer(container)
  }

  invalidateKind(kind: 'image' | 'network' | 'volume'): void {
    this.#dirtyKinds.add(kind)
  }

  /** What an op touched is looked at again, whether or not the engine's events say so in time. */
  noteOp(op: AgentOp): void {
    // It was paused meanwhile.
    if (op.type === 'commitImage') this.invalidateContainer(op.container)
    if (op.type.endsWith('Image')) this.invalidateKind('image')
    else if (op.type === 'createVolume' || op.type === 'removeVolume') this.invalidateKind('volume')
    else if (op.type === 'createNetwork' || op.type === 'removeNetwork') this.invalidateKind('network')
    else if (op.type === 'createContainer') this.invalidateContainer(op.create.name)
    else if ('container' in op) this.invalidateContainer(op.container)
  }

  /** Notes what an event may have changed; false when it is nothing to look at. */
  hint(event: EngineEvent): boolean {
    if (event.type === 'container') {
      if (noise.test(event.action)) return false
      this.#markContainer(event.id, event.name)
      if (event.action === 'rename') this.#markLinked()
      return true
    }
    if (event.type === 'network' && event.container !== undefined) this.#markContainer(event.container)
    else if (event.type !== 'volume' || !/^(un)?mount$/.test(event.action)) this.#dirtyKinds.add(event.type)
    else return false
    return true
  }

  /**
   * Throws EngineUnavailable when the engine is away; what was dirty stays dirty then. Containers `atWork` are left
   * for a later look: the engine answers questions about one only when it has started or stopped, and everybody else
   * would wait for that. `imagesOf` picks the images that are asked what they bring, by id; `tailsOf` the containers whose last
   * lines are, once for each end of theirs.
   */
  async observe(looking: Looking = {}): Promise<Observation> {
    const { atWork = () => false, imagesOf = () => new Set(), tailsOf = () => new Map() } = looking
    const { signal = new AbortController().signal } = looking
    this.#now = looking.now ?? 0
    this.#onUnread = looking.onUnread ?? (() => {})
    if (this.#everything) await this.#lookAtAll()
    else await this.#lookAtDirty(atWork)
    const containers = [...this.#containers.values()]
    for (const id of this.#lookedAt.keys()) if (!this.#containers.has(id)) this.#lookedAt.delete(id)
    await this.#askImages(imagesOf(this.#images, containers))
    await this.#askDetails(looking.detailsOf?.(this.#images) ?? new Set())
    const logTails = await this.#tails.of(containers, tailsOf(containers), signal)
    return {
      containers,
      containerNames: new Map([
        ...this.#namesUntold(),
        ...containers.map(({ name, id }) => [name, id] as const),
      ]),
      images: this.#images,
      imageConfigs: this.#imageConfigs,
      imageDetails: this.#imageDetails,
      networks: this.#networks,
      volumes: this.#volumes,
      logTails,
      lookedAt: new Map(this.#lookedAt),
    }
  }

  /** Links are told by the names that the linked ones have now. */
  #markLinked(): void {
    for (const { id, name, links } of this.#containers.values())
      if (links !== undefined) this.#markContainer(id, name)
  }

  async #lookAtAll(): Promise<void> {
    this.#everything = false
    this.#dirtyContainers.clear()
    this.#dirtyKinds.clear()
    try {
      const [listed, images, networks, volumes] = await Promise.all([
        this.#engine.listContainers(),
        this.#engine.listImages(),
        this.#engine.listNetworks(),
        this.#engine.listVolumes(),
      ])
      const known = new Set(listed.map(({ id }) => id))
      this.#listed = new Map(listed.map(({ id, name }) => [id, name]))
      for (const id of this.#containers.keys()) if (!known.has(id)) this.#containers.delete(id)
      for (const id of this.#unread.keys()) if (!known.has(id)) this.#unread.delete(id)
      await this.#inspect([...known])
      this.#images = images
      this.#networks = networks
      this.#volumes = volumes
    } catch (error) {
      this.#everything = true
      throw error
    }
  }

  async #askImages(images: ReadonlySet<string>): Promise<void> {
    const known = this.#imageConfigs
    if ([...images].every((id) => known.has(id)) && known.size === images.size) return
    const configs = await Promise.all(
      [...images].map(async (id) => [id, known.get(id) ?? (await this.#engine.inspectImage(id))] as const),
    )
    this.#imageConfigs = new Map(
      configs.flatMap(([id, config]) => (config === undefined ? [] : [[id, config]])),
    )
  }

  async #askDetails(images: ReadonlySet<string>): Promise<void> {
    const known = this.#imageDetails
    if ([...images].every((id) => known.has(id)) && known.size === images.size) return
    const answers = await Promise.all(
      [...images].map(async (id) => [id, known.get(id) ?? (await this.#askAbout(id))] as const),
    )
    this.#imageDetails = new Map(
      answers.flatMap(([id, answer]) => (answer === undefined ? [] : [[id, answer]])),
    )
  }

  /** Undefined for one that has just gone. */
  async #askAbout(id: string): Promise<KnownImage | undefined> {
    const details = await this.#engine.imageDetails(id)
    if (details === undefined) return undefined
    try {
      return { details, history: await this.#engine.imageHistory(id) }
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  #markContainer(container: string, name?: string): void {
    const known = name ?? this.#dirtyContainers.get(container) ?? this.#containers.get(container)?.name
    this.#dirtyContainers.set(container, known)
  }

  async #lookAtDirty(atWork: (name: string) => boolean): Promise<void> {
    const containers = [...this.#dirtyContainers].filter(([key, name]) => !atWork(name ?? key))
    const kinds = [...this.#dirtyKinds]
    for (const [container] of containers) this.#dirtyContainers.delete(container)
    this.#dirtyKinds.clear()
    try {
      const ids = containers.map(([container]) => container)
      await Promise.all([this.#inspect(ids), ...kinds.map((kind) => this.#list(kind))])
    } catch (error) {
      for (const [container, name] of containers) this.#markContainer(container, name)
      for (const kind of kinds) this.#dirtyKinds.add(kind)
      throw error
    }
  }

  /** One that cannot be told of, as after damage to its files, keeps nobody else from being looked at. */
  async #inspect(containers: readonly string[]): Promise<void> {
    const answers = await Promise.allSettled(containers.map((container) => this.#ask(container)))
    const failures = answers.flatMap((answer, index) =>
      answer.status === 'rejected' ? [{ container: containers[index] ?? '', error: answer.reason }] : [],
    )
    const isAway = failures.length === containers.length
    for (const { container, error } of failures) {
      const isUnknown = !this.#containers.has(container)
      // Of an engine that is going away nothing new is known; what was known of others may be old by now.
      if (isReason(error, 'EngineUnavailable') && (isAway || isUnknown)) throw error
      if (isReason(error, 'EngineUnavailable')) this.#everything = true
      this.#markContainer(container)
      const message = messageOf(error)
      if (this.#unread.get(container) !== message) this.#onUnread(container, message)
      this.#unread.set(container, message)
    }
  }

  async #ask(container: string): Promise<void> {
    const observed = await this.#engine.inspectContainer(container)
    this.#unread.delete(container)
    if (observed === undefined) return this.#forget(container)
    this.#containers.set(observed.id, observed)
    this.#lookedAt.set(observed.id, this.#now)
  }

  /** Nobody can be given the name of one that the engine has and tells nothing of. */
  #namesUntold(): [string, string][] {
    return [...this.#listed].flatMap(([id, name]) =>
      this.#unread.has(id) && !this.#containers.has(id) ? [[name, id]] : [],
    )
  }

  #forget(container: string): void {
    this.#containers.delete(container)
    for (const [id, { name }] of this.#containers) if (name === container) this.#containers.delete(id)
  }

  async #list(kind: 'image' | 'network' | 'volume'): Promise<void> {
    if (kind === 'image') this.#images = await this.#engine.listImages()
    if (kind === 'network') this.#networks = await this.#engine.listNetworks()
    if (kind === 'volume') this.#volumes = await this.#engine.listVolumes()
  }
}
