/**
 * The way every change of an existing object takes: read, decide (pure), store if nobody was faster, and answer when
 * the cache shows it. Writers of one object queue up, so races are only lost to other servers on the same storage.
 */
import { conflict, isReason, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import {
  type ApiObject,
  decodeForWriting,
  decodeObject,
  encodeObject,
  headOf,
  storageKey,
  withRevision,
} from '../cache/encoded.ts'
import type { FieldSetMemo } from '../cache/managerstext.ts'
import { admitImages } from './allowedimages.ts'
import { admitDockerfile } from './builddockerfile.ts'
import type { Context, Written } from './context.ts'
import { admitAmongOthers } from './crossobject.ts'
import { warnOfVolumes } from './declaredvolumes.ts'
import { equalJson } from './equal.ts'
import { isTerminating, mayGo, modified, type Prepared, specChanged, type Target } from './objects.ts'
import { warnOfRelativeProgram } from './relativeprogram.ts'
import { admitArgs } from './secretargs.ts'
import { admitSecurity } from './security.ts'
import { storableText } from './storable.ts'

export interface Mutation {
  readonly target: Target
  readonly dryRun: boolean
  /** Pure; runs again when the object changed meanwhile. Throws what the writer should hear. */
  readonly decide: (current: ApiObject) => Prepared | 'remove'
  /** Makes the object that is not there; undefined: somebody else just did. Absent: that is NotFound. */
  readonly absent?: () => Promise<Mutated | undefined>
}

export interface Mutated extends Written {
  readonly removed: boolean
  readonly object: ApiObject
}

interface Current {
  readonly object: ApiObject
  readonly text: string
  readonly revision: number
  readonly cached: boolean
}

const attempts = 5

export function mutate(context: Context, mutation: Mutation): Promise<Mutated> {
  const { kind } = mutation.target
  const key = storageKey(kind, mutation.target)
  return context.locks.run(key, async () => {
    let current: Current | undefined = await readCurrent(context, mutation.target, key)
    for (let attempt = 0; attempt < attempts; attempt++) {
      const outcome = await attemptOnce(context, mutation, key, current)
      if ('text' in outcome) return outcome
      current =
        outcome.current === undefined ? undefined : fromRecord(kind, outcome.current, context.fieldSets)
    }
    throw conflict(kind, mutation.target.name, modified)
  })
}

type Lost = { readonly current: StoredRecord | undefined }

async function attemptOnce(
  context: Context,
  mutation: Mutation,
  key: string,
  current: Current | undefined,
): Promise<Mutated | Lost> {
  const { target, dryRun } = mutation
  if (current === undefined) {
    if (mutation.absent === undefined) throw notFound(target.kind, target.name)
    return (await mutation.absent()) ?? { current: await context.storage.get(key) }
  }
  const decision = await decide(context, mutation, key, current)
  if ('current' in decision) return decision
  const { prepared, remove } = decision
  if (remove) {
    // Whoever takes off the last finalizer writes, too.
    if (prepared.object !== current.object)
      context.admit?.({ kind: target.kind, object: prepared.object, before: current.object })
    if (!dryRun) {
      const result = await context.storage.delete(key, current.revision)
      if (!result.ok) return result
      await context.cache.shows(result.revision)
    }
    return { ...unchanged(current, prepared.object, prepared.warnings), removed: true }
  }
  if (equalJson(withoutRevision(current.object), withoutRevision(prepared.object))) {
    return unchanged(current, current.object, prepared.warnings)
  }
  return store(context, mutation, key, { current, prepared })
}

async function store(
  context: Context,
  { target: { kind }, dryRun }: Mutation,
  key: string,
  { current, prepared }: { current: Current; prepared: Prepared },
): Promise<Mutated | Lost> {
  const { object } = prepared
  const write = { kind, object, before: current.object }
  context.admit?.(write)
  admitImages(context, write)
  admitArgs(write)
  const warnings = [
    ...prepared.warnings,
    ...admitSecurity(context, write),
    ...admitDockerfile(context, write),
    ...warnOfVolumes(context, write),
    ...warnOfRelativeProgram(context, write),
  ]
  using _reserved = specChanged(current.object, object)
    ? admitAmongOthers(context, kind, object, dryRun)
    : undefined
  const stored = storableText(kind, object, current.text)
  if (dryRun) {
    const text = withRevision(headOf(kind), stored, current.revision)
    return { status: 200, text, warnings, removed: false, object }
  }
  const result = await context.storage.update(key, stored, current.revision)
  if (!result.ok) return result
  await context.cache.shows(result.revision)
  const text = withRevision(headOf(kind), stored, result.revision)
  return { status: 200, text, warnings, removed: false, object }
}

/** A refusal may be due to a cache that lags behind another server: then what is stored decides. */
async function decide(
  { storage }: Context,
  { target, decide }: Mutation,
  key: string,
  current: Current,
): Promise<{ prepared: Prepared; remove: boolean } | Lost> {
  try {
    const decision = decide(current.object)
    if (decision === 'remove') return { prepared: { object: current.object, warnings: [] }, remove: true }
    const { object } = decision
    return { prepared: decision, remove: isTerminating(object) && mayGo(target.kind, object) }
  } catch (error) {
    if (!current.cached || !isReason(error, 'Conflict')) throw error
    const stored = await storage.get(key)
    if (stored?.revision === current.revision) throw error
    return { current: stored }
  }
}

async function readCurrent(context: Context, target: Target, key: string): Promise<Current | undefined> {
  const cache = context.cache.of(target.kind)
  const entry = cache.get(key.slice(cache.prefix.length))
  if (entry !== undefined) {
    const { text, revision } = entry
    return {
      object: decodeForWriting(headOf(target.kind), text, context.fieldSets),
      text,
      revision,
      cached: true,
    }
  }
  const record = await context.storage.get(key)
  return record === undefined ? undefined : fromRecord(target.kind, record, context.fieldSets)
}

function fromRecord(kind: Kind, { value, revision }: StoredRecord, memo: FieldSetMemo): Current {
  const object = decodeObject(value)
  const text = withRevision(headOf(kind), encodeObject(kind, object), revision)
  return { object: decodeForWriting(headOf(kind), text, memo), text, revision, cached: false }
}

function unchanged(current: Current, object: ApiObject, warnings: readonly string[]): Mutated {
  return { status: 200, text: current.text, warnings, removed: false, object }
}

function withoutRevision(object: ApiObject): unknown {
  const { resourceVersion: _revision, ...metadata } = object.metadata
  return { ...object, metadata }
}

/** For verbs that cannot go on without it. */
export function requireName<T extends { readonly name?: string }>(resource: T): T & { name: string } {
  const { name } = resource
  if (name === undefined) throw new StatusError('InternalError', 'a verb on one object came without its name')
  return { ...resource, name }
}
