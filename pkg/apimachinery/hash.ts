/** Canonical JSON and the fingerprint made from it: equal content gives equal text whatever the key order. */
import { createHash } from 'node:crypto'

/** JSON with sorted keys; undefined members are left out, as JSON.stringify does. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) => (isPlainObject(member) ? sortKeys(member) : member))
}

/** 16 hex digits of SHA-256 over the canonical JSON: short enough for a label, long enough never to collide by chance. */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex').slice(0, 16)
}

/** Structural equality of JSON values; members that are undefined count as absent. */
export function sameJson(left: unknown, right: unknown): boolean {
  if (left === right) return true
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => sameJson(item, right[index]))
  }
  if (!isPlainObject(left) || !isPlainObject(right)) return false
  const keys = definedKeys(left)
  // Objects inherit names such as `constructor`, which are no members of theirs.
  const same = (key: string) => Object.hasOwn(right, key) && sameJson(left[key], right[key])
  return keys.length === definedKeys(right).length && keys.every(same)
}

function definedKeys(value: Record<string, unknown>): string[] {
  return Object.keys(value).filter((key) => value[key] !== undefined)
}

/** What it has under a name that is from outside: not what every object has, such as `constructor`. */
export function ownValue<T>(of: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(of, name) ? of[name] : undefined
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function sortKeys(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

/** What the text says in JSON; undefined when it is not JSON, for JSON has no such value. */
export function jsonValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}
