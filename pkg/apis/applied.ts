/**
 * Applying a configuration to an object: what it names is set, lists of type map and set are merged item by item, and
 * what its owner no longer names is taken out. Driven by the schema, and pure: values come back new where they differ.
 */
import { emptySet, type FieldSet, fieldElement, isMember } from '#pkg/apimachinery/fieldset.ts'
import { cut, itemElement, itemsByElement, own } from './fields.ts'
import { memberSchema, type Schema } from './schema.ts'

/** The live value with the configuration in it. Listed items come in the configuration's order, others stay. */
export function mergeApplied(schema: Schema | undefined, live: unknown, applied: unknown): unknown {
  const [old, now] = [cut(schema, live), cut(schema, applied)]
  if (old?.by === 'name' && now?.by === 'name') {
    const merged = { ...old.members }
    for (const [name, value] of Object.entries(now.members)) {
      const before = own(old.members, name)
      merged[name] =
        before === undefined ? value : mergeApplied(memberSchema(now.schema, name), before, value)
    }
    return merged
  }
  if (old?.by === 'item' && now?.by === 'item') return mergeItems(now.schema, old.items, now.items)
  return applied
}

/** An item that only the live list has stays behind the shared item that it stood behind. */
function mergeItems(schema: Schema, live: readonly unknown[], applied: readonly unknown[]): unknown[] {
  const now = itemsByElement(schema, applied)
  const before = itemsByElement(schema, live)
  const leading: unknown[] = []
  const behind = new Map<string, unknown[]>()
  let place = leading
  for (const item of live) {
    const element = itemElement(schema, item)
    if (!now.has(element)) place.push(item)
    else {
      place = behind.get(element) ?? []
      behind.set(element, place)
    }
  }
  const isSet = schema['x-kubernetes-list-map-keys'] === undefined
  const merged = [...now].flatMap(([element, item]) => {
    const old = before.get(element)
    const whole = old === undefined || isSet ? item : mergeApplied(schema.items, old, item)
    return [whole, ...(behind.get(element) ?? [])]
  })
  return [...leading, ...merged]
}

/**
 * The value without what was in `before` and nobody owns any more. A field goes with all below it when none of that is
 * in `owned`; a list item goes when the item itself is not, since what is left of an item without its keys is none.
 */
export function withoutDisowned(
  schema: Schema | undefined,
  value: unknown,
  { before, owned }: { readonly before: FieldSet; readonly owned: FieldSet },
): unknown {
  const part = cut(schema, value)
  if (part === undefined) return value
  if (part.by === 'item') {
    const isSet = part.schema['x-kubernetes-list-map-keys'] === undefined
    return part.items.flatMap((item) => {
      const element = itemElement(part.schema, item)
      const [was, is] = [before[element], owned[element]]
      if (was === undefined) return [item]
      if (isMember(was) && !isMember(is)) return []
      return [isSet ? item : withoutDisowned(part.schema.items, item, { before: was, owned: is ?? emptySet })]
    })
  }
  const kept = Object.entries(part.members).flatMap(([name, member]) => {
    const [was, is] = [before[fieldElement(name)], owned[fieldElement(name)]]
    if (was === undefined) return [[name, member] as const]
    if (is === undefined) return []
    const below = withoutDisowned(memberSchema(part.schema, name), member, { before: was, owned: is })
    return [[name, below] as const]
  })
  return Object.fromEntries(kept)
}
