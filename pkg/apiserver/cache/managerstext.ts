/**
 * metadata.managedFields as text. It is as long as the rest of an object, and few who read the object ask for it. So it
 * stands first in metadata, where it can be cut out unread, and its sets of fields, of which a cluster has few different
 * ones, are read once and shared.
 */
import type { FieldSet } from '#pkg/apimachinery/fieldset.ts'
import type { ManagedFieldsEntry } from '#pkg/apimachinery/meta.ts'

const open = '"managedFields":['
/**
 * The name comes next, as every object has one. Nothing before can look like this: within JSON strings quotes are
 * escaped, and no member of an entry has that name.
 */
const close = '],"name":'
const fieldsMember = '"fieldsV1":'
/** What may stand behind the set of fields of an entry. A set holds no list, and its members are named otherwise. */
const behindFields = /,"subresource":|\},\{"manager":|\}\]$/

/** Of a list that was read: its text, so that a write that keeps the list need not encode it again. */
const encodedText = Symbol('encoded text')

type ReadEntries = ManagedFieldsEntry[] & { [encodedText]?: string }

export interface Span {
  readonly start: number
  readonly end: number
}

/** With a comma behind it, or nothing at all. */
export function managersText(managedFields: ReadEntries | undefined): string {
  if (managedFields === undefined || managedFields.length === 0) return ''
  return `"managedFields":${managedFields[encodedText] ?? `[${managedFields.map(entryText).join(',')}]`},`
}

/** In the order in which it is read again. */
function entryText(entry: ManagedFieldsEntry): string {
  const { manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource } = entry
  return JSON.stringify({ manager, operation, apiVersion, time, fieldsType, fieldsV1, subresource })
}

/** Where it stands in the text of an object that begins with `head`, comma included; undefined: nowhere. */
export function managersSpan(head: string, text: string): Span | undefined {
  if (!text.startsWith(head)) return undefined
  const revised = text.startsWith('"resourceVersion":"', head.length)
  const start = revised ? text.indexOf(',', head.length) + 1 : head.length
  if (!text.startsWith(open, start)) return undefined
  return { start, end: text.indexOf(close, start) + 2 }
}

/** What managersText wrote. Nobody may change what comes back. */
export function readManagers(text: string, { start, end }: Span, memo: FieldSetMemo): ManagedFieldsEntry[] {
  const list = text.slice(start + open.length - 1, end - 1)
  const [first = '', ...parts] = list.split(fieldsMember)
  const sets: FieldSet[] = []
  const rest = parts.map((part) => {
    const at = part.search(behindFields)
    sets.push(memo.read(part.slice(0, at)))
    return `null${part.slice(at)}`
  })
  // Only managersText writes such a list.
  const entries = JSON.parse([first, ...rest].join(fieldsMember)) as ReadEntries
  for (const [index, entry] of entries.entries()) entry.fieldsV1 = sets[index] ?? {}
  entries[encodedText] = list
  return entries
}

/** Sets of fields by their text; equal ones are one value. Bounded: it forgets everything when it is full. */
export class FieldSetMemo {
  readonly #sets = new Map<string, FieldSet>()
  readonly #capacity: number

  constructor(capacity = 2000) {
    this.#capacity = capacity
  }

  /** The text comes from the storage, where only sets of fields are written at its place. */
  read(text: string): FieldSet {
    const known = this.#sets.get(text)
    if (known !== undefined) return known
    const set = JSON.parse(text) as FieldSet
    if (this.#sets.size >= this.#capacity) this.#sets.clear()
    this.#sets.set(text, set)
    return set
  }
}
