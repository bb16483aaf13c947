/**
 * Bringing a value into the form its schema describes: unknown fields named or pruned, defaults filled in. Pure. Parts
 * that need neither are shared with the value that was given.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { nearest } from '#pkg/apimachinery/nearest.ts'
import { memberSchema, type Schema } from './schema.ts'
import { joinPath } from './validate.ts'

export interface UnknownField {
  readonly path: string
  /** The known field it most resembles, when one is near enough to have been meant. */
  readonly suggestion?: string
}

type Json = Record<string, unknown>

/** Fields that the schema does not know, outermost first. */
export function unknownFields(schema: Schema, value: unknown, path = ''): UnknownField[] {
  const found: UnknownField[] = []
  if (hasUnknown(schema, value)) findUnknown(schema, value, path, found)
  return found
}

/** Asked first, because it needs no paths and the answer is nearly always no. */
function hasUnknown(schema: Schema, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return false
  if (Array.isArray(value)) {
    const { items } = schema
    return items !== undefined && value.some((item) => hasUnknown(items, item))
  }
  if (!isPlainObject(value) || schema.type !== 'object') return false
  return Object.keys(value).some((name) => {
    const property = memberSchema(schema, name)
    return property === undefined || hasUnknown(property, value[name])
  })
}

function findUnknown(schema: Schema, value: unknown, path: string, found: UnknownField[]): void {
  if (!hasUnknown(schema, value)) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      findUnknown(schema.items ?? {}, item, `${path}[${index}]`, found)
    return
  }
  if (!isPlainObject(value)) return
  for (const [name, member] of Object.entries(value)) {
    const property = memberSchema(schema, name)
    if (property !== undefined) findUnknown(property, member, joinPath(path, name), found)
    else found.push(unknownField(schema, name, path))
  }
}

function unknownField({ properties = {} }: Schema, name: string, path: string): UnknownField {
  const suggestion = nearest(name, Object.keys(properties))
  return { path: joinPath(path, name), ...(suggestion !== undefined && { suggestion }) }
}

/** The value without unknown fields and without nulls, which in Kubernetes mean "absent". */
export function prune(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object' || schema['x-kubernetes-preserve-unknown-fields'] === true) return value
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? value : mapped(value, (item) => prune(items, item))
  }
  if (!isPlainObject(value) || schema.type !== 'object') return value
  const draft = new Draft(value)
  for (const name of Object.keys(value)) {
    const property = memberSchema(schema, name)
    const member = value[name]
    draft.put(name, property === undefined || member === null ? undefined : prune(property, member))
  }
  return draft.result
}

/** The value with the schema's defaults for what is absent, at every depth that is present. */
export function applyDefaults(schema: Schema, value: unknown): unknown {
  if (typeof value !== 'object') return value
  if (Array.isArray(value)) {
    const { items } = schema
    return items === undefined ? value : mapped(value, (item) => applyDefaults(items, item))
  }
  if (!isPlainObject(value)) return value
  const draft = new Draft(value)
  for (const name of Object.keys(value)) {
    const property = memberSchema(schema, name)
    if (property !== undefined) draft.put(name, applyDefaults(property, value[name]))
  }
  const { properties } = schema
  for (const name in properties) {
    const property = properties[name]
    if (property?.default === undefined || value[name] !== undefined) continue
    draft.put(name, applyDefaults(property, copyOf(property.default)))
  }
  return draft.result
}

/** Nobody gets hold of the schema's own value. Most defaults are scalars or empty lists: structuredClone would cost most. */
function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]))
}

/** A list that is copied when an item changes, and not before. */
function mapped(list: readonly unknown[], map: (item: unknown) => unknown): readonly unknown[] {
  let copy: unknown[] | undefined
  for (const [index, item] of list.entries()) {
    const next = map(item)
    if (next === item) continue
    copy ??= [...list]
    copy[index] = next
  }
  return copy ?? list
}

/** An object that is copied when a member changes, and not before. */
class Draft {
  readonly #value: Json
  #copy: Json | undefined

  constructor(value: Json) {
    this.#value = value
  }

  get result(): Json {
    return this.#copy ?? this.#value
  }

  /** Undefined takes the member away. */
  put(name: string, member: unknown): void {
    if (member === this.#value[name] && (member !== undefined || !Object.hasOwn(this.#value, name))) return
    this.#copy ??= { ...this.#value }
    if (member === undefined) delete this.#copy[name]
    // Assigning would make it a prototype; names are from outside.
    else if (name === '__proto__') Object.defineProperty(this.#copy, name, { value: member, ...plain })
    else this.#copy[name] = member
  }
}

const plain = { writable: true, enumerable: true, configurable: true } as const
