/**
 * The fields of a value as its schema cuts it: scalars, atomic lists and what no schema describes are one field each;
 * objects and maps go by their keys, lists of type map by their items' keys, lists of type set by their values. From
 * this follow the set of a value's fields, and which fields two values differ in. Pure.
 */
import {
  emptySet,
  type FieldSet,
  fieldElement,
  fieldNode,
  isEmptySet,
  keyElement,
  leaf,
  valueElement,
} from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import { memberSchema, type Schema } from './schema.ts'

type Json = Record<string, unknown>

/** Where two values differ. A field that came or went counts with everything below it. */
export interface FieldChanges {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

export const noChanges: FieldChanges = { added: emptySet, modified: emptySet, removed: emptySet }

/** The value cut into what its schema keeps apart; undefined: it is one field. */
export type Cut =
  | { readonly by: 'name'; readonly schema: Schema; readonly members: Json }
  | { readonly by: 'item'; readonly schema: Schema; readonly items: readonly unknown[] }

export function cut(schema: Schema | undefined, value: unknown): Cut | undefined {
  if (schema === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return undefined
  if (Array.isArray(value)) {
    const type = schema['x-kubernetes-list-type'] ?? 'atomic'
    return type === 'atomic' ? undefined : { by: 'item', schema, items: value }
  }
  if (!isPlainObject(value) || schema.type !== 'object') return undefined
  if (schema['x-kubernetes-map-type'] === 'atomic') return undefined
  if (schema.properties === undefined && schema.additionalProperties === undefined) return undefined
  return { by: 'name', schema, members: value }
}

/** How an item of a list of type map or set is known. A key that is left out counts as its default. */
export function itemElement(schema: Schema, item: unknown): string {
  const keys = schema['x-kubernetes-list-map-keys']
  if (keys === undefined || !isPlainObject(item)) return valueElement(item)
  const { items } = schema
  const values: Json = {}
  for (const key of keys) values[key] = item[key] ?? items?.properties?.[key]?.default
  return keyElement(values)
}

/** The items by how they are known; of those that are known alike, the last. */
export function itemsByElement(schema: Schema, items: readonly unknown[]): Map<string, unknown> {
  return new Map(items.map((item) => [itemElement(schema, item), item]))
}

/** A member of its own: names are from outside, and every object inherits some. */
export function own(members: Json, name: string): unknown {
  return Object.hasOwn(members, name) ? members[name] : undefined
}

/**
 * The fields that a value names, as whoever applies it owns them: an object is more than its fields only when it is
 * empty, and a key of a map or an item of a list is always there itself.
 */
export function fieldsOf(schema: Schema | undefined, value: unknown): FieldSet {
  return childrenOf(cut(schema, value), false)
}

function childrenOf(part: Cut | undefined, parents: boolean): FieldSet {
  if (part === undefined) return emptySet
  return part.by === 'name' ? fieldsOfMembers(part, parents) : fieldsOfItems(part, parents)
}

function fieldsOfMembers({ schema, members }: Cut & { by: 'name' }, parents: boolean): FieldSet {
  const result: Record<string, FieldSet> = {}
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) continue
    const property = memberSchema(schema, name)
    const isKey = schema.properties === undefined || !Object.hasOwn(schema.properties, name)
    const node = nodeOf(property, value, { parents, member: parents || isKey })
    if (node !== undefined) result[fieldElement(name)] = node
  }
  return result
}

function fieldsOfItems({ schema, items }: Cut & { by: 'item' }, parents: boolean): FieldSet {
  const result: Record<string, FieldSet> = {}
  const isSet = schema['x-kubernetes-list-map-keys'] === undefined
  for (const item of items) {
    const below = isSet ? emptySet : childrenOf(cut(schema.items, item), parents)
    result[itemElement(schema, item)] = fieldNode(true, below) ?? leaf
  }
  return result
}

function nodeOf(
  schema: Schema | undefined,
  value: unknown,
  { parents, member }: { parents: boolean; member: boolean },
): FieldSet | undefined {
  const part = cut(schema, value)
  if (part === undefined) return leaf
  const empty = part.by === 'name' && isEmptyObject(part.members)
  return fieldNode(member || empty, childrenOf(part, parents))
}

function isEmptyObject(value: Json): boolean {
  for (const _name in value) return false
  return true
}

/** Compares two values of one schema. */
export function compareFields(schema: Schema | undefined, before: unknown, after: unknown): FieldChanges {
  const changes = new Collector()
  compareParts(changes, cut(schema, before), cut(schema, after))
  return changes.result()
}

/** Tries of one level; most levels stay without any. */
class Collector {
  added: Record<string, FieldSet> | undefined
  modified: Record<string, FieldSet> | undefined
  removed: Record<string, FieldSet> | undefined

  add(element: string, node: FieldSet): void {
    this.added ??= {}
    this.added[element] = node
  }

  modify(element: string, node: FieldSet): void {
    this.modified ??= {}
    this.modified[element] = node
  }

  remove(element: string, node: FieldSet): void {
    this.removed ??= {}
    this.removed[element] = node
  }

  /** What changed below an element. */
  below(element: string, { added, modified, removed }: FieldChanges): void {
    if (!isEmptySet(added)) this.add(element, added)
    if (!isEmptySet(modified)) this.modify(element, modified)
    if (!isEmptySet(removed)) this.remove(element, removed)
  }

  result(): FieldChanges {
    const { added = emptySet, modified = emptySet, removed = emptySet } = this
    return added === removed && added === modified ? noChanges : { added, modified, removed }
  }
}

interface Pair {
  readonly element: string
  readonly schema: Schema | undefined
  readonly before: unknown
  readonly after: unknown
}

function compareParts(changes: Collector, before: Cut | undefined, after: Cut | undefined): void {
  if (before?.by === 'name' && after?.by === 'name') {
    for (const name of Object.keys(before.members)) {
      const schema = memberSchema(before.schema, name)
      const pair = { element: fieldElement(name), schema, after: own(after.members, name) }
      comparePair(changes, { ...pair, before: before.members[name] })
    }
    for (const name of Object.keys(after.members)) {
      if (own(before.members, name) !== undefined) continue
      const schema = memberSchema(after.schema, name)
      const pair = { element: fieldElement(name), schema, before: undefined }
      comparePair(changes, { ...pair, after: after.members[name] })
    }
  }
  if (before?.by === 'item' && after?.by === 'item') compareItems(changes, before, after)
}

function compareItems(changes: Collector, before: Cut & { by: 'item' }, after: Cut & { by: 'item' }): void {
  const old = itemsByElement(before.schema, before.items)
  const now = itemsByElement(after.schema, after.items)
  const isSet = after.schema['x-kubernetes-list-map-keys'] === undefined
  const schema = isSet ? undefined : after.schema.items
  for (const [element, item] of old) {
    comparePair(changes, { element, schema, before: item, after: now.get(element) })
  }
  for (const [element, item] of now) {
    if (!old.has(element)) comparePair(changes, { element, schema, before: undefined, after: item })
  }
}

function comparePair(changes: Collector, { element, schema, before, after }: Pair): void {
  if (before === after) return
  const everything = { parents: true, member: true }
  if (before === undefined) changes.add(element, nodeOf(schema, after, everything) ?? leaf)
  else if (after === undefined) changes.remove(element, nodeOf(schema, before, everything) ?? leaf)
  else comparePresent(changes, { element, schema, before, after })
}

function comparePresent(changes: Collector, { element, schema, before, after }: Pair): void {
  const [old, now] = [cut(schema, before), cut(schema, after)]
  const byName = old?.by === 'name' && now?.by === 'name'
  // Objects are walked through anyway; of lists and scalars most are equal.
  if (!byName && sameJson(before, after)) return
  if (old === undefined || now === undefined || old.by !== now.by) {
    changes.modify(element, leaf)
    return
  }
  const below = new Collector()
  compareParts(below, old, now)
  changes.below(element, below.result())
}
