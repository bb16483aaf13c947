/** Equality of JSON values without encoding them. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

/** Whatever the order of keys; a member that is undefined counts as absent. */
export function equalJson(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => equalJson(item, right[index]))
  }
  if (!isPlainObject(left) || !isPlainObject(right)) return false
  for (const key in left) if (!equalJson(left[key], right[key])) return false
  for (const key in right) if (right[key] !== undefined && left[key] === undefined) return false
  return true
}
