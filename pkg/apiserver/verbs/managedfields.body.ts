/**
 * metadata.managedFields as clients send it. Absent keeps what is there, an empty list or a list of one empty entry
 * forgets it, and any other list takes its place. Pure.
 */
import { type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import { parseFieldSet, union } from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type ManagedFieldsEntry, timestamp } from '#pkg/apimachinery/meta.ts'
import type { Json } from '../http/body.ts'
import { equalJson } from './equal.ts'
import { managerCauses } from './fieldmanager.ts'
import { type Entries, inOrder, isSameManager } from './managedfields.ts'
import type { Target } from './objects.ts'

const field = 'metadata.managedFields'
const longestSubresource = 256

/** What a write begins with. Throws Invalid when the list is malformed. */
export function sentEntries(
  { kind, name }: Pick<Target, 'kind' | 'name'>,
  current: Entries,
  sent: unknown,
): Entries {
  if (sent === undefined || sent === null || sent === current) return current
  if (isReset(sent)) return []
  if (equalJson(sent, current)) return current
  const causes: Cause[] = []
  const entries = Array.isArray(sent) ? sent.map((entry, index) => decodeEntry(entry, index, causes)) : []
  if (!Array.isArray(sent)) causes.push(wrong('FieldValueTypeInvalid', field, 'must be of type array'))
  if (causes.length > 0) throw invalid(kind, name, causes)
  return inOrder(joined(entries.filter((entry) => entry !== undefined)))
}

function isReset(sent: unknown): boolean {
  if (!Array.isArray(sent)) return false
  const [first] = sent
  return sent.length === 0 || (sent.length === 1 && isPlainObject(first) && Object.keys(first).length === 0)
}

/** Two entries of one manager are one. */
function joined(entries: Entries): Entries {
  const result: ManagedFieldsEntry[] = []
  for (const entry of entries) {
    const index = result.findIndex((known) => isSameManager(known, entry))
    const known = result[index]
    if (known === undefined) result.push(entry)
    else result[index] = { ...known, fieldsV1: union(known.fieldsV1, entry.fieldsV1) }
  }
  return result
}

function decodeEntry(value: unknown, index: number, causes: Cause[]): ManagedFieldsEntry | undefined {
  const at = `${field}[${index}]`
  if (!isPlainObject(value)) {
    causes.push(wrong('FieldValueTypeInvalid', at, 'must be of type object'))
    return undefined
  }
  const found = [...wrongNames(value, at), ...wrongForm(value, at)]
  causes.push(...found)
  if (found.length > 0) return undefined
  const { manager, operation, apiVersion, subresource, time } = value
  return {
    manager: String(manager ?? ''),
    operation: operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: String(apiVersion),
    ...(typeof time === 'string' && { time: timestamp(Date.parse(time)) }),
    fieldsType: 'FieldsV1',
    fieldsV1: parseFieldSet(value['fieldsV1'] ?? {}) ?? {},
    ...(typeof subresource === 'string' && subresource !== '' && { subresource }),
  }
}

function wrongNames({ manager = '', apiVersion, subresource = '' }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (typeof apiVersion !== 'string' || apiVersion === '') {
    causes.push(wrong('FieldValueRequired', `${at}.apiVersion`, 'is required'))
  }
  if (typeof manager === 'string') causes.push(...managerCauses(manager, `${at}.manager`))
  else causes.push(wrong('FieldValueTypeInvalid', `${at}.manager`, 'must be of type string'))
  if (typeof subresource !== 'string' || subresource.length > longestSubresource) {
    const message = `must be a string of at most ${longestSubresource} bytes`
    causes.push(wrong('FieldValueInvalid', `${at}.subresource`, message))
  }
  return causes
}

/** Times of JavaScript's clients have milliseconds. */
function wrongForm({ operation, fieldsType = '', fieldsV1 = {}, time = null }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (operation !== 'Apply' && operation !== 'Update') {
    const message = `Invalid value: ${shown(operation)}: must be \`Apply\` or \`Update\``
    causes.push(wrong('FieldValueInvalid', `${at}.operation`, message))
  }
  if (fieldsType !== 'FieldsV1' && fieldsType !== '') {
    const message = `Invalid value: ${shown(fieldsType)}: must be \`FieldsV1\``
    causes.push(wrong('FieldValueInvalid', `${at}.fieldsType`, message))
  }
  if (parseFieldSet(fieldsV1) === undefined) {
    causes.push(wrong('FieldValueInvalid', `${at}.fieldsV1`, 'is no set of fields'))
  }
  if (time !== null && (typeof time !== 'string' || Number.isNaN(Date.parse(time)))) {
    causes.push(wrong('FieldValueInvalid', `${at}.time`, `${shown(time)} is not an RFC 3339 time`))
  }
  return causes
}

function shown(value: unknown): string {
  return JSON.stringify(value) ?? '""'
}

function wrong(reason: Cause['reason'], at: string, message: string): Cause {
  return { reason, field: at, message }
}
