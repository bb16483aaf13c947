/** What a store holds, held against what its objects must be: each alone, and their references to each other. Pure. */
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { unknownFields } from '#pkg/apis/normalize.ts'
import { validate } from '#pkg/apis/validate.ts'
import { type Keyring, sealedWith, unseal } from '#pkg/storage/envelope.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import { type ApiObject, decodeObject, storageKey, storagePrefix } from '../cache/encoded.ts'

export interface Finding {
  /** The storage key, which names the object. */
  readonly key: string
  readonly what: string
}

export interface CheckOptions {
  readonly kinds: readonly Kind[]
  /** Absent: the keys are not at hand, and sealed values are passed over. */
  readonly keys?: Keyring
}

interface Found {
  readonly key: string
  readonly kind: Kind
  readonly object: ApiObject
}

/** In the order of the keys. */
export function checkObjects(records: readonly StoredRecord[], options: CheckOptions): readonly Finding[] {
  const findings: Finding[] = []
  const objects: Found[] = []
  for (const record of records) {
    const read = readObject(record, options)
    if ('what' in read) findings.push({ key: record.key, what: read.what })
    else if ('object' in read) objects.push(read)
  }
  const uids = new Set(objects.map(({ object }) => object.metadata.uid))
  const namespaces = new Set(
    objects.filter(({ kind }) => isNamespace(kind)).map(({ object }) => object.metadata.name),
  )
  for (const found of objects) {
    for (const what of complaints(found, uids, namespaces)) findings.push({ key: found.key, what })
  }
  return findings.sort((one, other) => (one.key < other.key ? -1 : one.key > other.key ? 1 : 0))
}

type Read = Found | { readonly what: string } | { readonly sealed: true }

function readObject({ key, value }: StoredRecord, { kinds, keys }: CheckOptions): Read {
  const kind = kinds.find((each) => key.startsWith(storagePrefix(each)))
  if (kind === undefined) return { what: 'is of no kind that this cove knows' }
  const id = sealedWith(value)
  if (id !== undefined && keys === undefined) return { sealed: true }
  try {
    const text = keys === undefined ? value : unseal(keys, key, value)
    const object: unknown = decodeObject(text, key)
    if (!isObject(object)) return { what: 'is no object with metadata.name' }
    return { key, kind, object }
  } catch (error) {
    return { what: messageOf(error).replace(`${key} `, '') }
  }
}

function isObject(value: unknown): value is ApiObject {
  if (!isPlainObject(value) || !isPlainObject(value['metadata'])) return false
  return typeof value['metadata']['name'] === 'string'
}

function complaints(
  { key, kind, object }: Found,
  uids: ReadonlySet<string | undefined>,
  namespaces: ReadonlySet<string>,
): string[] {
  const { metadata } = object
  const { namespace } = metadata
  const named = storageKey(kind, metadata)
  const missing = (metadata.ownerReferences ?? []).filter(({ uid }) => !uids.has(uid))
  return [
    ...(named === key ? [] : [`its metadata names another key: ${named}`]),
    ...(kind.namespaced && namespace !== undefined && !namespaces.has(namespace)
      ? [`its namespace "${namespace}" does not exist`]
      : []),
    ...missing.map((owner) => `its owner ${owner.kind} "${owner.name}" (${owner.uid}) does not exist`),
    ...invalidities(kind, object),
  ]
}

function invalidities(kind: Kind, object: ApiObject): string[] {
  return [
    ...validate(kind.schema, object).map(({ field, message }) => `is not valid: ${field}: ${message}`),
    ...unknownFields(kind.schema, object).map(({ path }) => `has an unknown field: ${path}`),
  ]
}

function isNamespace(kind: Kind): boolean {
  return kind.group === '' && kind.kind === 'Namespace'
}
