/**
 * Objects as text. The storage holds an object's JSON without its resourceVersion, behind a head that is the same
 * for every object of its kind, so that the revision is put in by joining strings and nothing is encoded again.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { apiVersionOf, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { sealedWith, unreadable } from '#pkg/storage/envelope.ts'
import { type FieldSetMemo, managersSpan, managersText, readManagers } from './managerstext.ts'

/** An object whose kind's schema has accepted it, with the fields that only its kind knows. */
export type ApiObject = KubeObject & { readonly [field: string]: unknown }

const registry = '/registry/'

/** `/registry/GROUP/PLURAL/`, `core` standing for the group without a name. */
export function storagePrefix(kind: Pick<Kind, 'group' | 'plural'>): string {
  return `${registry}${kind.group === '' ? 'core' : kind.group}/${kind.plural}/`
}

/** Under which every object is stored. */
export const registryPrefix = registry

export function storageKey(kind: Kind, meta: { readonly namespace?: string; readonly name: string }): string {
  return storagePrefix(kind) + (meta.namespace === undefined ? meta.name : `${meta.namespace}/${meta.name}`)
}

/** `{"apiVersion":"..","kind":"..","metadata":{` */
export function headOf(kind: Kind): string {
  return `{"apiVersion":${JSON.stringify(apiVersionOf(kind))},"kind":${JSON.stringify(kind.kind)},"metadata":{`
}

/** The text to store. A resourceVersion in the object is left out. */
export function encodeObject(kind: Kind, object: ApiObject): string {
  const { apiVersion: _version, kind: _kind, metadata, ...fields } = object
  const { resourceVersion: _revision, managedFields, name, ...stored } = metadata
  const rest = JSON.stringify(fields)
  const meta = JSON.stringify({ name, ...stored }).slice(1)
  return headOf(kind) + managersText(managedFields) + meta + (rest === '{}' ? '}' : `,${rest.slice(1)}`)
}

/** The object without metadata.managedFields, which is not looked at. */
export function decodeWithoutManagers(head: string, text: string, what?: string): ApiObject {
  const span = managersSpan(head, text)
  return decodeObject(span === undefined ? text : text.slice(0, span.start) + text.slice(span.end), what)
}

/** The whole object, whose managers need not be encoded again when they stay. */
export function decodeForWriting(head: string, text: string, memo: FieldSetMemo): ApiObject {
  const span = managersSpan(head, text)
  if (span === undefined) return decodeObject(text)
  const object = decodeObject(text.slice(0, span.start) + text.slice(span.end))
  object.metadata.managedFields = readManagers(text, span, memo)
  return object
}

/** The stored text with its revision in it. */
export function withRevision(head: string, stored: string, revision: number): string {
  return `${head}"resourceVersion":"${revision}",${stored.slice(head.length)}`
}

/** A text made by withRevision, at another revision. */
export function atRevision(head: string, text: string, revision: number): string {
  const end = text.indexOf(',', head.length)
  return `${head}"resourceVersion":"${revision}"${text.slice(end)}`
}

/** What was written by encodeObject, so the only door to the storage vouches for its type. */
export function decodeObject(text: string, what = 'a stored object'): ApiObject {
  try {
    return JSON.parse(text) as ApiObject
  } catch (error) {
    const id = sealedWith(text)
    if (id !== undefined) throw unreadable(what, id, 'and could not be opened', error)
    throw new StatusError('InternalError', `${what} is not JSON`, {}, { cause: error })
  }
}
