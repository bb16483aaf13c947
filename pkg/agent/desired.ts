/** What this node should hold: local copies of the API's objects, kept by list and watch. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { byKey, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type ConfigMap, configMapKind, type Secret, secretKind } from '#pkg/apis/core.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type Network, networkKind } from '#pkg/apis/network.ts'
import { type Volume, volumeKind } from '#pkg/apis/volume.ts'
import { Informer } from '#pkg/client/informer.ts'
import type { Client, ListOptions } from '#pkg/client/rest.ts'
import { imageGroup } from './image.ts'
import type { Desired } from './world.ts'

export interface DesiredOptions {
  readonly client: Client
  readonly ambient: Ambient
  readonly nodeName: string
  readonly onChange: () => void
}

export class DesiredState {
  readonly #containers: Informer<Container>
  readonly #volumes: Informer<Volume>
  readonly #networks: Informer<Network>
  readonly #secrets: Informer<Secret>
  readonly #configMaps: Informer<ConfigMap>

  constructor({ client, ambient, nodeName, onChange }: DesiredOptions) {
    const informer = <T extends KubeObject>(kind: Kind<T>, select: ListOptions = {}) =>
      new Informer<T>({ client, kind, ambient, select, onChange })
    this.#containers = informer(containerKind, { fieldSelector: `spec.nodeName=${nodeName}` })
    this.#volumes = informer(volumeKind)
    this.#networks = informer(networkKind)
    this.#secrets = informer(secretKind)
    this.#configMaps = informer(configMapKind)
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#informers().map((informer) => informer.run(signal)))
  }

  /** Resolves when every copy is complete, or the signal aborts. */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#informers().map((informer) => informer.synced(signal)))
  }

  snapshot(): Desired {
    return {
      containers: byKey(this.#containers.list()),
      volumes: byKey(this.#volumes.list()),
      networks: byKey(this.#networks.list()),
      secrets: byKey(this.#secrets.list()),
      configMaps: byKey(this.#configMaps.list()),
    }
  }

  /** The objects that a group's ops work for: one, or every Container that wants an image. */
  objectsOf(group: string): KubeObject[] {
    const [kind, ...rest] = group.split('/')
    const key = rest.join('/')
    if (kind === 'Image') {
      return [...this.#containers.list()].filter(({ spec }) => imageGroup(spec.image) === group)
    }
    const readers = { Container: this.#containers, Volume: this.#volumes, Network: this.#networks }
    const object = readers[kind as keyof typeof readers]?.get(key)
    return object === undefined ? [] : [object]
  }

  #informers() {
    return [this.#containers, this.#volumes, this.#networks, this.#secrets, this.#configMaps]
  }
}
