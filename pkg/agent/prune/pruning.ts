/**
 * Doing one prune: looks at the engine as a whole, plans, removes one thing after the other, and tells what became of each.
 * What turns out to be in use after all stays, and is no failure; whatever is wanted by now stays too.
 */
import { isAbort, isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import type { NodePrune, PrunedThing } from '#pkg/apis/looks.prune.ts'
import type { DiskUsage } from '#pkg/engine/images.ts'
import type { Engine } from '#pkg/engine/port.ts'
import type { Disk } from '../disk.ts'
import type { AgentOp } from '../ops.ts'
import { keepSet } from './keepset.ts'
import { type PruneItem, type PrunePlan, type PruneRequest, planPrune } from './prune.plan.ts'
import type { Kept, PruneSight } from './sight.ts'

/** What the engine does not tell. */
export type Knowledge = Pick<PruneSight, 'now' | 'clusterID' | 'desired' | 'lastUsed' | 'busy' | 'ownerOf'>

export interface PruningParts {
  readonly engine: Engine
  readonly know: () => Knowledge
  readonly readDisk: () => Promise<Disk | undefined>
  readonly perform: (op: AgentOp, signal: AbortSignal) => Promise<void>
  /** Called before an image goes, so that nobody misses it. */
  readonly onImage: (image: string) => void
}

export interface PruneOptions {
  readonly request: PruneRequest
  readonly dryRun: boolean
  readonly signal: AbortSignal
}

export async function prune(parts: PruningParts, options: PruneOptions): Promise<NodePrune> {
  const { request, dryRun, signal } = options
  const sight = await lookAround(parts, signal)
  const plan = planPrune(request, sight)
  if (dryRun) return asDryRun(plan)
  const run = new Run(parts, options, sight)
  for (const item of plan.items) await run.remove(item)
  const reclaimed = run.removed.length === 0 ? undefined : await parts.engine.diskUsage(signal)
  return run.answer(plan, reclaimed)
}

async function lookAround(
  { engine, know, readDisk }: PruningParts,
  signal: AbortSignal,
): Promise<PruneSight> {
  const disk = await readDisk()
  const [usage, images, networks, volumes] = await Promise.all([
    engine.diskUsage(signal),
    engine.listAllImages(),
    engine.listNetworks(),
    engine.listVolumes(),
  ])
  // Containers come last: whatever is seen of the rest, nothing is seen of it that a container uses by now.
  const listed = await engine.listContainers()
  const asked = await Promise.all(
    listed.map(async (one) => {
      try {
        return { one, told: await engine.inspectContainer(one.id) }
      } catch (error) {
        if (isReason(error, 'EngineUnavailable')) throw error
        return { one, error: messageOf(error) }
      }
    }),
  )
  const containers = asked.flatMap(({ told }) => told ?? [])
  const untold = asked.flatMap(({ one, error }) => (error === undefined ? [] : [one]))
  const rest = { images, networks, volumes, containers, untold, usage }
  return { ...know(), ...rest, ...(disk !== undefined && { disk }) }
}

function asDryRun({ items, kept }: PrunePlan): NodePrune {
  const removed = items.map(({ what, why, bytes }) => ({ what, why, bytes }))
  return { removed, kept, failed: [], reclaimedBytes: sumOf(removed) }
}

function sumOf(things: readonly { readonly bytes: number }[]): number {
  return things.reduce((sum, { bytes }) => sum + bytes, 0)
}

class Run {
  readonly #parts: PruningParts
  readonly #options: PruneOptions
  readonly #sight: PruneSight
  readonly #removed: PruneItem[] = []
  readonly #kept: Kept[] = []
  readonly #failed: Kept[] = []
  /** Ids of containers that have gone. */
  readonly #gone = new Set<string>()
  #hasRoom = false

  constructor(parts: PruningParts, options: PruneOptions, sight: PruneSight) {
    this.#parts = parts
    this.#options = options
    this.#sight = sight
  }

  get removed(): readonly PruneItem[] {
    return this.#removed
  }

  async remove(item: PruneItem): Promise<void> {
    const { signal } = this.#options
    signal.throwIfAborted()
    const why = (await this.#whyNoNeed()) ?? this.#whyWantedNow(item)
    if (why !== undefined) {
      this.#kept.push({ what: item.what, why })
      return
    }
    if (item.image !== undefined) this.#parts.onImage(item.image)
    try {
      for (const { op } of item.ops) await this.#parts.perform(op, signal)
      for (const { op } of item.ops) if ('container' in op) this.#gone.add(op.container)
      this.#removed.push(item)
    } catch (error) {
      if (signal.aborted && isAbort(error)) throw error
      const inUse = isReason(error, 'InUse') || isReason(error, 'Conflict')
      if (inUse) this.#kept.push({ what: item.what, why: `it is in use after all: ${messageOf(error)}` })
      else this.#failed.push({ what: item.what, why: messageOf(error) })
    }
  }

  /** Sizes are estimates: the disk itself says when it has room. */
  async #whyNoNeed(): Promise<string | undefined> {
    const { spec, because } = this.#options.request
    if (because !== 'Disk' || spec.disk === undefined) return undefined
    const disk = this.#hasRoom ? undefined : await this.#parts.readDisk()
    this.#hasRoom ||= disk !== undefined && disk.usedPercent <= spec.disk.low
    return this.#hasRoom ? 'the disk has room without it' : undefined
  }

  /** Somebody may have come to want it since the look. */
  #whyWantedNow({ image: id }: PruneItem): string | undefined {
    const image = this.#sight.images.find((each) => each.id === id)
    if (image === undefined) return undefined
    return keepSet({ ...this.#sight, ...this.#parts.know() }, this.#gone).image(image)
  }

  /** `after`: what lies on the disk now; absent: nothing was removed. */
  answer({ kept }: PrunePlan, after: DiskUsage | undefined): NodePrune {
    const { usage: before } = this.#sight
    const cacheBytes = after === undefined ? 0 : Math.max(0, cacheOf(before) - cacheOf(after))
    const removed = this.#removed.map((item): PrunedThing => {
      const { what, why } = item
      return { what, why, bytes: isCache(item) ? cacheBytes : item.bytes }
    })
    const images = this.#removed.filter(({ image }) => image !== undefined)
    // What several of them shared is in none of their sizes; what came meanwhile hides what went.
    const layers = after === undefined || images.length === 0 ? 0 : before.layersBytes - after.layersBytes
    const more = Math.max(0, layers - sumOf(images))
    return {
      removed,
      kept: [...this.#kept, ...kept],
      failed: this.#failed,
      reclaimedBytes: sumOf(removed) + more,
    }
  }
}

function isCache({ ops }: PruneItem): boolean {
  return ops.some(({ op }) => op.type === 'pruneBuildCache')
}

function cacheOf({ buildCache }: DiskUsage): number {
  return sumOf(buildCache.map(({ sizeBytes }) => ({ bytes: sizeBytes })))
}
