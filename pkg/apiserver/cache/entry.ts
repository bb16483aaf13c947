/** One object as the cache holds it: its text, and the few fields that selectors and rules ask for. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import {
  type FieldRequirement,
  type LabelSelector,
  matchesFields,
  matchesLabels,
} from '#pkg/apimachinery/selector.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import {
  type ApiObject,
  atRevision,
  decodeObject,
  decodeWithoutManagers,
  encodeObject,
  headOf,
  withRevision,
} from './encoded.ts'

export interface Entry {
  readonly namespace: string | undefined
  readonly name: string
  readonly revision: number
  /** The whole object as JSON, resourceVersion included. */
  readonly text: string
  readonly labels: Readonly<Record<string, string>>
  /** Of the kind's selectable fields those that the object has. */
  readonly fields: Readonly<Record<string, string>>
  /** UIDs of its owners. */
  readonly owners: readonly string[]
}

export interface Filter {
  readonly namespace?: string
  readonly labelSelector: LabelSelector
  readonly fieldSelector: readonly FieldRequirement[]
}

/** The record as the API shows it. */
export function recordText(kind: Kind, { key, value, revision }: StoredRecord): string {
  const head = headOf(kind)
  // Another version of Cove may have written it with another head.
  const stored = value.startsWith(head) ? value : encodeObject(kind, decodeObject(value, key))
  return withRevision(head, stored, revision)
}

/** Decodes the record once; the object, without its managers, is handed on to whoever indexes it and not kept. */
export function readRecord(kind: Kind, record: StoredRecord): { entry: Entry; object: ApiObject } {
  const object = decodeWithoutManagers(headOf(kind), record.value, record.key)
  const { metadata } = object
  const entry: Entry = {
    namespace: metadata.namespace,
    name: metadata.name,
    revision: record.revision,
    text: recordText(kind, record),
    labels: metadata.labels ?? none,
    fields: readFields(kind, object),
    owners: metadata.ownerReferences?.map((owner) => owner.uid) ?? [],
  }
  return { entry, object }
}

const none: Readonly<Record<string, string>> = {}

/** The text of the same state, dated by the change that made it leave a selection. */
export function datedText(kind: Kind, entry: Entry, revision: number): string {
  return atRevision(headOf(kind), entry.text, revision)
}

export function matchesEntry(filter: Filter, entry: Entry): boolean {
  if (filter.namespace !== undefined && filter.namespace !== entry.namespace) return false
  if (filter.labelSelector.length > 0 && !matchesLabels(filter.labelSelector, entry.labels)) return false
  if (filter.fieldSelector.length === 0) return true
  return matchesFields(filter.fieldSelector, (field) => {
    if (field === 'metadata.name') return entry.name
    return field === 'metadata.namespace' ? entry.namespace : entry.fields[field]
  })
}

/** The one name that can match, when the selector asks for it. */
export function selectedName(filter: Pick<Filter, 'fieldSelector'>): string | undefined {
  return filter.fieldSelector.find(({ field, equal }) => field === 'metadata.name' && equal)?.value
}

export function readFields(kind: Kind, object: ApiObject): Readonly<Record<string, string>> {
  if (kind.selectableFields.length === 0) return none
  const fields: Record<string, string> = {}
  for (const path of kind.selectableFields) {
    const value = path.split('.').reduce<unknown>(member, object)
    if (value !== undefined && value !== null) fields[path] = String(value)
  }
  return fields
}

function member(value: unknown, name: string): unknown {
  return isPlainObject(value) ? value[name] : undefined
}
