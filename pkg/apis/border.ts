/**
 * What another machine answered, checked where it comes in: each of these returns the value as what it should be, or
 * throws InternalError.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

type Json = Readonly<Record<string, unknown>>

export function object(value: unknown): Json {
  if (!isPlainObject(value)) throw unexpected('an object', value)
  return value
}

export function array(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw unexpected('a list', value)
  return value
}

export function text(value: unknown): string {
  if (typeof value !== 'string') throw unexpected('a text', value)
  return value
}

export function number(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw unexpected('a number', value)
  return value
}

function unexpected(wanted: string, value: unknown): StatusError {
  return new StatusError('InternalError', `the node answered ${typeof value} where ${wanted} was expected`)
}

/** Of seconds, bytes and so on: what clients cannot read as an amount would cost them a whole list. */
export function amount(value: unknown, most: number = Number.MAX_SAFE_INTEGER): number {
  const found = number(value)
  if (found < 0 || found > most) throw unexpected('an amount', value)
  return found
}

/** As RFC 3339 begins. */
export function when(value: unknown): string {
  const found = text(value)
  const begins = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(found)
  if (!begins || Number.isNaN(Date.parse(found))) throw unexpected('a time', value)
  return found
}

export function texts(value: unknown): readonly string[] {
  return array(value).map(text)
}

export function textMap(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(object(value)).map(([key, found]) => [key, text(found)]))
}

export function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw unexpected('true or false', value)
  return value
}

/** `key` with what `decode` makes of it; nothing when it is absent. */
export function optional<K extends string, T>(
  from: Json,
  key: K,
  decode: (value: unknown) => T,
): { readonly [key in K]?: T } {
  const found: { [key in K]?: T } = {}
  if (from[key] !== undefined) found[key] = decode(from[key])
  return found
}
