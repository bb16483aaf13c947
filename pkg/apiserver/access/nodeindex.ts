/**
 * Which node has to do with which object, kept current by the cache: Containers and Builds bound to it, the Volumes,
 * Networks and Images that it holds, and what these name; and the Secrets that Registries name, for all nodes. The cache
 * asks before it tells watchers, so a node that hears of a Container may read what the Container names at that very moment.
 */
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { referencesOfBuild } from '#pkg/apis/build.references.ts'
import type { Build } from '#pkg/apis/build.ts'
import { type Reference, referencesOf } from '#pkg/apis/container.references.ts'
import type { Event } from '#pkg/apis/event.ts'
import { referencesOfImage } from '#pkg/apis/image.references.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Registry } from '#pkg/apis/registry.ts'
import { uploadsOf } from '#pkg/apis/uploads.ts'
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
const placedKinds: ReadonlySet<string> = new Set(['Container', 'Volume', 'Network', 'Image', 'Build'])
/** Pairs of a node and what it lately held: events about something may be written after it has gone. */
const mostDeparted = 4096

export function objectID(kind: string, namespace: string | undefined, name: string): ObjectID {
  return `${kind}/${namespace ?? ''}/${name}`
}

/** Stands for all logins of a namespace. */
export function loginsOf(namespace: string | undefined): ObjectID {
  return objectID('Logins', namespace, '')
}

export class NodeIndex {
  /** When each Node was made; milliseconds since the epoch. */
  readonly #nodes = new Map<string, number>()
  /** Nodes that hold each object that is placed. */
  readonly #held = new Map<ObjectID, readonly string[]>()
  /** Lists of one node, by its name. */
  readonly #alone = new Map<string, readonly string[]>()
  /** Containers, Images and Builds that are somewhere and name something. */
  readonly #bound = new Map<ObjectID, Bound>()
  /** By node: how many of those there name each object. */
  readonly #references = new Map<string, Map<ObjectID, number>>()
  /** The Secret that each Registry names. */
  readonly #registries = new Map<string, ObjectID>()
  /** What of the images themselves nodes may hand each other. */
  readonly #images = new Map<ObjectID, Handed>()
  /** Hosts that events are from, by NAMESPACE/NAME of the event. */
  readonly #hosts = new Map<string, string>()
  readonly #departed = new Set<string>()

  /** An Indexer of the cache. */
  readonly index = (kind: Kind, key: string, object: ApiObject | undefined): void => {
    if (kind.group === '' && kind.kind === 'Event') this.#putEvent(key, object)
    if (kind.group !== coveGroup) return
    if (kind.kind === 'Node') this.#putNode(key, object)
    if (kind.kind === 'Registry') this.#putRegistry(key, object)
    if (!placedKinds.has(kind.kind)) return
    const id = `${kind.kind}/${key}`
    this.#putHeld(id, object)
    if (kind.kind === 'Image') this.#putImage(id, object)
    const namer = namers[kind.kind]
    if (namer !== undefined) this.#putBound(id, object, namer)
  }

  /** When the Node was made, in milliseconds since the epoch; undefined: there is none. */
  nodeSince(node: string): number | undefined {
    return this.#nodes.get(node)
  }

  /** Something that is placed on the node, or is leaving it. */
  holds(node: string, id: ObjectID): boolean {
    return this.#held.get(id)?.includes(node) === true
  }

  /** Whether a Container, an Image or a Build of the node names the object. */
  refersTo(node: string, id: ObjectID): boolean {
    return this.#references.get(node)?.has(id) === true
  }

  /** Whether a Registry names the Secret: all nodes may have to do with it. */
  isForAll(id: ObjectID): boolean {
    return this.#registries.values().some((each) => each === id)
  }

  /** Whether the node holds an Image that it may get from that other node, and `image` is how it is known there. */
  mayFetch(node: string, from: string, image: string): boolean {
    return this.#images.entries().some(([id, handed]) => {
      if (!this.holds(node, id) || !(this.holds(from, id) || handed.source === from)) return false
      // What its lead says of an Image says the lead: that opens no other image to it.
      if (handed.lead === node) return image === handed.reference || handed.isOfRepository(image)
      return handed.names.includes(image)
    })
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

  #putRegistry(key: string, object: ApiObject | undefined): void {
    const secret = object && asRegistry(object).spec.secret
    if (secret === undefined) this.#registries.delete(key)
    else this.#registries.set(key, objectID('Secret', secret.namespace, secret.name))
  }

  #putImage(id: ObjectID, object: ApiObject | undefined): void {
    if (object === undefined) this.#images.delete(id)
    else this.#images.set(id, handedOf(asImage(object)))
  }

  #putBound(id: ObjectID, object: ApiObject | undefined, namer: Namer): void {
    const before = this.#bound.get(id)
    const after = object === undefined ? undefined : boundOf(namer(object), this.#held.get(id) ?? nobody)
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

/** What an object names. */
type Namer = (object: ApiObject) => readonly ObjectID[]

const namers: Readonly<Record<string, Namer>> = {
  Container: (object) => referencesOf(asContainer(object)).map(idOf),
  Image: (object) => [...referencesOfImage(asImage(object)).map(idOf), ...uploadIDsOf(object)],
  Build: (object) => [
    ...referencesOfBuild(asBuild(object)).map(idOf),
    ...uploadIDsOf(object),
    loginsOf(object.metadata.namespace),
  ],
}

function uploadIDsOf(object: ApiObject): ObjectID[] {
  return uploadsOf(object).map((digest) => objectID('Upload', object.metadata.namespace, digest))
}

function idOf({ kind, namespace, name }: Reference): ObjectID {
  return objectID(kind, namespace, name)
}

/** Undefined for one that names nothing, or is nowhere. */
function boundOf(references: readonly ObjectID[], nodes: readonly string[]): Bound | undefined {
  return references.length === 0 || nodes.length === 0 ? undefined : { nodes, references }
}

/** How an image may be asked for between nodes. */
interface Handed {
  readonly lead: string | undefined
  /** The node that its spec says it comes from. */
  readonly source: string | undefined
  /** As the spec names it. */
  readonly reference: string
  /** What its lead found it to be. */
  readonly names: readonly string[]
  readonly isOfRepository: (image: string) => boolean
}

function handedOf({ spec, status = {} }: Image): Handed {
  const { reference } = spec
  const { id, digest } = status
  const repository = repositoryOf(reference)
  const names = [reference, status.reference, id, digest].filter((name) => name !== undefined)
  return {
    lead: spec.nodeName,
    source: spec.source?.node,
    reference,
    names,
    isOfRepository: (image) => repository !== undefined && repositoryOf(image) === repository,
  }
}

/** Undefined for what is no reference, such as an id; that is no repository of anybody. */
function repositoryOf(text: string): string | undefined {
  if (/^(sha256:)?[0-9a-f]{12,64}$/.test(text)) return undefined
  const parsed = parseReference(text)
  return parsed.ok ? `${parsed.reference.registry}/${parsed.reference.repository}` : undefined
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

/** The kind says that it is one, and its schema has accepted it. */
function asImage(object: ApiObject): Image {
  return object as unknown as Image
}

/** The kind says that it is one, and its schema has accepted it. */
function asBuild(object: ApiObject): Build {
  return object as unknown as Build
}

/** The kind says that it is one, and its schema has accepted it. */
function asRegistry(object: ApiObject): Registry {
  return object as unknown as Registry
}

function asPlaced(object: ApiObject): { readonly spec?: { readonly nodeName?: string } } {
  return object as unknown as { readonly spec?: { readonly nodeName?: string } }
}
