/**
 * Readers for JSON that another program wrote: an absent, null or mistyped member reads as the empty value of
 * the wanted type, because engines of different versions leave out different members.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

export type Json = Readonly<Record<string, unknown>>

/** The object under a path of keys; empty when any part is missing. */
export function object(value: unknown, ...path: string[]): Json {
  let current: unknown = value
  for (const key of path) current = isPlainObject(current) ? current[key] : undefined
  return isPlainObject(current) ? current : {}
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function number(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) ? value : 0
}

export function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

export function texts(value: unknown): readonly string[] {
  return array(value).filter((item) => typeof item === 'string')
}

/** A map of strings; members of another type are left out. */
export function textMap(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(object(value))
  return Object.fromEntries(
    entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
}
