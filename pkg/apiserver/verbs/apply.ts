/**
 * Server-side apply: the body is everything that one manager wants of the object. It is merged into what is there, and
 * what the manager wanted before, wants no more and shares with nobody is taken out. An object that is not there is
 * made.
 */
import { conflict, isReason } from '#pkg/apimachinery/errors.ts'
import { type FieldSet, union } from '#pkg/apimachinery/fieldset.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { mergeApplied, withoutDisowned } from '#pkg/apis/applied.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import type { Json } from '../http/body.ts'
import type { RequestInfo } from '../http/request.ts'
import { applyConflict } from './applyconflict.ts'
import { type Applying, membersOf, readApplying } from './applying.ts'
import { type Context, validating, type Written } from './context.ts'
import { createObject } from './create.ts'
import { allowedByLastApplied, lastAppliedText, withLastApplied } from './lastapplied.ts'
import {
  afterApply,
  beforeFirstApply,
  type Conflict,
  changesOf,
  conflictsWith,
  type Entries,
  entryFor,
  ownedByAny,
} from './managedfields.ts'
import { type Mutated, mutate, requireName } from './mutate.ts'
import { modified, type Prepared, type Validating } from './objects.ts'
import { withEntries } from './tracked.ts'
import { nextState } from './update.ts'

export const applyType = 'application/apply-patch+yaml'

export async function apply(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const { dryRun } = info.options
  const target = requireName(info)
  const { warnings, ...applying } = readApplying(target, request, context.ambient.clock.now())
  const how = validating(context, { ...info.options, fieldValidation: 'Ignore' })
  const applied = await mutate(context, {
    target,
    dryRun,
    decide: (current) => appliedObject(current, applying, how),
    ...(info.subresource === undefined && { absent: () => createApplied(context, info, applying) }),
  })
  return { ...applied, warnings: [...warnings, ...applied.warnings] }
}

/** The object after the apply. Throws Conflict when others own what would change, unless forced. Pure. */
export function appliedObject(current: ApiObject, applying: Applying, how: Validating): Prepared {
  const { target, fields, writer } = applying
  const { kind, subresource } = target
  const known = current.metadata.managedFields ?? []
  const entries = known.length > 0 ? known : beforeFirstApply(kind, current, writer)
  const wanted = wantedObject(current, entries, applying)
  const changes = changesOf(kind, subresource, current, wanted)
  refuseConflicts(conflictsWith(entries, changes, writer), current, applying)
  const sent = withSentMetadata(withLastApplied(wanted, lastAppliedText(current, applying)), applying.body)
  const { object, warnings } = nextState(target, current, sent, how)
  const managedFields = afterApply(entries, { changes, fields }, writer)
  return { object: managedFields === known ? object : withEntries(object, managedFields), warnings }
}

function wantedObject(
  live: ApiObject,
  entries: Entries,
  { target: { kind }, intent, fields, writer }: Applying,
): Json {
  const merged = mergeApplied(kind.schema, live, intent)
  const mine = entryFor(entries, writer)
  if (mine === undefined) return membersOf(merged)
  const others = entries.filter((entry) => entry !== mine)
  const owned = union(union(ownedByAny(others), fields), alwaysThere)
  return membersOf(withoutDisowned(kind.schema, merged, { before: mine.fieldsV1, owned }))
}

/** Metadata is nobody's, and stays. */
const alwaysThere: FieldSet = { 'f:metadata': { 'f:name': {} } }

function refuseConflicts(conflicts: readonly Conflict[], current: ApiObject, applying: Applying): void {
  if (applying.force || conflicts.length === 0) return
  const left = allowedByLastApplied(conflicts, current, applying)
  if (left.length > 0) throw applyConflict(left)
}

/** What the body says about identity and revision is checked as that of a PUT is. */
function withSentMetadata(wanted: Json, body: Json): Json {
  const sent = membersOf(body['metadata'])
  const checked = ['name', 'namespace', 'uid', 'resourceVersion']
    .filter((name) => sent[name] !== undefined && sent[name] !== null)
    .map((name) => [name, sent[name]])
  return { ...wanted, metadata: { ...membersOf(wanted['metadata']), ...Object.fromEntries(checked) } }
}

/** Undefined: somebody else was faster. */
async function createApplied(
  context: Context,
  info: RequestInfo,
  { target, body, intent, fields, writer }: Applying,
): Promise<Mutated | undefined> {
  const { kind, name } = target
  const { uid, resourceVersion, namespace } = membersOf(body['metadata'])
  if ((uid ?? '') !== '') {
    const why = `uid mismatch: the provided object specified uid ${String(uid)}, and no existing object was found`
    throw conflict(kind, name, why)
  }
  if ((resourceVersion ?? '') !== '') throw conflict(kind, name, modified)
  await context.authorize?.({ ...info, verb: 'create' })
  const metadata = { ...membersOf(intent['metadata']), ...(namespace !== undefined && { namespace }), name }
  const whole = { apiVersion: apiVersionOf(kind), kind: kind.kind, ...intent, metadata }
  try {
    const options = { ...info.options, fieldValidation: 'Ignore' as const }
    const created = await createObject(context, { ...info, options }, whole, { fields, writer })
    return { ...created, removed: false, object: decodeObject(created.text) }
  } catch (error) {
    if (isReason(error, 'AlreadyExists')) return undefined
    throw error
  }
}
