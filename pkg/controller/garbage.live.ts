/**
 * What the API says now, for the collector: its copies may lag, and what is deleted by mistake does not come back.
 * An owner is asked for as of its dependent's revision or later, so an owner that was there when the reference was
 * written cannot be missed. Answers are remembered for one pass.
 */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject, ObjectMeta, OwnerReference } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { foregroundFinalizer } from '#pkg/apis/wellknown.ts'
import type { Client } from '#pkg/client/rest.ts'
import { type Item, kindOf } from './garbage.plan.ts'

const metadataOf = { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' }

/** The object as it is now; undefined when it is gone, or another one has its name. */
export async function readItem(
  client: Client,
  { kind, namespace, name, uid }: Item,
  signal: AbortSignal,
): Promise<ObjectMeta | undefined> {
  const metadata = await readMetadata(client, kind, named(namespace, name), '0', signal)
  return metadata?.uid === uid ? metadata : undefined
}

export class LiveLook {
  readonly #client: Client
  readonly #kinds: readonly Kind[]
  readonly #owners = new Map<string, Promise<boolean>>()
  #everything: Promise<readonly KubeObject[]> | undefined

  constructor(client: Client, kinds: readonly Kind[]) {
    this.#client = client
    this.#kinds = kinds
  }

  /** Whether the owner is there and does not just wait for its dependents to go. */
  lives(item: Item, owner: OwnerReference, since: string, signal: AbortSignal): Promise<boolean> {
    // A reference that names its owner wrongly says nothing about those that name it rightly.
    const key = [owner.uid, owner.apiVersion, owner.kind, owner.name, item.namespace].join('/')
    const known = this.#owners.get(key)
    if (known !== undefined) return known
    const asked = this.#ask(item, owner, since, signal)
    this.#owners.set(key, asked)
    return asked
  }

  /** UIDs of the objects that name the owner as theirs; `blocking`: only those that it has to wait for. */
  async dependents(owner: Item, blocking: boolean, signal: AbortSignal): Promise<string[]> {
    this.#everything ??= this.#list(signal)
    const all = await this.#everything
    return all.flatMap(({ metadata }) => {
      const sees = owner.namespace === undefined || owner.namespace === metadata.namespace
      const names = metadata.ownerReferences?.some(
        ({ uid, blockOwnerDeletion }) => uid === owner.uid && (!blocking || blockOwnerDeletion === true),
      )
      return sees && names === true ? [metadata.uid ?? ''] : []
    })
  }

  async #ask(item: Item, owner: OwnerReference, since: string, signal: AbortSignal): Promise<boolean> {
    const kind = kindOf(owner, this.#kinds)
    if (kind === undefined) return true
    const name = named(kind.namespaced ? item.namespace : undefined, owner.name)
    const metadata = await readMetadata(this.#client, kind, name, since, signal)
    if (metadata === undefined || metadata.uid !== owner.uid) return false
    return (
      metadata.deletionTimestamp === undefined || metadata.finalizers?.includes(foregroundFinalizer) !== true
    )
  }

  async #list(signal: AbortSignal): Promise<readonly KubeObject[]> {
    const lists = this.#kinds.map((kind) => this.#client.list(kind, { metadataOnly: true }, signal))
    return (await Promise.all(lists)).flatMap(({ items }) => items)
  }
}

function named(namespace: string | undefined, name: string) {
  return { name, ...(namespace !== undefined && { namespace }) }
}

async function readMetadata(
  client: Client,
  kind: Kind,
  name: { readonly namespace?: string; readonly name: string },
  resourceVersion: string,
  signal: AbortSignal,
): Promise<ObjectMeta | undefined> {
  const path = objectPath(kind, name)
  try {
    const object = await client.json(
      { method: 'GET', path, query: { resourceVersion }, headers: metadataOf },
      signal,
    )
    return isObject(object) ? object.metadata : undefined
  } catch (error) {
    if (isReason(error, 'NotFound')) return undefined
    throw error
  }
}

function isObject(value: unknown): value is KubeObject {
  return isPlainObject(value) && isPlainObject(value['metadata'])
}
