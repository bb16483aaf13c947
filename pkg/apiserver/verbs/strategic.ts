/**
 * Strategic merge patches: lists whose schema names a merge key are merged item by item, so that two writers can
 * own different items of one list. Directives ($patch, $retainKeys, $deleteFromPrimitiveList, $setElementOrder) are
 * obeyed and never stored. Pure; neither the target nor the patch is touched.
 */
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { canonicalJson, isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import { memberSchema, type Schema } from '#pkg/apis/schema.ts'

type Json = Record<string, unknown>

const patchDirective = '$patch'
const retainDirective = '$retainKeys'
const deletePrefix = '$deleteFromPrimitiveList/'
const orderPrefix = '$setElementOrder/'

/** Throws BadRequest when a list item lacks its merge key or a directive is malformed. */
export function applyStrategicPatch(schema: Schema | undefined, target: Json, patch: Json): Json {
  const directive = patch[patchDirective]
  if (directive === 'replace') return applyStrategicPatch(schema, {}, withoutMember(patch, patchDirective))
  if (directive === 'delete') return {}
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive)
  const result = retained(target, patch)
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(deletePrefix)) removePrimitives(result, key.slice(deletePrefix.length), value)
    else if (!key.startsWith('$')) mergeMember(result, key, value, member(schema, key))
  }
  for (const [key, order] of Object.entries(patch)) {
    if (!key.startsWith(orderPrefix)) continue
    const name = key.slice(orderPrefix.length)
    reorder(result, { name, schema: member(schema, name), before: target[name], order })
  }
  return result
}

function member(schema: Schema | undefined, key: string): Schema | undefined {
  return schema === undefined ? undefined : memberSchema(schema, key)
}

function mergeMember(result: Json, key: string, value: unknown, schema: Schema | undefined): void {
  if (value === null) delete result[key]
  else result[key] = mergeValue(schema, Object.hasOwn(result, key) ? result[key] : undefined, value)
}

function mergeValue(schema: Schema | undefined, target: unknown, value: unknown): unknown {
  if (Array.isArray(value)) return mergeList(schema, Array.isArray(target) ? target : [], value)
  if (!isPlainObject(value)) return value
  return applyStrategicPatch(schema, isPlainObject(target) ? target : {}, value)
}

function mergeList(
  schema: Schema | undefined,
  target: readonly unknown[],
  patch: readonly unknown[],
): unknown[] {
  const replaces = patch.some((item) => isPlainObject(item) && item[patchDirective] === 'replace')
  const items = patch.filter((item) => !isPlainObject(item) || item[patchDirective] !== 'replace')
  if (schema?.['x-kubernetes-patch-strategy'] !== 'merge') {
    return items.map((item) => mergeValue(schema?.items, undefined, item))
  }
  const base = replaces ? [] : target
  const mergeKey = schema['x-kubernetes-patch-merge-key']
  const merged =
    mergeKey === undefined ? union(base, items) : mergeKeyedList({ schema, mergeKey }, base, items)
  return interleaved(merged, placesIn(items, mergeKey), placesIn(base, mergeKey))
}

/** A list of plain values that is merged is a set. */
function union(target: readonly unknown[], items: readonly unknown[]): unknown[] {
  const result = [...target]
  const known = new Set(target.map(canonicalJson))
  for (const item of items) {
    const text = canonicalJson(item)
    if (!known.has(text)) result.push(item)
    known.add(text)
  }
  return result
}

interface KeyedList {
  readonly schema: Schema
  readonly mergeKey: string
}

/** More than any list of ours may hold, and few enough to be compared with each other. */
export const maxKeyedItems = 5_000

function mergeKeyedList(list: KeyedList, target: readonly unknown[], items: readonly unknown[]): unknown[] {
  if (items.length > maxKeyedItems) {
    const message = `a list merged by ${list.mergeKey} may have at most ${maxKeyedItems} items in a patch`
    throw new StatusError('RequestEntityTooLarge', message)
  }
  const result: (Item | undefined)[] = target.map((value) => ({ value }))
  // Where items of each merge key stand: comparing all with all would take minutes.
  const places = new Map<string, number[]>()
  for (const [index, value] of target.entries()) placesOf(places, list, value).push(index)
  for (const item of items) {
    mustHaveKey(list, item)
    const near = placesOf(places, list, item)
    const same = near.filter((index) => matchesItem(list, result[index]?.value, item))
    if (item[patchDirective] === 'delete') {
      for (const index of same) result[index] = undefined
      continue
    }
    const [first] = same
    const value = mergeValue(list.schema.items, first === undefined ? undefined : result[first]?.value, item)
    if (first === undefined) near.push(result.push({ value }) - 1)
    else result[first] = { value }
  }
  return result.flatMap((item) => (item === undefined ? [] : [item.value]))
}

interface Item {
  readonly value: unknown
}

function mustHaveKey({ mergeKey }: KeyedList, item: unknown): asserts item is Json {
  if (!isPlainObject(item)) throw badRequest(`an item of a list merged by ${mergeKey} must be an object`)
  if (item[mergeKey] === undefined)
    throw badRequest(`a patched list item does not contain its merge key: ${mergeKey}`)
}

function placesOf(places: Map<string, number[]>, { schema, mergeKey }: KeyedList, item: unknown): number[] {
  const key = isPlainObject(item)
    ? (item[mergeKey] ?? schema.items?.properties?.[mergeKey]?.default)
    : undefined
  const text = canonicalJson(key) ?? ''
  const known = places.get(text) ?? []
  places.set(text, known)
  return known
}

/**
 * The merge key decides; further keys of the list (the protocol beside the port) count where the patch gives them.
 */
function matchesItem({ schema, mergeKey }: KeyedList, candidate: unknown, item: Json): boolean {
  if (!isPlainObject(candidate)) return false
  const keys = new Set([mergeKey, ...(schema['x-kubernetes-list-map-keys'] ?? [])])
  return [...keys].every((key) => {
    if (item[key] === undefined) return true
    const fallback = schema.items?.properties?.[key]?.default
    return sameJson(candidate[key] ?? fallback, item[key])
  })
}

function retained(target: Json, patch: Json): Json {
  const keep = patch[retainDirective]
  if (keep === undefined) return { ...target }
  if (!Array.isArray(keep)) throw badRequest(`${retainDirective} must be a list of names`)
  return Object.fromEntries(Object.entries(target).filter(([key]) => keep.includes(key)))
}

function removePrimitives(result: Json, key: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest(`${deletePrefix}${key} must be a list`)
  const current = result[key]
  if (!Array.isArray(current)) return
  const gone = new Set(values.map(canonicalJson))
  result[key] = current.filter((item) => !gone.has(canonicalJson(item)))
}

interface Reordering {
  readonly name: string
  readonly schema: Schema | undefined
  /** The list as it was before the patch. */
  readonly before: unknown
  readonly order: unknown
}

function reorder(result: Json, { name, schema, before, order }: Reordering): void {
  if (!Array.isArray(order)) throw badRequest(`${orderPrefix}${name} must be a list`)
  const items = result[name]
  if (!Array.isArray(items)) return
  const mergeKey = schema?.['x-kubernetes-patch-merge-key']
  const known = Array.isArray(before) ? before : []
  result[name] = interleaved(items, placesIn(order, mergeKey), placesIn(known, mergeKey))
}

/** Undefined: it is not in the list. */
type Place = (item: unknown) => number | undefined

function placesIn(list: readonly unknown[], mergeKey: string | undefined): Place {
  const identity = (item: unknown) =>
    JSON.stringify(mergeKey !== undefined && isPlainObject(item) ? item[mergeKey] : item)
  const places = new Map(list.map((item, index) => [identity(item), index] as const).reverse())
  return (item) => places.get(identity(item))
}

/**
 * Kubernetes' order: what the patch names comes as the patch has it. Each of the others comes in its old order, in
 * front of the first one named that stood behind it.
 */
function interleaved(items: readonly unknown[], named: Place, before: Place): unknown[] {
  const behind = (place: Place) => (left: unknown, right: unknown) => (place(left) ?? 0) - (place(right) ?? 0)
  const waiting = items.filter((item) => named(item) !== undefined).sort(behind(named))
  const others = items.filter((item) => named(item) === undefined).sort(behind(before))
  const result: unknown[] = []
  let next = 0
  for (const other of others) {
    // The others come in their old order: what did not stand behind one of them stands behind no later one.
    const stoodBehind = (item: unknown) => (before(item) ?? -1) > (before(other) ?? 0)
    while (next < waiting.length && !stoodBehind(waiting[next])) result.push(waiting[next++])
    result.push(other)
  }
  return [...result, ...waiting.slice(next)]
}

function withoutMember(value: Json, name: string): Json {
  const { [name]: _left, ...rest } = value
  return rest
}

function unknownDirective(directive: unknown) {
  return badRequest(
    `${patchDirective}: unsupported value "${String(directive)}": must be merge, replace or delete`,
  )
}
