/** A simulated engine full of things that may be pruned or not, policies as the API has them, and a prune of it. */

import type { Disk } from '#pkg/agent/disk.ts'
import type { AgentOp } from '#pkg/agent/ops.ts'
import { keepSet } from '#pkg/agent/prune/keepset.ts'
import type { PruneRequest } from '#pkg/agent/prune/prune.plan.ts'
import { type Knowledge, type PruningParts, prune } from '#pkg/agent/prune/pruning.ts'
import type { PruneSight } from '#pkg/agent/prune/sight.ts'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { PrunePolicySpec } from '#pkg/apis/prunepolicy.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ContainerCreate } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import type { HeldImage } from '#pkg/engine/simhost.ts'
import { makeSimImage, type SimImageSpec } from '#pkg/engine/simregistry.ts'
import { clusterID, now, prunePolicy, world } from './world.ts'

export const day = 86_400_000

export interface ImageParts extends SimImageSpec {
  readonly tags?: readonly string[]
  readonly digests?: readonly string[]
  readonly parent?: string
  /** Days since its last use. */
  readonly unused?: number
}

export class PruneWorld {
  readonly clock = new ManualClock(now)
  readonly engine = new SimEngine({ clock: this.clock })
  readonly lastUsed = new Map<string, number>()
  readonly performed: AgentOp[] = []
  readonly busy = new Set<string>()
  readonly collected: string[] = []
  objects: readonly KubeObject[] = []
  /** What the disk says, given how many bytes of layers there are. */
  diskOf: (layersBytes: number) => Disk | undefined = () => undefined

  /** Resolves with its id. */
  image(content: string, parts: ImageParts = {}): string {
    const { tags = [], digests = [], parent, unused = 30, ...spec } = parts
    const layers = { ...parentLayers(this.engine, parent), ...(spec.layers ?? { [content]: 10 }) }
    const held = this.engine.host.keepImage(
      makeSimImage({ cmd: ['serve'], content, ...spec, layers }, content),
      now - 60 * day,
      parent,
    )
    for (const tag of tags) this.engine.host.tagImage(held, tag)
    for (const repository of digests) held.digests.add(`${repository}@${held.image.id}`)
    this.lastUsed.set(held.image.id, now - unused * day)
    return held.image.id
  }

  /** Made long ago, and never started unless `up`. */
  async container(
    name: string,
    image: string,
    more: Partial<ContainerCreate> = {},
    up = false,
  ): Promise<string> {
    const limits = { cpus: 0, memoryBytes: 0, pids: 0 }
    const create = { name, image, env: {}, labels: {}, ports: [], mounts: [], networks: [], limits, ...more }
    const { id } = await this.engine.createContainer(create)
    if (up) await this.engine.startContainer(name)
    return id
  }

  async network(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.engine.createNetwork({
      name,
      driver: 'bridge',
      internal: false,
      options: {},
      labels,
      ipam: [],
    })
  }

  async volume(name: string, labels: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.engine.createVolume({ name, driver: 'local', options: {}, labels })
  }

  know(): Knowledge {
    const { desired } = world({ objects: this.objects })
    return {
      now: this.clock.now(),
      clusterID,
      desired,
      busy: this.busy,
      lastUsed: (id) => this.lastUsed.get(id) ?? this.clock.now(),
      ownerOf: ({ labels }) =>
        labels[engineLabels.cluster] === clusterID
          ? { namespace: labels[engineLabels.namespace] ?? '', name: labels[engineLabels.name] ?? '' }
          : undefined,
    }
  }

  async sight(): Promise<PruneSight> {
    const { engine } = this
    const listed = await engine.listContainers()
    const containers = await Promise.all(listed.map(({ id }) => engine.inspectContainer(id)))
    return {
      ...this.know(),
      images: await engine.listAllImages(),
      containers: containers.flatMap((each) => each ?? []),
      untold: [],
      networks: await engine.listNetworks(),
      volumes: await engine.listVolumes(),
      usage: await engine.diskUsage(),
    }
  }

  async keepSet() {
    return keepSet(await this.sight())
  }

  run(spec: PrunePolicySpec, because: PruneRequest['because'] = 'Schedule', dryRun = false) {
    const request = { spec, group: 'Prune/test', because }
    return prune(this.parts(), { request, dryRun, signal: new AbortController().signal })
  }

  parts(): PruningParts {
    return {
      engine: this.engine,
      know: () => this.know(),
      readDisk: async () => this.diskOf((await this.engine.diskUsage()).layersBytes),
      perform: (op) => this.#perform(op),
      onImage: (image) => this.collected.push(image),
    }
  }

  async #perform(op: AgentOp): Promise<void> {
    this.performed.push(op)
    try {
      await this.#call(op)
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
    }
  }

  async #call(op: AgentOp): Promise<unknown> {
    const { engine } = this
    if (op.type === 'removeContainer')
      return engine.removeContainer(op.container, { anonymousVolumes: false, ifEnded: true })
    if (op.type === 'removeImage') return engine.removeImage(op.reference ?? op.image, { force: false })
    if (op.type === 'removeNetwork') return engine.removeNetwork(op.network)
    if (op.type === 'removeVolume') return engine.removeVolume(op.volume)
    if (op.type === 'pruneBuildCache') return engine.pruneBuildCache(op)
    throw new Error(`a prune does not ${op.type}`)
  }
}

function parentLayers(engine: SimEngine, parent: string | undefined): Readonly<Record<string, number>> {
  const held: HeldImage | undefined = parent === undefined ? undefined : engine.host.images.get(parent)
  return held?.image.spec.layers ?? {}
}

/** A policy's spec as the API completes it. */
export function pruneSpec(spec: Record<string, unknown>): PrunePolicySpec {
  return prunePolicy('test', spec).spec
}
