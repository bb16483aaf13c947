/** Bringing a value into the form its schema describes: unknown fields named or pruned, defaults filled in. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { memberSchema, type Schema } from './schema.ts'
import { joinPath } from './validate.ts'

export interface UnknownField {
  readonly path: string
  /** The known field it most resembles, when one is near enough to have been meant. */
  readonly suggestion?: string
}

/** Fields that the schema does not know, outermost first. */
export function unknownFields(schema: Schema, value: unknown, path = ''): UnknownField[] {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return []
  if (Array.isArray(value)) {
    const items = schema.items
    return items === undefined
      ? []
      : value.flatMap((item, index) => unknownFields(items, item, `${path}[${index}]`))
  }
  if (!isPlainObject(value) || schema.type !== 'object') return []
  return Object.entries(value).flatMap(([name, member]) => {
    const property = memberSchema(schema, name)
    const at = joinPath(path, name)
    if (property !== undefined) return unknownFields(property, member, at)
    const suggestion = nearest(name, Object.keys(schema.properties ?? {}))
    return [{ path: at, ...(suggestion !== undefined && { suggestion }) }]
  })
}

/** The value without unknown fields and without nulls, which in Kubernetes mean "absent". */
export function prune(schema: Schema, value: unknown): unknown {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return value
  if (Array.isArray(value)) {
    const items = schema.items
    return items === undefined ? value : value.map((item) => prune(items, item))
  }
  if (!isPlainObject(value) || schema.type !== 'object') return value
  const kept = Object.entries(value).flatMap(([name, member]) => {
    const property = memberSchema(schema, name)
    return property === undefined || member === null ? [] : [[name, prune(property, member)] as const]
  })
  return Object.fromEntries(kept)
}

/** The value with the schema's defaults for what is absent, at every depth that is present. */
export function applyDefaults(schema: Schema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = schema.items
    return items === undefined ? value : value.map((item) => applyDefaults(items, item))
  }
  if (!isPlainObject(value)) return value
  const present = Object.entries(value).map(([name, member]) => {
    const property = memberSchema(schema, name)
    return [name, property === undefined ? member : applyDefaults(property, member)] as const
  })
  const absent = Object.entries(schema.properties ?? {}).flatMap(([name, property]) =>
    value[name] === undefined && property.default !== undefined
      ? [[name, applyDefaults(property, structuredClone(property.default))] as const]
      : [],
  )
  return Object.fromEntries([...present, ...absent])
}

/** The candidate within two typing errors of the word (one for short words), if any. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const limit = word.length <= 4 ? 1 : 2
  const scored = candidates
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance)
  return scored[0]?.candidate
}

/** Damerau-Levenshtein with adjacent swaps: "imgae" is one error away from "image". */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const cost = from[row - 1] === to[column - 1] ? 0 : 1
      const swapped =
        row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current[column] = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + cost,
        swapped ? (beforePrevious[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    beforePrevious = previous
    previous = current
  }
  return previous[to.length] ?? 0
}
