/**
 * What this node should hold: local copies of the API's objects, kept by list and watch. Only of those that a node may
 * read: the Containers bound to it, the Volumes and Networks placed on it, and by name what its Containers name.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { byKey, type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { referencesOfBuild } from '#pkg/apis/build.references.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { type Reference, referencesOf } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type ConfigMap, configMapKind, type Secret, secretKind } from '#pkg/apis/core.ts'
import { referencesOfImage } from '#pkg/apis/image.references.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type Network, networkKind } from '#pkg/apis/network.ts'
import { type Node, nodeKind } from '#pkg/apis/node.ts'
import { type PrunePolicy, prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import { type Registry, registryKind } from '#pkg/apis/registry.ts'
import { type Volume, volumeKind } from '#pkg/apis/volume.ts'
import { nodeLabel } from '#pkg/apis/wellknown.ts'
import { Informer } from '#pkg/client/informer.ts'
import { NamedObjects } from '#pkg/client/named.ts'
import type { Client, ListOptions } from '#pkg/client/rest.ts'
import { imageGroup } from './image.ts'
import { withFollowedImages } from './images/following.ts'
import { imageGroups, imageOfGroup } from './images/imagegroups.ts'
import type { Answers, DesiredCopy } from './nodecopy.ts'
import { type Desired, groupOf } from './world.ts'

export interface DesiredOptions {
  readonly client: Client
  readonly ambient: Ambient
  readonly nodeName: string
  readonly onChange: () => void
  /** Whether the server answers now: what an earlier run was told is then not acted on before it is confirmed. */
  readonly serverAnswers: () => boolean
}

export class DesiredState {
  readonly #containers: Informer<Container>
  /** Placed on this node. */
  readonly #volumes: Informer<Volume>
  readonly #networks: Informer<Network>
  readonly #images: Informer<Image>
  readonly #builds: Informer<Build>
  readonly #registries: Informer<Registry>
  readonly #prunePolicies: Informer<PrunePolicy>
  /** The node's own. */
  readonly #nodes: Informer<Node>
  /** Named by a Container: of Volumes and Networks those that are not placed here, or not yet. */
  readonly #named: {
    readonly Secret: NamedObjects<Secret>
    readonly ConfigMap: NamedObjects<ConfigMap>
    readonly Volume: NamedObjects<Volume>
    readonly Network: NamedObjects<Network>
    readonly Image: NamedObjects<Image>
  }
  readonly #references = new WeakMap<Container, readonly Reference[]>()
  readonly #serverAnswers: () => boolean
  /** Whether what is wanted may have changed. */
  #stale = true

  constructor({ client, ambient, nodeName, onChange, serverAnswers }: DesiredOptions) {
    this.#serverAnswers = serverAnswers
    const changed = () => {
      this.#stale = true
      onChange()
    }
    const informer = <T extends KubeObject>(kind: Kind<T>, select: ListOptions) =>
      new Informer<T>({ client, kind, ambient, select, onChange: changed })
    const named = <T extends KubeObject>(kind: Kind<T>) =>
      new NamedObjects<T>({ client, kind, ambient, onChange })
    this.#containers = informer(containerKind, { fieldSelector: `spec.nodeName=${nodeName}` })
    this.#volumes = informer(volumeKind, { fieldSelector: `spec.nodeName=${nodeName}` })
    this.#networks = informer(networkKind, { labelSelector: nodeLabel(nodeName) })
    this.#images = informer(imageKind, { labelSelector: nodeLabel(nodeName) })
    this.#builds = informer(buildKind, { fieldSelector: `spec.nodeName=${nodeName}` })
    this.#registries = informer(registryKind, {})
    this.#prunePolicies = informer(prunePolicyKind, {})
    this.#nodes = informer(nodeKind, { fieldSelector: `metadata.name=${nodeName}` })
    this.#named = {
      Secret: named(secretKind),
      ConfigMap: named(configMapKind),
      Volume: named(volumeKind),
      Network: named(networkKind),
      Image: named(imageKind),
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const parts = [...this.#copies(), ...Object.values(this.#named)]
    await Promise.all(parts.map((part) => part.run(signal)))
  }

  /** What an earlier run was told, until the server says what is true now; before `run`. */
  seed({ containers, volumes, networks, named, ...copy }: DesiredCopy): void {
    this.#containers.seed(containers)
    this.#volumes.seed(volumes)
    this.#networks.seed(networks)
    this.#images.seed(copy.images)
    this.#builds.seed(copy.builds)
    this.#registries.seed(copy.registries)
    this.#prunePolicies.seed(copy.prunePolicies)
    this.#nodes.seed(copy.nodes)
    this.#named.Secret.seed(answersOf(named.Secret))
    this.#named.ConfigMap.seed(answersOf(named.ConfigMap))
    this.#named.Volume.seed(answersOf(named.Volume))
    this.#named.Network.seed(answersOf(named.Network))
    this.#named.Image.seed(answersOf(named.Image))
  }

  /** For a next run: everything that the server has told. */
  copy(): DesiredCopy {
    const { Secret, ConfigMap, Volume, Network, Image } = this.#named
    return {
      containers: [...this.#containers.list()],
      volumes: [...this.#volumes.list()],
      networks: [...this.#networks.list()],
      images: [...this.#images.list()],
      builds: [...this.#builds.list()],
      registries: [...this.#registries.list()],
      prunePolicies: [...this.#prunePolicies.list()],
      nodes: [...this.#nodes.list()],
      named: {
        Secret: asAnswers(Secret.answers()),
        ConfigMap: asAnswers(ConfigMap.answers()),
        Volume: asAnswers(Volume.answers()),
        Network: asAnswers(Network.answers()),
        Image: asAnswers(Image.answers()),
      },
    }
  }

  /** Whether the server has said in this run which Containers there are. */
  isTold(): boolean {
    return this.#containers.isComplete()
  }

  /** The server is back: nothing rests any longer. */
  retryNow(): void {
    for (const part of [...this.#copies(), ...Object.values(this.#named)]) part.retryNow()
  }

  /** Resolves when every copy of what is placed here is complete, or the signal aborts. */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#placed().map((informer) => informer.synced(signal)))
  }

  snapshot(): Desired {
    this.#follow()
    const { Secret, ConfigMap, Volume, Network, Image } = this.#named
    const [node] = this.#nodes.list()
    const images = byKey([...Image.list(), ...this.#images.list()])
    return {
      containers: withFollowedImages(byKey(this.#containers.list()), images),
      volumes: byKey([...Volume.list(), ...this.#volumes.list()]),
      networks: byKey([...Network.list(), ...this.#networks.list()]),
      secrets: byKey(Secret.list()),
      configMaps: byKey(ConfigMap.list()),
      images,
      builds: byKey(this.#builds.list()),
      registries: byKey(this.#registries.list()),
      prunePolicies: byKey(this.#prunePolicies.list()),
      ...(node !== undefined && { node }),
      isWhole: this.#copies().every((copy) => copy.isComplete()),
    }
  }

  /**
   * Groups of Containers and Images of which something they name has not been read yet: whether it exists is not known, so nothing
   * can be said or done about them.
   */
  loading(): ReadonlySet<string> {
    this.#follow()
    const waiting = [...this.#containers.list()].filter((container) =>
      this.#referencesOf(container).some((reference) => this.#isLoading(reference)),
    )
    const images = [...this.#images.list()].filter((image) =>
      referencesOfImage(image).some((reference) => this.#isLoading(reference)),
    )
    const builds = [...this.#builds.list()].filter((build) =>
      referencesOfBuild(build).some((reference) => this.#isLoading(reference)),
    )
    return new Set([
      ...waiting.map(({ metadata }) => groupOf('Container', metadata)),
      ...images.flatMap(({ metadata }) => imageGroups(metadata)),
      ...builds.map(({ metadata }) => groupOf('Build', metadata)),
    ])
  }

  #isLoading({ kind, optional, ...meta }: Reference): boolean {
    const key = objectKey(meta)
    const named = this.#named[kind]
    // What counts only if it is there is waited for while somebody can say so.
    if (optional) return this.#serverAnswers() && named.isLoading(key)
    // Containers as they are now, and what they name as it was: nobody asked for that.
    const isHalfNew = this.isTold() && this.#serverAnswers() && named.isOld(key)
    return named.isLoading(key) || isHalfNew
  }

  /** The objects that a group's ops work for: one, or every Container that wants an image. */
  objectsOf(group: string): KubeObject[] {
    const [kind, ...rest] = group.split('/')
    const key = rest.join('/')
    if (kind === 'Pull') {
      const { containers, ...stored } = this.snapshot()
      return [...containers.values()].filter((container) => imageGroup(container, stored) === group)
    }
    if (kind === 'EngineConfig') return [...this.#nodes.list()]
    const readers = {
      Container: this.#containers,
      Volume: this.#volumes,
      Network: this.#networks,
      Build: this.#builds,
    }
    const image = imageOfGroup(group)
    const object =
      image === undefined ? readers[kind as keyof typeof readers]?.get(key) : this.#images.get(image)
    return object === undefined ? [] : [object]
  }

  /** Asks for what is named now, and no longer for what is not. */
  #follow(): void {
    if (!this.#stale) return
    this.#stale = false
    const wanted = {
      Secret: new Set<string>(),
      ConfigMap: new Set<string>(),
      Volume: new Set<string>(),
      Network: new Set<string>(),
      Image: new Set<string>(),
    }
    for (const { kind, optional: _, ...meta } of this.#allReferences()) wanted[kind].add(objectKey(meta))
    for (const { metadata } of this.#volumes.list()) wanted.Volume.delete(objectKey(metadata))
    for (const { metadata } of this.#networks.list()) wanted.Network.delete(objectKey(metadata))
    for (const { metadata } of this.#images.list()) wanted.Image.delete(objectKey(metadata))
    for (const kind of ['Secret', 'ConfigMap', 'Volume', 'Network', 'Image'] as const)
      this.#named[kind].want(wanted[kind])
  }

  *#allReferences(): Generator<Reference> {
    for (const container of this.#containers.list()) yield* this.#referencesOf(container)
    for (const image of this.#images.list()) yield* referencesOfImage(image)
    for (const build of this.#builds.list()) yield* referencesOfBuild(build)
    for (const { spec } of this.#registries.list()) if (spec.secret) yield { kind: 'Secret', ...spec.secret }
  }

  /** Of one that is to run: what is to stop needs nothing. */
  #referencesOf(container: Container): readonly Reference[] {
    const known = this.#references.get(container)
    if (known !== undefined) return known
    const runs = container.metadata.deletionTimestamp === undefined && container.spec.state !== 'Stopped'
    const references = runs ? referencesOf(container) : []
    this.#references.set(container, references)
    return references
  }

  #placed() {
    return [this.#containers, this.#volumes, this.#networks]
  }

  #copies() {
    return [...this.#placed(), this.#images, this.#builds, this.#registries, this.#prunePolicies, this.#nodes]
  }
}

function answersOf<T>(answers: Answers<T>): Map<string, T | undefined> {
  return new Map(Object.entries(answers).map(([key, object]) => [key, object ?? undefined]))
}

function asAnswers<T>(answers: ReadonlyMap<string, T | undefined>): Answers<T> {
  return Object.fromEntries([...answers].map(([key, object]) => [key, object ?? null]))
}
