/** DELETE: an object goes at once, or is marked and goes when the last finalizer has been taken off. */
import { badRequest, conflict, invalid, qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { isEmpty, type Json, readMembers } from './body.ts'
import type { Context, Written } from './context.ts'
import type { ApiObject } from './encoded.ts'
import { type Mutated, mutate, requireName } from './mutate.ts'
import { isTerminating, mayGo, type Prepared, type Target, terminating } from './objects.ts'
import { type PropagationPolicy, parseDryRun, propagationPolicies } from './options.ts'
import { isNamespaceKind, type RequestInfo } from './request.ts'

interface DeleteOptions {
  readonly dryRun: boolean
  readonly gracePeriodSeconds: number | undefined
  readonly propagationPolicy: PropagationPolicy | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

/** Namespaces that the server itself needs. */
const protectedNamespaces = new Set(['default'])

/** Answers the object when it is only marked, else a Status that says what is gone. */
export async function remove(
  context: Context,
  info: RequestInfo,
  request: ApiRequest,
): Promise<Written & { readonly removed: boolean }> {
  const options = readOptions(info, request)
  const target = requireName(info)
  checkProtected(target)
  const deleted = await removeObject(context, target, options)
  return deleted.removed ? { ...deleted, text: goneStatus(target, deleted) } : deleted
}

/** Removes what the selectors match, one after the other; answers the list of what was there. */
export async function removeCollection(
  context: Context,
  info: RequestInfo,
  request: ApiRequest,
): Promise<readonly string[]> {
  const options = readOptions(info, request)
  const { labelSelector, fieldSelector } = info.options
  const scope = info.namespace === undefined ? {} : { namespace: info.namespace }
  const entries = context.cache.of(info.kind).select({ ...scope, labelSelector, fieldSelector })
  for (const { name } of entries) checkProtected({ ...info, name })
  const removed: string[] = []
  for (const { name } of entries) {
    removed.push((await removeObject(context, { ...info, name }, options)).text)
  }
  return removed
}

function removeObject(context: Context, target: Target, options: DeleteOptions): Promise<Mutated> {
  const decide = (current: ApiObject): Prepared | 'remove' => {
    checkPreconditions(target, current, options)
    checkDependents(context, target, current, options)
    if (mayGo(target.kind, current)) return 'remove'
    if (isTerminating(current)) return { object: current, warnings: [] }
    const now = timestamp(context.ambient.clock.now())
    return { object: terminating(target.kind, current, now, options.gracePeriodSeconds), warnings: [] }
  }
  return mutate(context, { target, dryRun: options.dryRun, decide })
}

/** The body says what the query says, and wins: kubectl sends the one, other clients the other. */
function readOptions({ options }: RequestInfo, request: ApiRequest): DeleteOptions {
  const body = isEmpty(request) ? {} : readOptionsBody(request)
  const { gracePeriodSeconds, preconditions, dryRun = [] } = body
  const wanted = isPlainObject(preconditions) ? preconditions : {}
  if (!Array.isArray(dryRun)) throw badRequest('dryRun: must be a list')
  if (
    gracePeriodSeconds !== undefined &&
    !(Number.isInteger(gracePeriodSeconds) && Number(gracePeriodSeconds) >= 0)
  ) {
    throw badRequest('gracePeriodSeconds: must be a whole number of at least 0')
  }
  return {
    dryRun: options.dryRun || parseDryRun(dryRun),
    gracePeriodSeconds:
      gracePeriodSeconds === undefined ? options.gracePeriodSeconds : Number(gracePeriodSeconds),
    propagationPolicy: readPropagation(body) ?? options.propagationPolicy,
    uid: text(wanted['uid']),
    resourceVersion: text(wanted['resourceVersion']),
  }
}

/** Absent and null are the same. */
function readOptionsBody(request: ApiRequest): Json {
  return Object.fromEntries(Object.entries(readMembers(request)).filter(([, value]) => value !== null))
}

function readPropagation(body: Json): PropagationPolicy | undefined {
  const { propagationPolicy, orphanDependents } = body
  if (orphanDependents === true) return 'Orphan'
  if (propagationPolicy === undefined || propagationPolicy === '') return undefined
  const known = propagationPolicies.find((policy) => policy === propagationPolicy)
  if (known !== undefined) return known
  throw badRequest(`propagationPolicy: must be one of ${propagationPolicies.join(', ')}`)
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function checkProtected({ kind, name }: Target): void {
  if (!isNamespaceKind(kind) || !protectedNamespaces.has(name)) return
  const message = `${qualifiedResource(kind)} "${name}" is forbidden: this namespace may not be deleted`
  throw new StatusError('Forbidden', message, { name, group: kind.group, kind: kind.plural })
}

function checkPreconditions({ kind, name }: Target, { metadata }: ApiObject, options: DeleteOptions): void {
  const { uid, resourceVersion } = options
  if (uid !== undefined && uid !== metadata.uid) {
    const ids = `UID in precondition: ${uid}, UID in object meta: ${metadata.uid}`
    throw conflict(kind, name, `Precondition failed: ${ids}`)
  }
  if (resourceVersion === undefined || resourceVersion === metadata.resourceVersion) return
  const versions = `ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${metadata.resourceVersion}`
  throw conflict(kind, name, `Precondition failed: ${versions}`)
}

/** Where dependents exist, an order among deletions is promised by nobody, so asking for one is refused. */
function checkDependents(
  { cache }: Context,
  target: Target,
  { metadata }: ApiObject,
  options: DeleteOptions,
) {
  const policy = options.propagationPolicy
  const { uid } = metadata
  if (policy === undefined || policy === 'Background' || uid === undefined) return
  for (const kindCache of cache.all()) {
    const filter = { labelSelector: [], fieldSelector: [] }
    const dependent = kindCache.select(filter).find((entry) => entry.owners.includes(uid))
    if (dependent === undefined) continue
    const message = `${policy} is not implemented in this version of Cove for an object with dependents (${kindCache.kind.kind} ${dependent.name}); use Background`
    const cause = { reason: 'FieldValueNotSupported' as const, field: 'propagationPolicy', message }
    throw invalid(target.kind, target.name, [cause])
  }
}

function goneStatus({ kind, name }: Target, { object }: Mutated): string {
  const details = { name, group: kind.group, kind: kind.plural, uid: object.metadata.uid }
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
}
