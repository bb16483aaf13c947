/**
 * From a typebox value to a structural schema: the one form that validation, defaulting, pruning, `explain`,
 * OpenAPI and CRDs read. A kind's schema is written once, in its kind file; everything else derives from it.
 *
 * A field with a default is written as required: the static type describes objects as they are stored, after
 * defaulting. The conversion takes such fields out of `required`, since a manifest may leave them out.
 */
import type { Static, TSchema } from 'typebox'
import * as Type from 'typebox'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

/**
 * A rule over what stands at its place in the schema, as Kubernetes writes it: a CEL expression over `self`, and over
 * `oldSelf` for a change. pkg/apis/rules.ts says when it is asked.
 */
export interface Validation {
  readonly rule: string
  readonly message?: string
  /** CEL too; takes the place of `message` when it gives a text. */
  readonly messageExpression?: string
  /** Default: FieldValueInvalid. */
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired' | 'FieldValueDuplicate'
  /** Of the field to blame, below the place of the rule: `.name`. It must exist in the schema. */
  readonly fieldPath?: string
  /** `oldSelf` is an optional, and the rule is asked of new objects as well. */
  readonly optionalOldSelf?: boolean
}

/** Structural as Kubernetes defines it: every value has one type, and no alternatives hide fields. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: Schema
  readonly items?: Schema
  readonly enum?: readonly (string | number)[]
  readonly minimum?: number
  readonly maximum?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxProperties?: number
  readonly pattern?: string
  readonly format?: string
  readonly default?: unknown
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-map-type'?: 'atomic' | 'granular'
  readonly 'x-kubernetes-patch-merge-key'?: string
  readonly 'x-kubernetes-patch-strategy'?: string
  readonly 'x-kubernetes-validations'?: readonly Validation[]
  /** Cove's: the field is part of the API, but this version refuses it rather than ignoring it. */
  readonly 'x-cove-unimplemented'?: true
}

/** The schema of a member, or undefined when the name is not known. Names are from outside: only own ones count. */
export function memberSchema(schema: Schema, name: string): Schema | undefined {
  const { properties } = schema
  if (properties !== undefined && Object.hasOwn(properties, name)) return properties[name]
  return schema.additionalProperties
}

/** What engines call volumes and networks. */
export const engineObjectName = '^[a-zA-Z0-9][a-zA-Z0-9_.-]*$'

type Options = Record<string, unknown>

/** A closed word list. */
export function oneOf<const T extends string>(values: readonly T[], options: Options = {}) {
  return Type.Unsafe<T>({ type: 'string', enum: [...values], ...options })
}

/** "30s", "1m30s". */
export function duration(options: Options = {}) {
  return Type.String({ format: 'cove-duration', ...options })
}

/** "500m", "64Mi", or a plain number. */
export function quantity(options: Options = {}) {
  return Type.Unsafe<string | number>({
    'x-kubernetes-int-or-string': true,
    format: 'cove-quantity',
    ...options,
  })
}

export function time(options: Options = {}) {
  return Type.String({ format: 'date-time', ...options })
}

export function stringMap(options: Options = {}) {
  return Type.Record(Type.String(), Type.String(), options)
}

/** A list whose items are known by their key fields: patches merge it item by item. */
export function listMap<T extends TSchema>(
  items: T,
  keys: readonly [string, ...string[]],
  options: Options = {},
) {
  return Type.Array(items, {
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': [...keys],
    'x-kubernetes-patch-strategy': 'merge',
    'x-kubernetes-patch-merge-key': keys[0],
    ...options,
  })
}

export function atomicList<T extends TSchema>(items: T, options: Options = {}) {
  return Type.Array(items, { 'x-kubernetes-list-type': 'atomic', ...options })
}

/** The rules of a value, for the options of its schema: `{ description, ...rules({ rule: ... }) }`. */
export function rules(...validations: readonly Validation[]) {
  return { 'x-kubernetes-validations': validations }
}

/** Of the named members, none of which may have a default, exactly one is given. */
export function exactlyOneOf(...names: readonly string[]): readonly Validation[] {
  const all = names.join(', ')
  const given = names.map((name) => `has(self.${name}) ? '${name}' : ''`).join(', ')
  return [
    {
      rule: names.map((name) => `has(self.${name})`).join(' || '),
      message: `needs one of ${all}`,
      reason: 'FieldValueRequired',
    },
    {
      rule: `[${names.map((name) => `has(self.${name})`).join(', ')}].filter(given, given).size() <= 1`,
      message: `exactly one of ${all} is allowed`,
      messageExpression: `'has ' + [${given}].filter(name, name != '').join(' and ') + '; exactly one of ${all} is allowed'`,
    },
  ]
}

/** A field of the design that this version refuses with a clear error instead of ignoring it. */
export function unimplemented<T extends TSchema>(schema: T) {
  return Type.Optional(Type.Unsafe<Static<T>>({ ...schema, 'x-cove-unimplemented': true }))
}

const copied = [
  'type',
  'description',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'minItems',
  'maxItems',
  'maxProperties',
  'pattern',
  'format',
  'default',
  'x-kubernetes-int-or-string',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-patch-merge-key',
  'x-kubernetes-patch-strategy',
  'x-kubernetes-validations',
  'x-cove-unimplemented',
] as const

/** The structural form of a typebox value. Throws TypeError on a construct that has none, such as a union. */
export function structural(source: unknown): Schema {
  if (!isPlainObject(source)) throw new TypeError('a schema must be an object')
  const forbidden = ['anyOf', 'allOf', 'oneOf', 'const', '$ref'].find((keyword) => keyword in source)
  if (forbidden !== undefined) throw new TypeError(`"${forbidden}" has no structural form`)
  const scalars = Object.fromEntries(
    copied.filter((keyword) => source[keyword] !== undefined).map((keyword) => [keyword, source[keyword]]),
  )
  return { ...scalars, ...structuralMap(source), ...structuralItems(source), ...structuralProperties(source) }
}

function structuralMap(source: Record<string, unknown>): Schema {
  const patterns = source['patternProperties']
  if (!isPlainObject(patterns)) return {}
  return { additionalProperties: structural(Object.values(patterns)[0]) }
}

function structuralItems(source: Record<string, unknown>): Schema {
  return source['items'] === undefined ? {} : { items: structural(source['items']) }
}

function structuralProperties(source: Record<string, unknown>): Schema {
  if (!isPlainObject(source['properties'])) return {}
  const properties = Object.fromEntries(
    Object.entries(source['properties']).map(([name, property]) => [name, structural(property)]),
  )
  const listed: unknown = source['required']
  const required = (Array.isArray(listed) ? listed.map(String) : []).filter(
    (name) => properties[name]?.default === undefined,
  )
  return { properties, ...(required.length > 0 && { required }) }
}
