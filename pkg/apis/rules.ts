/**
 * Rules of a schema against a value: which of them are asked, of what, and what a broken one is called. All of it as
 * Kubernetes does with x-kubernetes-validations, so that a schema means the same here and in a CRD. The language is
 * somebody else's business: see cel.ts. Compiled forms are kept by the checker, per schema, and made when first asked.
 */
import { type Cause, messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import type { Schema, Validation } from './schema.ts'
import { joinPath } from './validate.ts'

/** `oldSelf` is absent when there is nothing before. Values are as toCel gives them. */
export interface Scope {
  readonly self: unknown
  readonly oldSelf?: unknown
}

/** Throws when the expression cannot be evaluated. */
export type Expression = (scope: Scope) => unknown

/** Throws when the text is no expression. `optional`: oldSelf is wrapped, and may be absent. */
export type Compile = (expression: string, options: { readonly optional: boolean }) => Expression

export interface Before {
  /** The value as it was; undefined: it is new. */
  readonly old?: unknown
  /** Where the value stands in its object; default: it is the object. */
  readonly path?: string
}

export interface RuleChecker {
  /** What the rules say of a value that its schema has accepted; with what was before, also those about changes. */
  check(schema: Schema, value: unknown, before?: Before): Cause[]
}

interface CompiledRule extends Validation {
  readonly transition: boolean
  readonly holds: Expression
  readonly explain?: Expression
}

type Convert = (value: unknown) => unknown

/** The part of a schema that leads to rules. */
interface Branch {
  readonly rules: readonly CompiledRule[]
  readonly convert: Convert
  readonly properties: readonly (readonly [string, Branch])[]
  readonly values?: Branch
  readonly items?: Branch
  readonly keysOf?: (item: unknown) => string
}

interface Place {
  readonly value: unknown
  readonly old: unknown
  readonly path: string
}

export function makeChecker(compile: Compile): RuleChecker {
  const branches = new WeakMap<Schema, { readonly branch: Branch | undefined }>()
  return {
    check(schema, value, { old, path = '' } = {}) {
      const known = branches.get(schema) ?? { branch: branchOf(schema, compile, path === '') }
      branches.set(schema, known)
      return known.branch === undefined ? [] : walk(known.branch, { value, old, path })
    },
  }
}

function walk(branch: Branch, place: Place): Cause[] {
  if (place.value === undefined || place.value === null) return []
  return [...ask(branch, place), ...walkMembers(branch, place), ...walkItems(branch, place)]
}

function walkMembers(branch: Branch, { value, old, path }: Place): Cause[] {
  if (!isPlainObject(value)) return []
  const before = isPlainObject(old) ? old : {}
  const { properties, values } = branch
  const members =
    values === undefined ? properties : Object.keys(value).map((name) => [name, values] as const)
  return members.flatMap(([name, member]) =>
    walk(member, { value: value[name], old: before[name], path: joinPath(path, name) }),
  )
}

/** Items have a past only in a list whose items are known by their keys. */
function walkItems({ items, keysOf }: Branch, { value, old, path }: Place): Cause[] {
  if (items === undefined || !Array.isArray(value)) return []
  const before =
    keysOf !== undefined && Array.isArray(old) ? new Map(old.map((item) => [keysOf(item), item])) : undefined
  return value.flatMap((item, index) =>
    walk(items, { value: item, old: before?.get(keysOf?.(item) ?? ''), path: `${path}[${index}]` }),
  )
}

/**
 * What has not changed is not blamed again: an object that was accepted before a rule came can still be written.
 * Rules about changes are asked all the same.
 */
function ask({ rules, convert }: Branch, { value, old, path }: Place): Cause[] {
  if (rules.length === 0) return []
  const unchanged = old !== undefined && sameJson(value, old)
  const asked = rules.filter(({ transition, optionalOldSelf }) =>
    transition ? old !== undefined || optionalOldSelf === true : !unchanged,
  )
  if (asked.length === 0) return []
  const before = asked.some(({ transition }) => transition) && old !== undefined
  const scope: Scope = { self: convert(value), ...(before && { oldSelf: convert(old) }) }
  return asked.flatMap((rule) => broken(rule, scope, path))
}

function broken(rule: CompiledRule, scope: Scope, path: string): Cause[] {
  const field = `${path}${rule.fieldPath ?? ''}`.replace(/^\./, '')
  const reason = rule.reason ?? 'FieldValueInvalid'
  const plain = rule.message ?? `failed rule: ${rule.rule}`
  try {
    if (rule.holds(scope) === true) return []
    return [{ reason, field, message: explained(rule, scope) ?? plain }]
  } catch (error) {
    const [why] = messageOf(error).split('\n')
    return [{ reason: 'FieldValueInvalid', field, message: `${why} evaluating rule: ${plain}` }]
  }
}

const longestMessage = 5120

/** Kubernetes' conditions for taking what messageExpression gives; otherwise `message` stands. */
function explained({ explain }: CompiledRule, scope: Scope): string | undefined {
  const text = explain?.(scope)
  if (typeof text !== 'string' || text.length > longestMessage || /[\r\n]/.test(text)) return undefined
  return text.trim() === '' ? undefined : text.trim()
}

function branchOf(schema: Schema, compile: Compile, isRoot: boolean): Branch | undefined {
  if (schema['x-cove-unimplemented'] === true) return undefined
  const properties = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const branch = branchOf(property, compile, false)
    return branch === undefined ? [] : [[name, branch] as const]
  })
  const { additionalProperties, items: itemSchema } = schema
  const values = additionalProperties && branchOf(additionalProperties, compile, false)
  const items = itemSchema && branchOf(itemSchema, compile, false)
  const rules = (schema['x-kubernetes-validations'] ?? []).map((rule) => compiled(rule, compile))
  if (rules.length + properties.length === 0 && values === undefined && items === undefined) return undefined
  const convert = converter(schema) ?? same
  const keysOf = keyReader(schema)
  return {
    rules,
    convert: isRoot ? (value) => convert(withNamesOnly(value)) : convert,
    properties,
    ...(values !== undefined && { values }),
    ...(items !== undefined && { items }),
    ...(keysOf !== undefined && { keysOf }),
  }
}

/** Parsing waits until the rule is asked for the first time. */
function compiled(rule: Validation, compile: Compile): CompiledRule {
  const optional = rule.optionalOldSelf === true
  const { messageExpression } = rule
  return {
    ...rule,
    transition: /\boldSelf\b/.test(rule.rule),
    holds: lazily(() => compile(rule.rule, { optional })),
    ...(messageExpression !== undefined && {
      explain: lazily(() => compile(messageExpression, { optional })),
    }),
  }
}

function lazily(make: () => Expression): Expression {
  let made: Expression | undefined
  return (scope) => {
    made ??= make()
    return made(scope)
  }
}

function keyReader(schema: Schema): ((item: unknown) => string) | undefined {
  const keys = schema['x-kubernetes-list-map-keys']
  if (schema['x-kubernetes-list-type'] !== 'map' || keys === undefined) return undefined
  const properties = schema.items?.properties ?? {}
  return (item) =>
    JSON.stringify(
      keys.map((key) => (isPlainObject(item) ? item[key] : undefined) ?? properties[key]?.default),
    )
}

/** Of metadata, rules see the name only. */
function withNamesOnly(value: unknown): unknown {
  if (!isPlainObject(value)) return value
  const { metadata, ...rest } = value
  if (!isPlainObject(metadata)) return rest
  const { name, generateName } = metadata
  return {
    ...rest,
    metadata: { ...(name !== undefined && { name }), ...(generateName !== undefined && { generateName }) },
  }
}

const same: Convert = (value) => value

/** To the types of CEL that the schema stands for: integers are BigInt, times are Date. Undefined: as it is. */
function converter(schema: Schema): Convert | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return toInteger
  switch (schema.type) {
    case 'integer':
      return toInteger
    case 'string':
      return schema.format === 'date-time' ? (value) => new Date(String(value)) : undefined
    case 'array':
      return listConverter(schema.items)
    case 'object':
      return objectConverter(schema)
    default:
      return undefined
  }
}

function toInteger(value: unknown): unknown {
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

function listConverter(items: Schema | undefined): Convert | undefined {
  const item = items && converter(items)
  if (item === undefined) return undefined
  return (value) => {
    if (!Array.isArray(value)) return value
    const converted = value.map(item)
    return converted.every((each, index) => each === value[index]) ? value : converted
  }
}

/** Copies only what changes: every write of an object takes this way. */
function objectConverter({ properties = {}, additionalProperties }: Schema): Convert | undefined {
  const values = additionalProperties && converter(additionalProperties)
  const members = Object.entries(properties).flatMap(([name, property]) => {
    const convert = converter(property)
    return convert === undefined ? [] : [[name, convert] as const]
  })
  if (members.length === 0 && values === undefined) return undefined
  return (value) => {
    if (!isPlainObject(value)) return value
    const named = values === undefined ? members : Object.keys(value).map((name) => [name, values] as const)
    let copy: Record<string, unknown> | undefined
    for (const [name, convert] of named) {
      const member = value[name]
      const converted = member === undefined ? undefined : convert(member)
      if (converted === member) continue
      copy ??= { ...value }
      copy[name] = converted
    }
    return copy ?? value
  }
}
