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
import { type ApiObject, atRevision, decodeObject, encodeObject, headOf, withRevision } from './encoded.ts'
import { managersSpan } from './managerstext.ts'
import { type ManagersParts, partsText, SharedManagers } from './sharedmanagers.ts'

export interface Entry {
  readonly namespace: string | undefined
  readonly name: string
  readonly revision: number
  /** The whole object as JSON, resourceVersion included. Put together anew whenever it is asked for. */
  readonly text: string
  readonly labels: Readonly<Record<string, string>>
  /** Of the kind's selectable fields those that the object has. */
  readonly fields: Readonly<Record<string, string>>
}

export interface Filter {
  readonly namespace?: string
  readonly labelSelector: LabelSelector
  readonly fieldSelector: readonly FieldRequirement[]
}

/** What the entries of one kind have in common. */
export class EntryReader {
  readonly #kind: Kind
  readonly #head: string
  readonly #managers = new SharedManagers()

  constructor(kind: Kind) {
    this.#kind = kind
    this.#head = headOf(kind)
  }

  /** The record as the API shows it. */
  text({ key, value, revision }: StoredRecord): string {
    return withRevision(this.#head, this.#stored(value, key), revision)
  }

  /** Decodes the record once; the object, without its managers, is handed on to whoever indexes it and not kept. */
  read(record: StoredRecord): { entry: Entry; object: ApiObject } {
    const head = this.#head
    const stored = this.#stored(record.value, record.key)
    const span = managersSpan(head, stored)
    const text = span === undefined ? stored : stored.slice(0, span.start) + stored.slice(span.end)
    const managers = span && this.#managers.share(stored.slice(span.start, span.end))
    // Decoding makes one flat string of the two pieces, so that nothing keeps the record's own, longer one.
    const object = decodeObject(text, record.key)
    const { revision } = record
    return { entry: new StoredEntry({ kind: this.#kind, head, revision, text, managers, object }), object }
  }

  /** Another version of Cove may have written it with another head. */
  #stored(value: string, key: string): string {
    return value.startsWith(this.#head) ? value : encodeObject(this.#kind, decodeObject(value, key))
  }
}

class StoredEntry implements Entry {
  readonly namespace: string | undefined
  readonly name: string
  readonly revision: number
  readonly labels: Readonly<Record<string, string>>
  readonly fields: Readonly<Record<string, string>>
  readonly #head: string
  readonly #text: string
  readonly #managers: ManagersParts | undefined

  /** `text`: as it is stored, but for the managers. */
  constructor(state: {
    readonly kind: Kind
    readonly head: string
    readonly revision: number
    readonly text: string
    readonly managers: ManagersParts | undefined
    readonly object: ApiObject
  }) {
    const { metadata } = state.object
    this.namespace = metadata.namespace
    this.name = metadata.name
    this.revision = state.revision
    this.labels = metadata.labels ?? none
    this.fields = readFields(state.kind, state.object)
    this.#head = state.head
    this.#text = state.text
    this.#managers = state.managers
  }

  get text(): string {
    const head = this.#head
    const managers = this.#managers === undefined ? '' : partsText(this.#managers)
    return `${head}"resourceVersion":"${this.revision}",${managers}${this.#text.slice(head.length)}`
  }
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
