/**
 * metadata.managedFields: who set which fields. Every write moves the fields that it changed to its writer; what is
 * removed leaves every set. An entry's time moves when its writer changed the set. Pure; entries are shared and never
 * changed, and a write that moves nothing gives back the very list it was given.
 */
import {
  difference,
  type FieldSet,
  intersection,
  isEmptySet,
  sameSet,
  union,
} from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf, type ManagedFieldsEntry } from '#pkg/apimachinery/meta.ts'
import { compareFields, type FieldChanges, fieldsOf, noChanges } from '#pkg/apis/fields.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { memberSchema } from '#pkg/apis/schema.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Json } from '../http/body.ts'
import type { Subresource } from '../http/request.ts'

export type Entries = readonly ManagedFieldsEntry[]

/** An entry without its fields: who, and through which door. */
export type Manager = Pick<ManagedFieldsEntry, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

export interface Writer extends Manager {
  /** RFC 3339. */
  readonly time: string
}

/** As Kubernetes: so many writers are kept apart, the oldest are put together. */
const maxUpdaters = 10
const ancientManager = 'ancient-changes'
/** Owns what was there when somebody first applied to an object whose fields nobody had kept track of. */
const firstManager = 'before-first-apply'

export function writerOf(
  kind: Kind,
  operation: ManagedFieldsEntry['operation'],
  { manager, subresource, time }: { manager: string; subresource: Subresource | undefined; time: string },
): Writer {
  const apiVersion = apiVersionOf(kind)
  return { manager, operation, apiVersion, time, ...(subresource !== undefined && { subresource }) }
}

/** Of the fields that a write to the object or to its subresource may own, those that differ. */
export function changesOf(
  kind: Kind,
  subresource: Subresource | undefined,
  before: ApiObject | undefined,
  after: Json,
): FieldChanges {
  if (subresource === 'status') return statusChanges(kind, before, after)
  return compareFields(
    kind.schema,
    before === undefined ? nothing : ownable(kind, before),
    ownable(kind, after),
  )
}

const nothing = { metadata: {} }

/** The write that happens most looks at nothing but the status. */
function statusChanges(kind: Kind, before: ApiObject | undefined, after: Json): FieldChanges {
  const schema = {
    type: 'object',
    properties: { status: memberSchema(kind.schema, 'status') ?? {} },
  } as const
  return compareFields(schema, statusOf(before), statusOf(after))
}

function statusOf(object: Json | ApiObject | undefined): Json {
  return object?.['status'] === undefined ? {} : { status: object['status'] }
}

/** The fields that applying the configuration to the object or to its status owns. */
export function appliedFields(kind: Kind, intent: Json): FieldSet {
  const { metadata, ...rest } = ownableMembers(intent)
  const named = isPlainObject(metadata) && Object.keys(metadata).length > 0
  return fieldsOf(kind.schema, named ? { metadata, ...rest } : rest)
}

/** Everything that somebody may own of an object; the status has a door of its own. */
export function ownable(kind: Kind, object: Json | ApiObject): Json {
  const members = ownableMembers(object)
  if (!kind.statusSubresource) return members
  const { status: _status, ...rest } = members
  return rest
}

function ownableMembers(object: Json | ApiObject): Json {
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object
  return 'metadata' in rest ? { ...rest, metadata: ownableMetadata(rest['metadata']) } : rest
}

function ownableMetadata(metadata: unknown): Json {
  const {
    name: _name,
    namespace: _namespace,
    uid: _uid,
    resourceVersion: _resourceVersion,
    generation: _generation,
    creationTimestamp: _creationTimestamp,
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _gracePeriod,
    selfLink: _selfLink,
    managedFields: _managedFields,
    ...rest
  } = metadata as Json
  return rest
}

/** After a write that is no apply. */
export function afterUpdate(entries: Entries, changes: FieldChanges, writer: Writer): Entries {
  if (changes === noChanges) return entries
  const taken = union(changes.added, changes.modified)
  const lost = union(taken, changes.removed)
  let known = false
  const next = entries.map((entry) => {
    if (!isSameManager(entry, writer)) return withFields(entry, difference(entry.fieldsV1, lost))
    known = true
    return withFields(entry, union(difference(entry.fieldsV1, changes.removed), taken), writer.time)
  })
  if (!known) next.push(entryOf(writer, taken))
  return settled(entries, next)
}

/** What stands against an apply: of each other manager the fields that the apply would change. */
export interface Conflict {
  readonly entry: ManagedFieldsEntry
  readonly fields: FieldSet
}

export function conflictsWith(entries: Entries, changes: FieldChanges, writer: Manager): Conflict[] {
  const taken = union(changes.added, changes.modified)
  if (isEmptySet(taken)) return []
  return entries
    .filter((entry) => !isSameManager(entry, writer))
    .map((entry) => ({ entry, fields: intersection(entry.fieldsV1, taken) }))
    .filter(({ fields }) => !isEmptySet(fields))
}

/** After an apply whose conflicts, if any, were won: the writer owns what it named, no more and no less. */
export function afterApply(
  entries: Entries,
  { changes, fields }: { readonly changes: FieldChanges; readonly fields: FieldSet },
  writer: Writer,
): Entries {
  const lost = union(union(changes.added, changes.modified), changes.removed)
  let known = false
  const next = entries.map((entry) => {
    if (!isSameManager(entry, writer)) return withFields(entry, difference(entry.fieldsV1, lost))
    known = true
    return sameSet(entry.fieldsV1, fields) ? entry : withFields(entry, fields, writer.time)
  })
  if (!known) next.push(entryOf(writer, fields))
  return settled(entries, next)
}

/** The entry of this manager, which may be about to change. */
export function entryFor(entries: Entries, writer: Manager): ManagedFieldsEntry | undefined {
  return entries.find((entry) => isSameManager(entry, writer))
}

/** What everybody owns together. */
export function ownedByAny(entries: Entries): FieldSet {
  return entries.reduce<FieldSet>((owned, { fieldsV1 }) => union(owned, fieldsV1), {})
}

/** For an object that nobody kept track of. */
export function beforeFirstApply(kind: Kind, live: ApiObject, writer: Writer): Entries {
  const { added } = compareFields(kind.schema, nothing, ownable(kind, live))
  const { subresource: _subresource, ...rest } = writer
  const entry = entryOf({ ...rest, manager: firstManager, operation: 'Update' }, added)
  return isEmptySet(added) ? [] : [entry]
}

/** Appliers go by their name alone, updaters also by the version that they write. */
export function isSameManager(left: Manager, right: Manager): boolean {
  return (
    left.manager === right.manager &&
    left.operation === right.operation &&
    left.subresource === right.subresource &&
    (left.operation === 'Apply' || left.apiVersion === right.apiVersion)
  )
}

function entryOf({ manager, operation, apiVersion, time, subresource }: Writer, fields: FieldSet) {
  const entry: ManagedFieldsEntry = {
    manager,
    operation,
    apiVersion,
    time,
    fieldsType: 'FieldsV1',
    fieldsV1: fields,
    ...(subresource !== undefined && { subresource }),
  }
  return entry
}

function withFields(entry: ManagedFieldsEntry, fields: FieldSet, time?: string): ManagedFieldsEntry {
  if (fields === entry.fieldsV1) return entry
  return { ...entry, fieldsV1: fields, ...(time !== undefined && { time }) }
}

function settled(before: Entries, next: readonly ManagedFieldsEntry[]): Entries {
  if (next.length === before.length && next.every((entry, index) => entry === before[index])) return before
  return inOrder(capped(next.filter(({ fieldsV1 }) => !isEmptySet(fieldsV1))))
}

/** Appliers first, then by age: as Kubernetes writes them. */
export function inOrder(entries: Entries): Entries {
  const key = (entry: ManagedFieldsEntry) =>
    [entry.operation, entry.time ?? '', entry.manager, entry.apiVersion, entry.subresource ?? ''] as const
  return [...entries].sort((left, right) => compareKeys(key(left), key(right)))
}

function compareKeys(left: readonly string[], right: readonly string[]): number {
  for (const [index, mine] of left.entries()) {
    const theirs = right[index] ?? ''
    if (mine !== theirs) return mine < theirs ? -1 : 1
  }
  return 0
}

/** The oldest updaters of a version become one, until there are few enough. */
export function capped(entries: Entries): Entries {
  let result = entries
  for (;;) {
    const updaters = inOrder(result.filter(({ operation }) => operation === 'Update'))
    if (updaters.length <= maxUpdaters) return result
    const [first, second] = oldestOfOneVersion(updaters)
    if (first === undefined || second === undefined) return result
    const others = result.filter((entry) => entry !== first && entry !== second)
    const { subresource: _subresource, ...rest } = second
    const fieldsV1 = union(first.fieldsV1, second.fieldsV1)
    result = [...others, { ...rest, manager: ancientManager, fieldsV1 }]
  }
}

/** What has been put together already goes first, however young it is. */
function oldestOfOneVersion(updaters: Entries): Entries {
  const ranked = [...updaters].sort((left, right) => rank(left) - rank(right))
  for (const first of ranked) {
    const second = ranked.find((entry) => entry !== first && entry.apiVersion === first.apiVersion)
    if (second !== undefined) return [first, second]
  }
  return []
}

function rank({ manager }: ManagedFieldsEntry): number {
  return manager === ancientManager ? 0 : 1
}
