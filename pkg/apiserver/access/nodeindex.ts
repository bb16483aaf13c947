/**
 * Which node has to do with which object, kept current by the cache: Containers bound to it, what these name, and the
 * Volumes and Networks that it holds. The cache asks before it tells watchers, so a node that hears of a Container may
 * read what the Container names at that very moment.
 */
import { referencesOf } from '#pkg/apis/container.references.ts'
import type { Event } from '#pkg/apis/event.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { nodeOfFinalizer } from '#pkg/apis/wellknown.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { asContainer } from '../verbs/containerindex.ts'

/** `KIND/NAMESPACE/NAME`. */
type ObjectID = string

interface Bound {
  readonly nodes: readonly string[]
  readonly references: readonly ObjectID[]
}

const coveGroup = 'cove.run'
const nobody: readonly string[] = []
const placedKinds: ReadonlySet<string> = new Set(['Container', 'Volume', 'Network'])
/** Pairs of a node and what it lately held: events about something may be written after it has gone. */
const mostDeparted = 4096

export function objectID(kind: string, namespace: string | undefined, name: string): ObjectID {
  return `${kind}/${namespace ?? ''}/${name}`
}

export class NodeIndex {
  /** When each Node was made; milliseconds since the epoch. */
  readonly #nodes = new Map<string, number>()
  /** Nodes that hold each Container, Volume and Network. */
  readonly #held = new Map<ObjectID, readonly string[]>()
  /** Lists of one node, by its name. */
  readonly #alone = new Map<string, readonly string[]>()
  /** Containers that are somewhere and name something. */
  readonly #bound = new Map<ObjectID, Bound>()
  /** By node: how many of its Containers name each object. */
  readonly #references = new Map<string, Map<ObjectID, number>>()
  /** Hosts that events are from, by NAMESPACE/NAME of the event. */
  readonly #hosts = new Map<string, string>()
  readonly #departed = new Set<string>()

  /** An Indexer of the cache. */
  readonly index = (kind: Kind, key: string, object: ApiObject | undefined): void => {
    if (kind.group === '' && kind.kind === 'Event') this.#putEvent(key, object)
    if (kind.group !== coveGroup) return
    if (kind.kind === 'Node') this.#putNode(key, object)
    if (!placedKinds.has(kind.kind)) return
    const id = `${kind.kind}/${key}`
    this.#putHeld(id, object)
    if (kind.kind === 'Container') this.#putContainer(id, object)
  }

  /** When the Node was made, in milliseconds since the epoch; undefined: there is none. */
  nodeSince(node: string): number | undefined {
    return this.#nodes.get(node)
  }

  /** A Container, Volume or Network that is placed on the node, or is leaving it. */
  holds(node: string, id: ObjectID): boolean {
    return this.#held.get(id)?.includes(node) === true
  }

  /** Whether a Container of the node names the object. */
  refersTo(node: string, id: ObjectID): boolean {
    return this.#references.get(node)?.has(id) === true
  }

  /** Whether the node held the object lately, and nobody has an object of that name now. */
  heldLately(node: string, id: ObjectID): boolean {
    return !this.#held.has(id) && this.#departed.has(departure(node, id))
  }

  /** The host that an event is from, by its NAMESPACE/NAME; undefined: there is no such event, or it names none. */
  hostOf(event: string): string | undefined {
    return this.#hosts.get(event)
  }

  #putNode(key: string, object: ApiObject | undefined): void {
    if (object === undefined) this.#nodes.delete(key)
    else this.#nodes.set(key, Date.parse(object.metadata.creationTimestamp ?? ''))
  }

  #putEvent(key: string, object: ApiObject | undefined): void {
    if (object === undefined) this.#hosts.delete(key)
    else this.#hosts.set(key, hostOf(asEvent(object)))
  }

  #putHeld(id: ObjectID, object: ApiObject | undefined): void {
    const before = this.#held.get(id) ?? []
    const after = object === undefined ? nobody : this.#shared(holdersOf(object))
    for (const node of before) if (!after.includes(node)) this.#depart(departure(node, id))
    if (object === undefined) this.#held.delete(id)
    else this.#held.set(id, after)
  }

  /** The same list for all objects of one node: there may be very many. */
  #shared(holders: readonly string[]): readonly string[] {
    const [node] = holders
    if (node === undefined) return nobody
    if (holders.length > 1) return holders
    const known = this.#alone.get(node) ?? holders
    this.#alone.set(node, known)
    return known
  }

  #depart(pair: string): void {
    this.#departed.delete(pair)
    this.#departed.add(pair)
    const [oldest] = this.#departed
    if (this.#departed.size > mostDeparted && oldest !== undefined) this.#departed.delete(oldest)
  }

  #putContainer(id: ObjectID, object: ApiObject | undefined): void {
    const before = this.#bound.get(id)
    const after = object === undefined ? undefined : boundOf(object, this.#held.get(id) ?? nobody)
    // Counted up before it is counted down: what both name stays.
    if (after !== undefined) this.#count(after, 1)
    if (before !== undefined) this.#count(before, -1)
    if (after === undefined) this.#bound.delete(id)
    else this.#bound.set(id, after)
  }

  #count({ nodes, references }: Bound, step: 1 | -1): void {
    for (const node of nodes) {
      const counts = this.#references.get(node) ?? new Map<ObjectID, number>()
      for (const id of references) {
        const count = (counts.get(id) ?? 0) + step
        if (count > 0) counts.set(id, count)
        else counts.delete(id)
      }
      if (counts.size > 0) this.#references.set(node, counts)
      else this.#references.delete(node)
    }
  }
}

function departure(node: string, id: ObjectID): string {
  return `${node} ${id}`
}

/** Undefined for one that names nothing, or is nowhere. */
function boundOf(object: ApiObject, nodes: readonly string[]): Bound | undefined {
  const references = referencesOf(asContainer(object)).map(({ kind, namespace, name }) =>
    objectID(kind, namespace, name),
  )
  return references.length === 0 || nodes.length === 0 ? undefined : { nodes, references }
}

/** By the name of its node, and by the finalizers of those that have not cleaned up. */
function holdersOf(object: ApiObject): string[] {
  const { nodeName } = asPlaced(object).spec ?? {}
  const finalizers = object.metadata.finalizers ?? []
  const leaving = finalizers.flatMap((finalizer) => nodeOfFinalizer(finalizer) ?? [])
  return [...new Set([...(nodeName === undefined ? [] : [nodeName]), ...leaving])]
}

/** As newer events say it, or older ones. */
export function hostOf({ source, reportingInstance }: Event): string {
  return source?.host ?? reportingInstance ?? ''
}

/** The kind says that it is one, and its schema has accepted it. */
export function asEvent(object: ApiObject): Event {
  return object as unknown as Event
}

function asPlaced(object: ApiObject): { readonly spec?: { readonly nodeName?: string } } {
  return object as unknown as { readonly spec?: { readonly nodeName?: string } }
}
