/** A value against its schema: every violation with its field path, worded as Kubernetes words it. Pure. */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { memberSchema, type Schema } from './schema.ts'

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/
/** Padded, as the standard has it; lines may be broken anywhere. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** All violations, in the order of the schema. Unknown fields are not looked at: see unknownFields. */
export function validate(schema: Schema, value: unknown, path = ''): Cause[] {
  if (schema['x-cove-unimplemented'] === true) {
    return [cause('FieldValueForbidden', path, 'is not implemented in this version of Cove; remove it')]
  }
  if (schema['x-kubernetes-int-or-string'] === true) return validateIntOrString(schema, value, path)
  switch (schema.type) {
    case 'object':
      return validateObject(schema, value, path)
    case 'array':
      return validateArray(schema, value, path)
    case 'string':
      return typeof value === 'string'
        ? validateString(schema, value, path)
        : [wrongType(path, 'string', value)]
    case 'integer':
      return Number.isInteger(value)
        ? validateRange(schema, Number(value), path)
        : [wrongType(path, 'integer', value)]
    case 'number':
      return typeof value === 'number'
        ? validateRange(schema, value, path)
        : [wrongType(path, 'number', value)]
    case 'boolean':
      return typeof value === 'boolean' ? [] : [wrongType(path, 'boolean', value)]
    default:
      return []
  }
}

export function joinPath(path: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${path}[${name}]`
  return path === '' ? name : `${path}.${name}`
}

function validateObject(schema: Schema, value: unknown, path: string): Cause[] {
  if (!isPlainObject(value)) return [wrongType(path, 'object', value)]
  const missing = (schema.required ?? [])
    .filter((name) => value[name] === undefined || value[name] === null)
    .map((name) => cause('FieldValueRequired', joinPath(path, name), 'is required'))
  const wrong = Object.entries(value).flatMap(([name, member]) => {
    const property = memberSchema(schema, name)
    return property === undefined || member === null ? [] : validate(property, member, joinPath(path, name))
  })
  return [...missing, ...wrong]
}

function validateArray(schema: Schema, value: unknown, path: string): Cause[] {
  if (!Array.isArray(value)) return [wrongType(path, 'array', value)]
  const items = schema.items
  const wrong =
    items === undefined ? [] : value.flatMap((item, index) => validate(items, item, `${path}[${index}]`))
  const tooFew = value.length < (schema.minItems ?? 0)
  const few = tooFew ? [cause('FieldValueInvalid', path, `must have at least ${schema.minItems} items`)] : []
  const tooMany = value.length > (schema.maxItems ?? Number.POSITIVE_INFINITY)
  const many = tooMany ? [cause('FieldValueInvalid', path, `must have at most ${schema.maxItems} items`)] : []
  return [...few, ...many, ...wrong, ...duplicates(schema, value, path), ...repetitions(schema, value, path)]
}

/** Items of a set that stood there before. */
function repetitions(schema: Schema, value: readonly unknown[], path: string): Cause[] {
  if (schema['x-kubernetes-list-type'] !== 'set') return []
  return value.flatMap((item, index) =>
    value.indexOf(item) === index
      ? []
      : [cause('FieldValueDuplicate', `${path}[${index}]`, `repeats ${JSON.stringify(item)}`)],
  )
}

function duplicates(schema: Schema, value: readonly unknown[], path: string): Cause[] {
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  if (keys.length === 0) return []
  const seen = new Set<string>()
  return value.flatMap((item, index) => {
    if (!isPlainObject(item)) return []
    const key = JSON.stringify(keys.map((name) => item[name] ?? schema.items?.properties?.[name]?.default))
    if (seen.has(key))
      return [cause('FieldValueDuplicate', `${path}[${index}]`, `repeats ${keys.join(' and ')} ${key}`)]
    seen.add(key)
    return []
  })
}

function validateString(schema: Schema, value: string, path: string): Cause[] {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const allowed = schema.enum.map((word) => `"${word}"`).join(', ')
    return [cause('FieldValueNotSupported', path, `unsupported value "${value}": must be one of ${allowed}`)]
  }
  const message = whyWrongString(schema, value)
  return message === undefined ? [] : [cause('FieldValueInvalid', path, message)]
}

function whyWrongString(schema: Schema, value: string): string | undefined {
  if (value.length < (schema.minLength ?? 0)) {
    return schema.minLength === 1 ? 'must not be empty' : `must have at least ${schema.minLength} characters`
  }
  const { maxLength = Number.POSITIVE_INFINITY } = schema
  // Kubernetes counts characters; JavaScript counts those beyond the basic plane twice.
  if (value.length > maxLength && [...value].length > maxLength) {
    return `must have at most ${schema.maxLength} characters`
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    return `"${value}" must match ${schema.pattern}`
  }
  return whyWrongFormat(schema.format, value)
}

function whyWrongFormat(format: string | undefined, value: string | number): string | undefined {
  switch (format) {
    case 'cove-duration':
      return parseDuration(String(value)) === undefined
        ? `"${value}" is not a duration such as 30s or 1m30s`
        : undefined
    case 'cove-quantity':
      return parseQuantity(value) === undefined
        ? `"${value}" is not a quantity such as 500m or 64Mi`
        : undefined
    case 'cove-image-reference': {
      const parsed = parseReference(String(value))
      return parsed.ok ? undefined : `"${value}" is not an image reference: ${parsed.message}`
    }
    case 'date-time':
      return rfc3339.test(String(value)) && !Number.isNaN(Date.parse(String(value)))
        ? undefined
        : `"${value}" is not an RFC 3339 time`
    case 'byte':
      return base64.test(String(value).replaceAll(/[\r\n]/g, '')) ? undefined : 'is not base64'
    default:
      return undefined
  }
}

function validateRange(schema: Schema, value: number, path: string): Cause[] {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  if (value >= minimum && value <= maximum) return []
  if (schema.maximum === undefined) return [cause('FieldValueInvalid', path, `must be at least ${minimum}`)]
  if (schema.minimum === undefined) return [cause('FieldValueInvalid', path, `must be at most ${maximum}`)]
  return [cause('FieldValueInvalid', path, `must be between ${minimum} and ${maximum}`)]
}

function validateIntOrString(schema: Schema, value: unknown, path: string): Cause[] {
  if (typeof value !== 'string' && typeof value !== 'number')
    return [wrongType(path, 'number or string', value)]
  if (typeof value === 'number') {
    const range = validateRange(schema, value, path)
    if (range.length > 0) return range
  }
  const message =
    typeof value === 'string' ? whyWrongString(schema, value) : whyWrongFormat(schema.format, value)
  return message === undefined ? [] : [cause('FieldValueInvalid', path, message)]
}

function cause(reason: Cause['reason'], field: string, message: string): Cause {
  return { reason, field, message }
}

function wrongType(path: string, expected: string, value: unknown): Cause {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  return cause('FieldValueTypeInvalid', path, `must be of type ${expected}, not ${found}`)
}
