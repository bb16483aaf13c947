/** RFC 7386 merge patches, and the three-way patch that `apply` computes. JSON values in, new JSON values out. */
import { isPlainObject, sameJson } from './hash.ts'

type Json = Record<string, unknown>

/** Applies a merge patch: null removes, objects merge, everything else replaces. The target is not touched. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return patch
  // Keys are from outside: a map and fromEntries keep `__proto__` a key like any other.
  const result = new Map(isPlainObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key)
    else result.set(key, applyMergePatch(result.get(key), value))
  }
  return Object.fromEntries(result)
}

/** The smallest merge patch that turns `from` into `to`, or undefined when they are equal. */
export function diffMergePatch(from: Json, to: Json): Json | undefined {
  const patch = new Map<string, unknown>()
  for (const key of Object.keys(from)) if (own(to, key) === undefined) patch.set(key, null)
  for (const [key, value] of Object.entries(to)) {
    const before = own(from, key)
    if (value === undefined || sameJson(before, value)) continue
    const both = isPlainObject(before) && isPlainObject(value)
    patch.set(key, both ? (diffMergePatch(before, value) ?? {}) : value)
  }
  return patch.size === 0 ? undefined : Object.fromEntries(patch)
}

/**
 * What client-side apply sends: fields of `modified` that differ from `current`, and null for fields that were
 * in `original` (the last applied text) and are gone from `modified`. Fields set by others stay.
 */
export function threeWayMergePatch(original: Json, modified: Json, current: Json): Json | undefined {
  const patch = new Map<string, unknown>()
  for (const key of Object.keys(original)) {
    if (own(modified, key) === undefined && own(current, key) !== undefined) patch.set(key, null)
  }
  for (const [key, value] of Object.entries(modified)) {
    const change = threeWayValue(own(original, key), value, own(current, key))
    if (change !== undefined) patch.set(key, change)
  }
  return patch.size === 0 ? undefined : Object.fromEntries(patch)
}

function threeWayValue(original: unknown, modified: unknown, current: unknown): unknown {
  if (isPlainObject(modified) && isPlainObject(current)) {
    return threeWayMergePatch(isPlainObject(original) ? original : {}, modified, current)
  }
  return sameJson(current, modified) ? undefined : modified
}

/** Objects inherit names such as `constructor`, which are no members of theirs. */
function own(value: Json, key: string): unknown {
  return Object.hasOwn(value, key) ? value[key] : undefined
}
