/** All of an agent that has to do with pruning: when images were last used, what policies ask for, and what people do. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { NodePrune } from '#pkg/apis/looks.prune.ts'
import { type PrunePolicy, type PrunePolicySpec, prunePolicyKind } from '#pkg/apis/prunepolicy.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import type { Engine, EngineEvent } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { Disk } from '../disk.ts'
import { findImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import type { OwnerOf } from '../owned.ts'
import type { Reporter } from '../reporter.ts'
import type { Desired, World } from '../world.ts'
import { LastUsed, type UseStore } from './lastused.ts'
import { Pruner } from './pruner.ts'

export interface PruneRoomOptions {
  readonly engine: Engine
  readonly ambient: Ambient
  readonly nodeName: string
  /** Where it is kept when images were last used; absent: nothing outlives the run. */
  readonly uses?: UseStore
  readonly reporter: Reporter
  readonly record: (note: EventNote) => void
  readonly perform: (op: AgentOp, signal: AbortSignal) => Promise<void>
  readonly ownerOf: OwnerOf
  /** Undefined: no server has said yet whose this node is. */
  readonly clusterID: () => string | undefined
  readonly desired: () => Desired
  readonly busy: () => ReadonlySet<string>
  readonly readDisk: () => Promise<Disk | undefined>
  /** Called when something was removed, or may have been. */
  readonly onChange: () => void
}

export class PruneRoom {
  readonly #options: PruneRoomOptions
  readonly #lastUsed: LastUsed
  readonly #pruner: Pruner

  constructor(options: PruneRoomOptions) {
    this.#options = options
    const { ambient, uses, reporter } = options
    this.#lastUsed = new LastUsed({ ambient, ...(uses !== undefined && { store: uses }) })
    this.#pruner = new Pruner({
      ...options,
      know: () => this.#know(),
      report: (policy: PrunePolicy, status) => reporter.report(prunePolicyKind, policy, status),
      onEnd: options.onChange,
    })
  }

  /** Takes up what an earlier run knew. */
  recall(): Promise<void> {
    return this.#lastUsed.recall()
  }

  noteEvent(event: EngineEvent): void {
    this.#lastUsed.noteEvent(event)
  }

  noteOp(result: OpResult<AgentOp>): void {
    if (result.outcome === 'failed' && isReason(result.error, 'NoSpace')) this.#pruner.noteNoSpace()
  }

  /** Begins what is due; when to ask again although nothing changed. */
  pass(world: World, signal: AbortSignal): number | undefined {
    const { images, containers } = world.observed
    this.#lastUsed.sync(images, containers)
    this.#lastUsed.keep()
    this.#pruner.forget((key) => {
      const reference = world.desired.images.get(key)?.status?.reference
      return reference === undefined || findImage(images, reference) !== undefined
    })
    return this.#pruner.consider(world, signal)
  }

  facts(): Pick<World, 'collected'> {
    return { collected: this.#pruner.collected() }
  }

  /** When a container last ran it, or somebody pulled or named it. */
  lastUsedOf(image: string): string {
    return timestamp(this.#lastUsed.of(image))
  }

  /** Throws ServiceUnavailable while it is not known what must stay. */
  async ask(spec: PrunePolicySpec, dryRun: boolean, signal: AbortSignal): Promise<NodePrune> {
    const { desired, record, nodeName } = this.#options
    if (!desired().isWhole)
      throw new StatusError('ServiceUnavailable', 'the node does not know yet all that must stay on it')
    const done = await this.#pruner.ask(spec, dryRun, signal)
    const node = { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: nodeName } }
    const { removed, failed, reclaimedBytes } = done
    const message = `somebody asked: ${removed.length} removed, ${failed.length} could not be, ${reclaimedBytes} bytes reclaimed`
    if (!dryRun) record({ object: node, type: 'Normal', reason: 'Pruned', message })
    return done
  }

  async close(): Promise<void> {
    await this.#pruner.idle()
    await this.#lastUsed.close()
  }

  #know() {
    const { ambient, clusterID, desired, busy, ownerOf } = this.#options
    return {
      now: ambient.clock.now(),
      clusterID: clusterID() ?? '',
      desired: desired(),
      busy: busy(),
      ownerOf,
      lastUsed: (image: string) => this.#lastUsed.of(image),
    }
  }
}
