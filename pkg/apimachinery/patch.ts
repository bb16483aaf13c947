/** RFC 7386 merge patches, and the three-way patch that `apply` computes. JSON values in, new JSON values out. */
import { isPlainObject, sameJson } from './hash.ts'

type Json = Record<string, unknown>

/** Applies a merge patch: null removes, objects merge, everything else replaces. The target is not touched. */
export function applyMergePatch(target: unknown, patch: unknown): unknown {
  if (!isPlainObject(patch)) return patch
  const result: Json = isPlainObject(target) ? { ...target } : {}
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key]
    else result[key] = applyMergePatch(result[key], value)
  }
  return result
}

/** The smallest merge patch that turns `from` into `to`, or undefined when they are equal. */
export function diffMergePatch(from: Json, to: Json): Json | undefined {
  const patch: Json = {}
  for (const key of Object.keys(from)) if (to[key] === undefined) patch[key] = null
  for (const [key, value] of Object.entries(to)) {
    const before = from[key]
    if (value === undefined || sameJson(before, value)) continue
    patch[key] = isPlainObject(before) && isPlainObject(value) ? (diffMergePatch(before, value) ?? {}) : value
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

/**
 * What client-side apply sends: fields of `modified` that differ from `current`, and null for fields that were
 * in `original` (the last applied text) and are gone from `modified`. Fields set by others stay.
 */
export function threeWayMergePatch(original: Json, modified: Json, current: Json): Json | undefined {
  const patch: Json = {}
  for (const key of Object.keys(original)) {
    if (modified[key] === undefined && current[key] !== undefined) patch[key] = null
  }
  for (const [key, value] of Object.entries(modified)) {
    const change = threeWayValue(original[key], value, current[key])
    if (change !== undefined) patch[key] = change
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

function threeWayValue(original: unknown, modified: unknown, current: unknown): unknown {
  if (isPlainObject(modified) && isPlainObject(current)) {
    return threeWayMergePatch(isPlainObject(original) ? original : {}, modified, current)
  }
  return sameJson(current, modified) ? undefined : modified
}
