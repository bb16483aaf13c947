/** Bringing a value into the form its schema describes: unknown fields named or pruned, defaults filled in. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { nearest } from '#pkg/apimachinery/nearest.ts'
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
      ? [[name, applyDefaults(property, copyOf(property.default))] as const]
      : [],
  )
  return Object.fromEntries([...present, ...absent])
}

/** Nobody gets hold of the schema's own value. Most defaults are scalars, for which cloning would cost the most. */
function copyOf(value: unknown): unknown {
  return typeof value === 'object' ? structuredClone(value) : value
}
