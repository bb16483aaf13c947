/**
 * Records what Containers ask for as ControllerRevisions. Watches Containers by their metadata alone, since nearly all
 * of their changes are of status, and reads a spec only when the generation says that it changed. What is on no node, and
 * never was, has asked nothing of anybody: it gets its first revision with its node. Of the revisions everything is kept
 * but their data.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { apiVersionOf, type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type ControllerRevision, controllerRevisionKind } from '#pkg/apis/controllerrevision.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { changeCauseAnnotation, revisionHashLabel, revisionsOf } from '#pkg/apis/revisions.ts'
import { nodeOfFinalizer } from '#pkg/apis/wellknown.ts'
import { Informer, sameRevision } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import type { Client } from '#pkg/client/rest.ts'
import { execute, makeSlots, type Slots } from '#pkg/plan/execute.ts'
import {
  causeOf,
  generationAnnotation,
  isPlaced,
  isRecorded,
  planRevisions,
  type RevisionOp,
} from './revisions.plan.ts'

const worksAtOnce = 16
const containerVersion = apiVersionOf(containerKind)
/** Specs that follow each other faster than this are not all kept: whoever writes a million makes few objects. */
const settleMs = 100

export class RevisionController {
  readonly #client: Client
  readonly #containers: Informer<KubeObject>
  readonly #revisions: Informer<ControllerRevision>
  readonly #loop: Loop
  readonly #slots: Slots = makeSlots(worksAtOnce)
  /** Containers to be looked at, by key. */
  readonly #due = new Set<string>()
  /** By key: UID and generation that nothing was to be recorded of, because only other fields changed. */
  readonly #looked = new Map<string, string>()
  /** By UID of the owner; few each. */
  readonly #owned = new Map<string, readonly ControllerRevision[]>()
  /** UID of the owner, by key of the revision. */
  readonly #owners = new Map<string, string>()

  constructor(options: { readonly client: Client; readonly ambient: Ambient }) {
    const { client } = options
    this.#client = client
    this.#loop = new Loop({
      name: 'revisions',
      ambient: options.ambient,
      settleMs,
      pass: (signal) => this.#pass(signal),
    })
    this.#containers = new Informer<KubeObject>({
      ...options,
      kind: anyKind(containerKind),
      select: { metadataOnly: true },
      trim: trimmedContainer,
      matters,
      onChange: (key) => this.#poke(key),
    })
    this.#revisions = new Informer({
      ...options,
      kind: controllerRevisionKind,
      trim: trimmedRevision,
      onChange: (key) => this.#take(key, this.#revisions.get(key)),
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = [this.#containers.run(signal), this.#revisions.run(signal)]
    await Promise.all([this.#containers.synced(signal), this.#revisions.synced(signal)])
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  #poke(key: string): void {
    this.#due.add(key)
    this.#loop.poke()
  }

  /** Revisions that belong to nobody, or to something else than a Container, are let alone. */
  #take(key: string, revision: ControllerRevision | undefined): void {
    const owner = revision?.metadata.ownerReferences?.find(({ controller }) => controller === true)
    const before = this.#owners.get(key)
    if (before !== undefined && before !== owner?.uid) this.#lose(key, before)
    if (revision === undefined || owner === undefined) return
    this.#owners.set(key, owner.uid)
    const siblings = this.#owned.get(owner.uid) ?? []
    const known = siblings.find((sibling) => objectKey(sibling.metadata) === key)
    // Of its own length: one that is made by adding to another has room for more.
    this.#owned.set(owner.uid, siblings.filter((sibling) => sibling !== known).concat(revision))
    // Our own writes come back, and nothing is new.
    if (sameRevision(known, revision)) return
    const container = objectKey({ ...revision.metadata, name: owner.name })
    this.#looked.delete(container)
    this.#poke(container)
  }

  /** One that somebody took away is made again, if the Container still asks for it. */
  #lose(key: string, owner: string): void {
    const siblings = this.#owned.get(owner) ?? []
    const lost = siblings.find((sibling) => objectKey(sibling.metadata) === key)
    const left = siblings.filter((sibling) => sibling !== lost)
    if (left.length === 0) this.#owned.delete(owner)
    else this.#owned.set(owner, left)
    this.#owners.delete(key)
    const name = lost?.metadata.ownerReferences?.find(({ uid }) => uid === owner)?.name
    if (lost === undefined || name === undefined) return
    const container = objectKey({ ...lost.metadata, name })
    this.#looked.delete(container)
    this.#poke(container)
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    const due = [...this.#due]
    this.#due.clear()
    const failures = await Promise.all(due.map((key) => this.#attempt(key, signal)))
    const failed = failures.find((failure) => failure !== undefined)
    if (failed !== undefined && !signal.aborted) throw failed.error
  }

  /** What failed is due again, whatever the next pass is for. */
  async #attempt(key: string, signal: AbortSignal): Promise<{ error: unknown } | undefined> {
    if (this.#isDone(key)) return undefined
    const free = await this.#slots.take()
    try {
      await this.#record(key, signal)
    } catch (error) {
      this.#due.add(key)
      if (!isOvertaken(error)) return { error }
      this.#loop.poke()
    } finally {
      free()
    }
    return undefined
  }

  #isDone(key: string): boolean {
    const container = this.#containers.get(key)
    if (container === undefined) this.#looked.delete(key)
    if (container === undefined || container.metadata.deletionTimestamp !== undefined) return true
    const newest = this.#newest(container)
    if (newest === undefined && !isPlaced(container)) return true
    return isRecorded(container, newest) || this.#looked.get(key) === lookOf(container)
  }

  async #record(key: string, signal: AbortSignal): Promise<void> {
    const known = this.#containers.get(key)
    if (known === undefined || signal.aborted) return
    const container = await this.#read(known, signal)
    if (container === undefined) return
    const revisions = this.#owned.get(container.metadata.uid ?? '') ?? []
    const plan = planRevisions(container, revisionsOf(container.metadata.uid, revisions))
    const results = await execute(plan, {
      run: (op) => this.#perform(op, signal),
      slots: makeSlots(1),
      signal,
    })
    const failed = results.find(({ outcome }) => outcome === 'failed')
    if (failed?.outcome === 'failed') throw failed.error
    this.#looked.set(key, lookOf(container))
  }

  /** Undefined when it is gone or going. */
  async #read({ metadata }: KubeObject, signal: AbortSignal): Promise<Container | undefined> {
    try {
      const container = await this.#client.get(containerKind, metadata, signal)
      const goes = container.metadata.deletionTimestamp !== undefined
      return goes || container.metadata.uid !== metadata.uid ? undefined : container
    } catch (error) {
      if (isReason(error, 'NotFound')) return undefined
      throw error
    }
  }

  /** What was written is known at once: the next pass may come before the copies show it. */
  async #perform(op: RevisionOp, signal: AbortSignal): Promise<void> {
    try {
      const written = await this.#write(op, signal)
      const key = objectKey((written ?? op.revision).metadata)
      this.#take(key, written && trimmedRevision(written))
    } catch (error) {
      const gone = op.type === 'delete' && isReason(error, 'NotFound')
      // A namespace that is going takes nothing new.
      const closed = op.type === 'create' && isReason(error, 'Forbidden')
      if (!gone && !closed) throw error
    }
  }

  async #write(op: RevisionOp, signal: AbortSignal): Promise<ControllerRevision | undefined> {
    const { metadata } = op.revision
    if (op.type === 'create') return await this.#client.create(controllerRevisionKind, op.revision, signal)
    if (op.type === 'delete') {
      await this.#client.delete(controllerRevisionKind, metadata, signal)
      return undefined
    }
    const { resourceVersion } = metadata
    const patch = {
      metadata: { resourceVersion, annotations: op.annotations },
      ...(op.number !== undefined && { revision: op.number }),
    }
    return await this.#client.patch(controllerRevisionKind, metadata, patch, signal)
  }

  #newest({ metadata }: KubeObject): ControllerRevision | undefined {
    return revisionsOf(metadata.uid, this.#owned.get(metadata.uid ?? '') ?? []).at(-1)
  }
}

/** Somebody else wrote meanwhile, or the copies lag behind our own writes: they will show it soon. */
function isOvertaken(error: unknown): boolean {
  return (['Conflict', 'AlreadyExists', 'NotFound'] as const).some((reason) => isReason(error, reason))
}

function lookOf(container: KubeObject): string {
  const { uid, generation } = container.metadata
  return JSON.stringify([uid, generation, causeOf(container), isPlaced(container)])
}

function trimmedContainer({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion, generation, deletionTimestamp } = metadata
  const nodes = metadata.finalizers?.filter((finalizer) => nodeOfFinalizer(finalizer) !== undefined) ?? []
  const cause = metadata.annotations?.[changeCauseAnnotation]
  return {
    apiVersion: containerVersion,
    kind: 'Container',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(generation !== undefined && { generation }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(nodes.length > 0 && { finalizers: nodes }),
      ...(cause !== undefined && { annotations: { [changeCauseAnnotation]: cause } }),
    },
  }
}

/** There may be ten times as many as Containers: what all have in common is there once. */
function trimmedRevision({ metadata, revision }: ControllerRevision): ControllerRevision {
  const { name, namespace, uid, resourceVersion, labels, annotations = {}, ownerReferences = [] } = metadata
  const hash = labels?.[revisionHashLabel]
  const owner = ownerReferences.find(({ controller, kind }) => controller === true && kind === 'Container')
  const kept = Object.entries(annotations).filter(
    ([key]) => key === generationAnnotation || key === changeCauseAnnotation,
  )
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(hash !== undefined && { labels: { [revisionHashLabel]: hash } }),
      annotations: Object.fromEntries(kept),
      ...(owner !== undefined && {
        ownerReferences: [
          {
            apiVersion: containerVersion,
            kind: 'Container',
            name: owner.name,
            uid: owner.uid,
            controller: true,
          },
        ],
      }),
    },
    revision,
  }
}

/** Most changes are of status, which is nobody's spec. */
function matters(before: KubeObject, after: KubeObject): boolean {
  return lookOf(before) !== lookOf(after)
}
