/**
 * Prunes of one node, one at a time: those that PrunePolicies ask for, by their schedules and when the disk is too full, and
 * those that somebody asks for. Tells each policy's status what its last run did here, and each decision as an event.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isAbort, messageOf } from '#pkg/apimachinery/errors.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { NodePrune } from '#pkg/apis/looks.prune.ts'
import type {
  PruneNodeState,
  PrunePolicy,
  PrunePolicySpec,
  PrunePolicyStatus,
} from '#pkg/apis/prunepolicy.ts'
import type { EventNote } from '#pkg/client/recorder.ts'
import { isAhead } from '../ahead.ts'
import type { World } from '../world.ts'
import { withImagesOf } from './collected.ts'
import { type PruningParts, prune } from './pruning.ts'
import { notesOf, ownPart, stateAfter, statusOf } from './report.ts'
import { type DuePrune, duePrune, nextPrune, nextRunOf, policiesFor } from './when.plan.ts'

export interface PrunerOptions extends Omit<PruningParts, 'onImage'> {
  readonly ambient: Ambient
  readonly nodeName: string
  readonly record: (note: EventNote) => void
  readonly report: (policy: PrunePolicy, status: PrunePolicyStatus) => void
  /** Called when a run has ended. */
  readonly onEnd: () => void
}

export class Pruner {
  readonly #options: PrunerOptions
  /** By uid of the policy, newer than what the API's copy may show. */
  readonly #states = new Map<string, PruneNodeState>()
  /** Keys of Images that were collected here; IMAGE's own status says so later. */
  #collected: ReadonlySet<string> = new Set()
  #noSpaceAt: number | undefined
  #isAuto = false
  #running = 0
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: PrunerOptions) {
    this.#options = options
  }

  /** Keys of Images whose images pruning took from this node in this run. */
  collected(): ReadonlySet<string> {
    return this.#collected
  }

  /** Those whose images are back, or are nobody's any more. */
  forget(isBack: (key: string) => boolean): void {
    if (this.#running > 0 || this.#collected.size === 0) return
    this.#collected = new Set([...this.#collected].filter((key) => !isBack(key)))
  }

  /** There was no room for something that an op needed. */
  noteNoSpace(): void {
    this.#noSpaceAt = this.#options.ambient.clock.now()
  }

  /** Begins what is due, tells what policies are to know; resolves with nothing but when to ask again. */
  consider(world: World, signal: AbortSignal): number | undefined {
    const policies = policiesFor(world.desired)
    for (const policy of policies) this.#remember(policy)
    this.#mendTimes(world.now)
    const input = {
      policies,
      states: this.#states,
      now: world.now,
      ...(world.disk !== undefined && { disk: world.disk }),
      ...(this.#noSpaceAt !== undefined && { noSpaceAt: this.#noSpaceAt }),
    }
    this.#tell(world, policies)
    // Of what is not known yet nobody can say that it is not needed.
    if (!world.desired.isWhole || this.#isAuto) return undefined
    const due = duePrune(input)
    if (due === undefined) return nextPrune(input)
    this.#isAuto = true
    const run = this.#after(() => this.#runPolicy(due, signal))
    this.#last = run.finally(() => {
      this.#isAuto = false
      this.#options.onEnd()
    })
    return undefined
  }

  /** What somebody asks for, when what runs has ended. */
  ask(spec: PrunePolicySpec, dryRun: boolean, signal: AbortSignal): Promise<NodePrune> {
    const request = { spec, group: 'Prune/request', because: 'Request' } as const
    const run = this.#after(() => prune(this.#parts(), { request, dryRun, signal }))
    this.#last = run.catch((error: unknown) => {
      this.#options.ambient.log.info('a prune that was asked for failed', { error: messageOf(error) })
    })
    return run.finally(this.#options.onEnd)
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    await this.#last
  }

  async #after<T>(run: () => Promise<T>): Promise<T> {
    await this.#last
    this.#running += 1
    try {
      return await run()
    } finally {
      this.#running -= 1
    }
  }

  #parts(): PruningParts {
    const onImage = (image: string) => {
      this.#collected = withImagesOf(this.#collected, image, this.#options.know().desired)
    }
    return { ...this.#options, onImage }
  }

  #remember({ metadata, status }: PrunePolicy): void {
    const { uid = '' } = metadata
    const known = status?.nodes?.[this.#options.nodeName]
    if (!this.#states.has(uid) && known !== undefined) this.#states.set(uid, known)
  }

  /** What was done in the time of a clock that was put back counts as done at no time. */
  #mendTimes(now: number): void {
    for (const [uid, { lastRun, ...state }] of this.#states)
      if (isAhead(Date.parse(lastRun ?? ''), now)) this.#states.set(uid, state)
    if (this.#noSpaceAt !== undefined && isAhead(this.#noSpaceAt, now)) this.#noSpaceAt = undefined
  }

  async #runPolicy({ policy, because }: DuePrune, signal: AbortSignal): Promise<void> {
    const { ambient, record } = this.#options
    const { spec, metadata } = policy
    const { uid = '' } = metadata
    const before = this.#states.get(uid)
    const lastRun = timestamp(ambient.clock.now())
    const request = { spec, group: `Prune/${metadata.name}`, because }
    try {
      const done = await prune(this.#parts(), { request, dryRun: spec.dryRun, signal })
      this.#states.set(uid, stateAfter(done, { before, lastRun, because, dryRun: spec.dryRun }))
      for (const note of notesOf(policy, done)) record(note)
      const { removed, failed, reclaimedBytes } = done
      ambient.log.info('pruned', {
        policy: metadata.name,
        because,
        dryRun: spec.dryRun,
        removed: removed.length,
        failed: failed.length,
        reclaimedBytes,
      })
    } catch (error) {
      if (signal.aborted && isAbort(error)) return
      const message = messageOf(error)
      this.#states.set(uid, { ...before, lastRun, because, reclaimedBytes: 0, message })
      record({ object: policy, type: 'Warning', reason: 'FailedPrune', message })
      ambient.log.warn('prune failed', { policy: metadata.name, because, error: message })
    }
  }

  #tell({ desired }: World, policies: readonly PrunePolicy[]): void {
    const { nodeName, report } = this.#options
    const uids = new Set([...desired.prunePolicies.values()].map(({ metadata }) => metadata.uid ?? ''))
    for (const uid of this.#states.keys()) if (!uids.has(uid)) this.#states.delete(uid)
    for (const policy of desired.prunePolicies.values()) {
      const state = this.#states.get(policy.metadata.uid ?? '')
      const isMeant = policies.includes(policy)
      if (!isMeant && policy.status?.nodes?.[nodeName] === undefined) continue
      const nextRun = isMeant ? nextRunOf(policy, state) : undefined
      const own = isMeant
        ? { ...state, ...(nextRun !== undefined && { nextRun: timestamp(nextRun) }) }
        : undefined
      report(ownPart(policy, nodeName), statusOf(nodeName, own))
    }
  }
}
