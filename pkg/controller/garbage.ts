/**
 * The garbage collector: watches the metadata of every kind, lets the plan decide who goes, and asks the API again
 * before anything does. Level-triggered: a pass that fails, or finds that it was planned from old copies, is repeated.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { sameJson } from '#pkg/apimachinery/hash.ts'
import type { KubeObject, ObjectMeta, OwnerReference } from '#pkg/apimachinery/meta.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import { eventKind } from '#pkg/apis/event.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { foregroundFinalizer, orphanFinalizer } from '#pkg/apis/wellknown.ts'
import { Informer } from '#pkg/client/informer.ts'
import { Loop } from '#pkg/client/loop.ts'
import { EventRecorder } from '#pkg/client/recorder.ts'
import type { Client } from '#pkg/client/rest.ts'
import { execute, makeSlots } from '#pkg/plan/execute.ts'
import { LiveLook, readItem } from './garbage.live.ts'
import { type GarbageOp, type Item, type Misplaced, planGarbage } from './garbage.plan.ts'

const writesAtOnce = 16
/** Changes within so many ms are looked at together. */
const settleMs = 20
/** Races with other writers that one op may lose. */
const attempts = 5
const ownFinalizers: readonly string[] = [foregroundFinalizer, orphanFinalizer]

export class GarbageCollector {
  readonly #client: Client
  readonly #kinds: readonly Kind[]
  readonly #informers: readonly Informer<KubeObject>[]
  readonly #recorder: EventRecorder
  readonly #loop: Loop
  readonly #graph = new Map<string, Item>()
  /** By kind and key what is there. */
  readonly #places: ReadonlyMap<Kind, Map<string, Item>>
  /** Misplaced references that have been told, by the UIDs of both ends. */
  #told: ReadonlySet<string> = new Set()

  constructor(options: { client: Client; ambient: Ambient; kinds: readonly Kind[] }) {
    const { client, ambient } = options
    this.#client = client
    // Events come by the thousand, own nothing and are owned by nobody.
    this.#kinds = options.kinds.filter(
      ({ group, kind }) => group !== eventKind.group || kind !== eventKind.kind,
    )
    this.#recorder = new EventRecorder({ client, ambient, source: { component: 'garbage-collector' } })
    this.#loop = new Loop({ name: 'garbage', ambient, settleMs, pass: (signal) => this.#pass(signal) })
    this.#places = new Map(this.#kinds.map((kind) => [kind, new Map()]))
    this.#informers = this.#kinds.map((kind) => this.#informer(kind, { client, ambient }))
  }

  async run(signal: AbortSignal): Promise<void> {
    const running = [...this.#informers.map((informer) => informer.run(signal)), this.#recorder.run(signal)]
    await Promise.all(this.#informers.map((informer) => informer.synced(signal)))
    await this.#loop.run(signal)
    await Promise.all(running)
  }

  #informer(kind: Kind, options: { client: Client; ambient: Ambient }): Informer<KubeObject> {
    const type = typeOf(kind)
    const informer: Informer<KubeObject> = new Informer({
      ...options,
      kind,
      select: { metadataOnly: true },
      trim: ({ metadata }) => ({ ...type, metadata: trimmed(metadata) }),
      onChange: (key) => this.#take(kind, key, informer.get(key)),
    })
    return informer
  }

  /** Looks again only when something changed that deletion depends on: most changes are of status. */
  #take(kind: Kind, key: string, object: KubeObject | undefined): void {
    const places = this.#places.get(kind)
    const known = places?.get(key)
    const item = object === undefined ? undefined : itemOf(kind, object.metadata)
    if (known !== undefined && known.uid !== item?.uid) this.#graph.delete(known.uid)
    if (item === undefined) places?.delete(key)
    else {
      places?.set(key, item)
      this.#graph.set(item.uid, item)
    }
    if (matters(known, item)) this.#loop.poke()
  }

  async #pass(signal: AbortSignal): Promise<undefined> {
    const { plan, misplaced } = planGarbage(this.#graph, this.#kinds)
    this.#tell(misplaced)
    const live = new LiveLook(this.#client, this.#kinds)
    const results = await execute(plan, {
      run: (op) => this.#carryOut(op, live, signal),
      slots: makeSlots(writesAtOnce),
      signal,
    })
    const failed = results.find((result) => result.outcome === 'failed')
    if (failed?.outcome === 'failed' && !signal.aborted) throw failed.error
  }

  /** Every write is bound to the revision that was looked at; one that lost its race looks again. */
  async #carryOut(op: GarbageOp, live: LiveLook, signal: AbortSignal): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const metadata = await readItem(this.#client, op.item, signal)
        if (metadata !== undefined) await this.#write(op, metadata, { live, signal })
        return
      } catch (error) {
        if (isReason(error, 'NotFound')) return
        if (!isReason(error, 'Conflict') || attempt === attempts) throw error
      }
    }
  }

  async #write(op: GarbageOp, metadata: ObjectMeta, how: How): Promise<void> {
    switch (op.type) {
      case 'delete':
        return await this.#delete(op, metadata, how)
      case 'disown':
        return await this.#disown(op, metadata, how)
      case 'release':
        return await this.#release(op, metadata, how)
    }
  }

  /** Not when it has got another owner meanwhile, or one of those it has turns out to live. */
  async #delete(op: Op<'delete'>, metadata: ObjectMeta, how: How): Promise<void> {
    const { ownerReferences = [], deletionTimestamp, uid = '', resourceVersion = '' } = metadata
    const expected = new Set(op.owners.map((owner) => owner.uid))
    const same = ownerReferences.length > 0 && ownerReferences.every((owner) => expected.has(owner.uid))
    if (!same || deletionTimestamp !== undefined) return
    if (await this.#anyLives(op.item, ownerReferences, resourceVersion, how)) return
    const target = { ...nameOf(op.item), uid, resourceVersion, propagationPolicy: op.propagation }
    await this.#client.delete(op.item.kind, target, how.signal)
  }

  async #disown(op: Op<'disown'>, metadata: ObjectMeta, how: How): Promise<void> {
    const { ownerReferences = [], resourceVersion = '' } = metadata
    const lost = new Set(op.owners.map((owner) => owner.uid))
    const left = ownerReferences.filter((owner) => !lost.has(owner.uid))
    if (left.length === ownerReferences.length) return
    // With none left it would be kept for good, which only an owner that leaves it behind may ask for.
    if (op.verify && left.length === 0) return
    if (op.verify && (await this.#anyLives(op.item, op.owners, resourceVersion, how))) return
    await this.#patch(op.item, { ownerReferences: left.length > 0 ? left : null }, metadata, how.signal)
  }

  /** Dependents that the copies did not show yet hold it as well; they will be seen, and looked at then. */
  async #release(op: Op<'release'>, metadata: ObjectMeta, { live, signal }: How): Promise<void> {
    const { finalizers = [], deletionTimestamp } = metadata
    if (deletionTimestamp === undefined || !finalizers.includes(op.finalizer)) return
    const beside = new Set(op.beside)
    const dependents = await live.dependents(op.item, op.finalizer === foregroundFinalizer, signal)
    if (dependents.some((uid) => !beside.has(uid))) {
      this.#loop.poke()
      return
    }
    const left = finalizers.filter((finalizer) => finalizer !== op.finalizer)
    await this.#patch(op.item, { finalizers: left }, metadata, signal)
  }

  async #anyLives(
    item: Item,
    owners: readonly OwnerReference[],
    since: string,
    { live, signal }: How,
  ): Promise<boolean> {
    const states = await Promise.all(owners.map((owner) => live.lives(item, owner, since, signal)))
    return states.includes(true)
  }

  async #patch(item: Item, change: object, current: ObjectMeta, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = current
    const metadata = { ...change, uid, resourceVersion }
    await this.#client.patch(item.kind, nameOf(item), { metadata }, signal)
  }

  #tell(misplaced: readonly Misplaced[]): void {
    const idOf = ({ item, owner }: Misplaced) => `${item.uid}/${owner.uid}`
    for (const each of misplaced.filter((found) => !this.#told.has(idOf(found)))) {
      const { item, owner } = each
      const { kind, namespace, name, uid } = item
      const metadata = { name, uid, ...(namespace !== undefined && { namespace }) }
      const where = namespace === undefined ? 'outside of namespaces' : `in namespace "${namespace}"`
      const reference = `[${owner.apiVersion}/${owner.kind}, name: ${owner.name}, uid: ${owner.uid}]`
      this.#recorder.record({
        object: { ...typeOf(kind), metadata },
        type: 'Warning',
        reason: 'OwnerRefInvalidNamespace',
        message: `ownerRef ${reference} does not exist ${where}`,
      })
    }
    this.#told = new Set(misplaced.map(idOf))
  }
}

type Op<T extends GarbageOp['type']> = Extract<GarbageOp, { type: T }>

interface How {
  readonly live: LiveLook
  readonly signal: AbortSignal
}

function typeOf(kind: Kind) {
  return { apiVersion: apiVersionOf(kind), kind: kind.kind }
}

function nameOf({ namespace, name }: Item) {
  return { name, ...(namespace !== undefined && { namespace }) }
}

/** What is kept of an object: the copies of all kinds stay small. */
function trimmed(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, deletionTimestamp, ownerReferences } = metadata
  const finalizers = metadata.finalizers?.filter((each) => ownFinalizers.includes(each)) ?? []
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(ownerReferences !== undefined && { ownerReferences }),
    ...(finalizers.length > 0 && { finalizers }),
  }
}

function itemOf(kind: Kind, metadata: ObjectMeta): Item {
  const { name, namespace, uid = '', ownerReferences = [], finalizers = [], deletionTimestamp } = metadata
  return {
    kind,
    ...(namespace !== undefined && { namespace }),
    name,
    uid,
    owners: ownerReferences,
    terminating: deletionTimestamp !== undefined,
    finalizers,
  }
}

/** An object without owners that nobody deletes is not looked at; one that goes may be somebody's owner. */
function matters(before: Item | undefined, after: Item | undefined): boolean {
  if (after === undefined) return before !== undefined
  if (before === undefined || before.uid !== after.uid) return after.owners.length > 0 || after.terminating
  const { kind: _kind, ...was } = before
  const { kind: _same, ...is } = after
  return !sameJson(was, is)
}
