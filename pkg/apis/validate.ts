/** A value against its schema: every violation with its field path, worded as Kubernetes words it. Pure. */
import type { Cause } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseDuration, parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { isTimeZone, whyNoSchedule } from './schedule.ts'
import { memberSchema, type Schema } from './schema.ts'
import { isRange } from './versions.ts'

const rfc3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/
/** Padded, as the standard has it; lines may be broken anywhere. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Where a value stands: written out only for what is wrong, since nearly nothing is. */
interface Place {
  readonly above: Place | undefined
  /** Of the outermost place: how all paths begin. */
  readonly step: string | number
}

/** All violations, in the order of the schema. Unknown fields are not looked at: see unknownFields. */
export function validate(schema: Schema, value: unknown, path = ''): Cause[] {
  const causes: Cause[] = []
  walk(schema, value, { above: undefined, step: path }, causes)
  return causes
}

/** What is wrong in more places than anybody reads is not looked at any further. */
const maxCauses = 500

function walk(schema: Schema, value: unknown, place: Place, causes: Cause[]): void {
  if (causes.length >= maxCauses) return
  if (schema['x-cove-unimplemented'] === true) {
    const message = 'is not implemented in this version of Cove; remove it'
    causes.push(cause('FieldValueForbidden', place, message))
  } else if (schema.type === 'object') {
    validateObject(schema, value, place, causes)
  } else if (schema.type === 'array') {
    validateArray(schema, value, place, causes)
  } else {
    const wrong = validateScalar(schema, value, place)
    if (wrong !== undefined) causes.push(wrong)
  }
}

function validateScalar(schema: Schema, value: unknown, place: Place): Cause | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return validateIntOrString(schema, value, place)
  switch (schema.type) {
    case 'string':
      return typeof value === 'string'
        ? validateString(schema, value, place)
        : wrongType(place, 'string', value)
    case 'integer':
      return Number.isInteger(value)
        ? validateRange(schema, Number(value), place)
        : wrongType(place, 'integer', value)
    case 'number':
      return typeof value === 'number'
        ? validateRange(schema, value, place)
        : wrongType(place, 'number', value)
    case 'boolean':
      return typeof value === 'boolean' ? undefined : wrongType(place, 'boolean', value)
    default:
      return undefined
  }
}

export function joinPath(path: string, name: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(name)) return `${path}[${name}]`
  return path === '' ? name : `${path}.${name}`
}

function pathOf({ above, step }: Place): string {
  if (above === undefined) return String(step)
  return typeof step === 'number' ? `${pathOf(above)}[${step}]` : joinPath(pathOf(above), step)
}

function validateObject(schema: Schema, value: unknown, place: Place, causes: Cause[]): void {
  if (!isPlainObject(value)) {
    causes.push(wrongType(place, 'object', value))
    return
  }
  const { maxProperties = Number.POSITIVE_INFINITY } = schema
  if (Object.keys(value).length > maxProperties)
    causes.push(cause('FieldValueInvalid', place, `must have at most ${maxProperties} entries`))
  for (const name of schema.required ?? []) {
    if (value[name] === undefined || value[name] === null)
      causes.push(cause('FieldValueRequired', { above: place, step: name }, 'is required'))
  }
  for (const name of Object.keys(value)) {
    const property = memberSchema(schema, name)
    const member = value[name]
    if (property !== undefined && member !== null)
      walk(property, member, { above: place, step: name }, causes)
  }
}

function validateArray(schema: Schema, value: unknown, place: Place, causes: Cause[]): void {
  if (!Array.isArray(value)) {
    causes.push(wrongType(place, 'array', value))
    return
  }
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema
  if (value.length < minItems)
    causes.push(cause('FieldValueInvalid', place, `must have at least ${minItems} items`))
  if (value.length > maxItems)
    causes.push(cause('FieldValueInvalid', place, `must have at most ${maxItems} items`))
  if (items !== undefined) {
    for (const [index, item] of value.entries()) walk(items, item, { above: place, step: index }, causes)
  }
  for (const [index, message] of repeated(schema, value)) {
    if (causes.length >= maxCauses) return
    causes.push(cause('FieldValueDuplicate', { above: place, step: index }, message))
  }
}

/** Items that stood there before: where, and what is to be said of them. */
function repeated(schema: Schema, value: readonly unknown[]): Iterable<[number, string]> {
  if (schema['x-kubernetes-list-type'] === 'set') return repetitions(value)
  const keys = schema['x-kubernetes-list-map-keys'] ?? []
  return keys.length === 0 ? [] : duplicates(schema, keys, value)
}

function* repetitions(value: readonly unknown[]): Generator<[number, string]> {
  const seen = new Set<unknown>()
  for (const [index, item] of value.entries()) {
    if (seen.has(item)) yield [index, `repeats ${JSON.stringify(item)}`]
    else seen.add(item)
  }
}

function* duplicates(
  schema: Schema,
  keys: readonly string[],
  value: readonly unknown[],
): Generator<[number, string]> {
  const seen = new Set<string>()
  for (const [index, item] of value.entries()) {
    if (!isPlainObject(item)) continue
    const key = JSON.stringify(keys.map((name) => item[name] ?? schema.items?.properties?.[name]?.default))
    if (seen.has(key)) yield [index, `repeats ${keys.join(' and ')} ${key}`]
    else seen.add(key)
  }
}

function validateString(schema: Schema, value: string, place: Place): Cause | undefined {
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    const allowed = schema.enum.map((word) => `"${word}"`).join(', ')
    return cause('FieldValueNotSupported', place, `unsupported value "${value}": must be one of ${allowed}`)
  }
  const message = whyWrongString(schema, value)
  return message === undefined ? undefined : cause('FieldValueInvalid', place, message)
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
  return format === undefined ? undefined : formats.get(format)?.(String(value))
}

/** By format: why a text is none of it. */
const formats: ReadonlyMap<string, (value: string) => string | undefined> = new Map([
  ['cove-duration', unless(isDuration, 'is not a duration such as 30s or 1m30s')],
  ['cove-quantity', unless(isQuantity, 'is not a quantity such as 500m or 64Mi')],
  ['cove-image-reference', whyNoReference],
  ['cove-schedule', whyWrongSchedule],
  ['cove-time-zone', unless(isTimeZone, 'is not a time zone such as Europe/Berlin')],
  ['cove-version-range', unless(isRange, 'is not a range of versions such as ~1.27 or ">=2.1 <3"')],
  ['date-time', unless(isTime, 'is not an RFC 3339 time')],
  ['byte', (value) => (base64.test(value.replaceAll(/[\r\n]/g, '')) ? undefined : 'is not base64')],
])

function unless(fits: (value: string) => boolean, why: string): (value: string) => string | undefined {
  return (value) => (fits(value) ? undefined : `"${value}" ${why}`)
}

function isDuration(value: string): boolean {
  return parseDuration(value) !== undefined
}

function isQuantity(value: string): boolean {
  return parseQuantity(value) !== undefined
}

function isTime(value: string): boolean {
  return rfc3339.test(value) && !Number.isNaN(Date.parse(value))
}

function whyNoReference(value: string): string | undefined {
  const parsed = parseReference(value)
  return parsed.ok ? undefined : `"${value}" is not an image reference: ${parsed.message}`
}

function whyWrongSchedule(value: string): string | undefined {
  const why = whyNoSchedule(value)
  return why === undefined ? undefined : `"${value}" is not a schedule such as "0 3 * * *": ${why}`
}

function validateRange(schema: Schema, value: number, place: Place): Cause | undefined {
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema
  if (value >= minimum && value <= maximum) return undefined
  if (schema.maximum === undefined) return cause('FieldValueInvalid', place, `must be at least ${minimum}`)
  if (schema.minimum === undefined) return cause('FieldValueInvalid', place, `must be at most ${maximum}`)
  return cause('FieldValueInvalid', place, `must be between ${minimum} and ${maximum}`)
}

function validateIntOrString(schema: Schema, value: unknown, place: Place): Cause | undefined {
  if (typeof value !== 'string' && typeof value !== 'number')
    return wrongType(place, 'number or string', value)
  const range = typeof value === 'number' ? validateRange(schema, value, place) : undefined
  if (range !== undefined) return range
  const message =
    typeof value === 'string' ? whyWrongString(schema, value) : whyWrongFormat(schema.format, value)
  return message === undefined ? undefined : cause('FieldValueInvalid', place, message)
}

function cause(reason: Cause['reason'], place: Place, message: string): Cause {
  return { reason, field: pathOf(place), message }
}

function wrongType(place: Place, expected: string, value: unknown): Cause {
  const found = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value
  return cause('FieldValueTypeInvalid', place, `must be of type ${expected}, not ${found}`)
}
