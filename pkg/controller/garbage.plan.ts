/**
 * Cascading deletion: who goes because its owners go. The graph is made of metadata alone; the plan deletes what has
 * lost every owner, takes references to owners that are gone off what still has another, takes orphans off owners
 * that leave them behind, and lets owners go that have waited for their dependents. Pure. The copies that the graph
 * is made of may lag: whoever carries the plan out asks again before anything goes.
 */
import { type OwnerReference, parseApiVersion } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { foregroundFinalizer, orphanFinalizer } from '#pkg/apis/wellknown.ts'
import type { Plan, PlannedOp } from '#pkg/plan/plan.ts'

/** What the collector knows of an object. */
export interface Item {
  readonly kind: Kind
  readonly namespace?: string
  readonly name: string
  readonly uid: string
  readonly owners: readonly OwnerReference[]
  readonly terminating: boolean
  /** Of all finalizers only the collector's own. */
  readonly finalizers: readonly string[]
}

/** Every object by its UID. */
export type Graph = ReadonlyMap<string, Item>

export type Propagation = 'Background' | 'Foreground' | 'Orphan'

export type GarbageOp =
  /** Only while none of these owners lives: each is absent, or waits for its dependents to go. */
  | {
      readonly type: 'delete'
      readonly item: Item
      readonly propagation: Propagation
      readonly owners: readonly OwnerReference[]
    }
  /** Takes the references off. `verify`: only while none of these owners lives. */
  | {
      readonly type: 'disown'
      readonly item: Item
      readonly owners: readonly OwnerReference[]
      readonly verify: boolean
    }
  /** Takes the finalizer off, unless dependents other than these still hold the owner. */
  | {
      readonly type: 'release'
      readonly item: Item
      readonly finalizer: string
      readonly beside: readonly string[]
    }

/** A reference that can name nothing: its dependent is kept, and told so. */
export interface Misplaced {
  readonly item: Item
  readonly owner: OwnerReference
}

export interface GarbagePlan {
  readonly plan: Plan<GarbageOp>
  readonly misplaced: readonly Misplaced[]
}

export function describeGarbageOp(op: GarbageOp): string {
  switch (op.type) {
    case 'delete':
      return `delete ${itemName(op.item)} (${op.propagation})`
    case 'disown':
      return `take ${op.owners.map(referenceName).join(', ')} off the owners of ${itemName(op.item)}`
    case 'release':
      return `take ${op.finalizer} off ${itemName(op.item)}`
  }
}

export function planGarbage(graph: Graph, kinds: readonly Kind[]): GarbagePlan {
  const world: World = { graph, kinds, dependents: dependentsOf(graph) }
  const ops: PlannedOp<GarbageOp>[] = []
  const misplaced: Misplaced[] = []
  for (const item of graph.values()) {
    if (item.terminating) ops.push(...letGo(item, world))
    else if (item.owners.length > 0) ops.push(...collect(item, world, misplaced))
  }
  return { plan: { ops }, misplaced }
}

interface World {
  readonly graph: Graph
  readonly kinds: readonly Kind[]
  /** By the UID of the owner. */
  readonly dependents: ReadonlyMap<string, readonly Item[]>
}

/** Whether the reference's owner holds its dependent: `absent` and `waiting` do not. */
type OwnerState = 'living' | 'waiting' | 'absent' | 'misplaced' | 'unknown'

function collect(item: Item, world: World, misplaced: Misplaced[]): readonly PlannedOp<GarbageOp>[] {
  const states = item.owners.map((owner) => ({ owner, state: ownerState(item, owner, world) }))
  for (const { owner, state } of states) if (state === 'misplaced') misplaced.push({ item, owner })
  const lost = states.filter(({ state }) => state === 'absent' || state === 'waiting')
  if (lost.length === 0) return []
  const owners = lost.map(({ owner }) => owner)
  if (lost.length < states.length) {
    const cause = `${owners.map(referenceName).join(', ')} is going or gone, and another owner is not`
    return [single(item, { type: 'disown', item, owners, verify: true }, cause)]
  }
  const waiting = lost.find(({ state }) => state === 'waiting')
  const cause =
    waiting === undefined
      ? `${owners.map(referenceName).join(', ')} is gone`
      : `${referenceName(waiting.owner)} waits for its dependents to go`
  const propagation = propagationFor(item, waiting !== undefined, world)
  return [single(item, { type: 'delete', item, propagation, owners }, cause)]
}

/** A dependent whose owner waits makes its own dependents waited for too. */
function propagationFor(item: Item, waitedFor: boolean, { dependents }: World): Propagation {
  if (item.finalizers.includes(orphanFinalizer)) return 'Orphan'
  if (item.finalizers.includes(foregroundFinalizer)) return 'Foreground'
  return waitedFor && dependents.has(item.uid) ? 'Foreground' : 'Background'
}

function ownerState(item: Item, reference: OwnerReference, { graph, kinds }: World): OwnerState {
  const owner = graph.get(reference.uid)
  if (owner !== undefined) {
    if (owner.namespace !== undefined && owner.namespace !== item.namespace) return 'misplaced'
    return isWaiting(owner) ? 'waiting' : 'living'
  }
  const kind = kindOf(reference, kinds)
  if (kind === undefined) return 'unknown'
  return kind.namespaced && item.namespace === undefined ? 'misplaced' : 'absent'
}

/** The version does not matter: an object is the same in all of them. */
export function kindOf({ apiVersion, kind }: OwnerReference, kinds: readonly Kind[]): Kind | undefined {
  const { group } = parseApiVersion(apiVersion)
  return kinds.find((known) => known.group === group && known.kind === kind)
}

function letGo(item: Item, world: World): readonly PlannedOp<GarbageOp>[] {
  if (item.finalizers.includes(orphanFinalizer)) return orphan(item, world)
  if (!isWaiting(item)) return []
  const blockers = blockersOf(item, world)
  if (blockers.length > 0 && !waitsForItself(item, world)) return []
  const beside = blockers.map(({ uid }) => uid)
  const cause = beside.length === 0 ? 'no dependent blocks it any more' : 'what blocks it waits for it'
  return [single(item, { type: 'release', item, finalizer: foregroundFinalizer, beside }, cause)]
}

/** The dependents lose the reference, all of them, before the owner goes: else they would be taken for garbage. */
function orphan(item: Item, { dependents }: World): readonly PlannedOp<GarbageOp>[] {
  const group = groupOf(item)
  const cause = `${itemName(item)} leaves its dependents behind`
  const disowned = (dependents.get(item.uid) ?? []).map((dependent, index): PlannedOp<GarbageOp> => {
    const owners = dependent.owners.filter(({ uid }) => uid === item.uid)
    return {
      id: `${group}#${index + 1}`,
      op: { type: 'disown', item: dependent, owners, verify: false },
      cause,
      after: [],
      group,
    }
  })
  const release: PlannedOp<GarbageOp> = {
    id: `${group}#${disowned.length + 1}`,
    op: { type: 'release', item, finalizer: orphanFinalizer, beside: [] },
    cause: 'its dependents are orphans now',
    after: disowned.map(({ id }) => id),
    group,
  }
  return [...disowned, release]
}

function isWaiting({ terminating, finalizers }: Item): boolean {
  return terminating && finalizers.includes(foregroundFinalizer)
}

/** Dependents that their owner has to wait for. */
function blockersOf(owner: Item, { dependents }: World): readonly Item[] {
  return (dependents.get(owner.uid) ?? []).filter(({ owners, namespace }) => {
    const sees = owner.namespace === undefined || owner.namespace === namespace
    return sees && owners.some(({ uid, blockOwnerDeletion }) => uid === owner.uid && blockOwnerDeletion)
  })
}

/**
 * Whether everything that holds the item back waits in its turn, around in a circle: then nobody would ever be first.
 * Something at the end of a chain that waits for nobody goes first, and the question is asked again.
 */
function waitsForItself(item: Item, world: World): boolean {
  const seen = new Set<string>()
  const open: Item[] = [item]
  let returned = false
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const blockers = blockersOf(next, world)
    if (blockers.length === 0 || !blockers.every(isWaiting)) return false
    for (const blocker of blockers) {
      returned ||= blocker.uid === item.uid
      if (!seen.has(blocker.uid)) open.push(blocker)
      seen.add(blocker.uid)
    }
  }
  return returned
}

function dependentsOf(graph: Graph): Map<string, Item[]> {
  const dependents = new Map<string, Item[]>()
  for (const item of graph.values()) {
    for (const uid of new Set(item.owners.map((owner) => owner.uid))) {
      const known = dependents.get(uid)
      if (known === undefined) dependents.set(uid, [item])
      else known.push(item)
    }
  }
  return dependents
}

function single(item: Item, op: GarbageOp, cause: string): PlannedOp<GarbageOp> {
  const group = groupOf(item)
  return { id: `${group}#1`, op, cause, after: [], group }
}

function groupOf({ kind, namespace, name }: Item): string {
  return namespace === undefined ? `${kind.kind}/${name}` : `${kind.kind}/${namespace}/${name}`
}

function itemName({ kind, namespace, name }: Item): string {
  return `${kind.kind} ${namespace === undefined ? name : `${namespace}/${name}`}`
}

function referenceName({ kind, name }: OwnerReference): string {
  return `${kind} ${name}`
}
