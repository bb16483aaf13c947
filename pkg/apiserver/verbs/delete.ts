/** DELETE: an object goes at once, or is marked and goes when the last finalizer has been taken off. */
import {
  badRequest,
  conflict,
  invalid,
  isReason,
  qualifiedResource,
  StatusError,
} from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { systemNamespace } from '#pkg/apis/bootstraptoken.ts'
import { foregroundFinalizer, orphanFinalizer } from '#pkg/apis/wellknown.ts'
import { type ApiObject, decodeObject } from '../cache/encoded.ts'
import { isEmpty, type Json, readMembers } from '../http/body.ts'
import { parseDryRun } from '../http/options.ts'
import { isNamespaceKind, type RequestInfo } from '../http/request.ts'
import type { ListMeta } from '../http/table.ts'
import type { Context, Written } from './context.ts'
import { type Mutated, mutate, requireName } from './mutate.ts'
import { isTerminating, mayGo, type Prepared, type Target, terminating } from './objects.ts'
import { selectPage } from './read.ts'

const propagationPolicies = ['Foreground', 'Background', 'Orphan'] as const

type PropagationPolicy = (typeof propagationPolicies)[number]

interface DeleteOptions {
  readonly dryRun: boolean
  readonly gracePeriodSeconds: number | undefined
  readonly propagationPolicy: PropagationPolicy | undefined
  readonly uid: string | undefined
  readonly resourceVersion: string | undefined
}

/** Namespaces that the server itself needs. */
const protectedNamespaces = new Set(['default', systemNamespace])

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

/** Removes what the selectors match, page by page when there is a limit; answers the list of what was there. */
export async function removeCollection(
  context: Context,
  info: RequestInfo,
  request: ApiRequest,
): Promise<{ readonly texts: readonly string[]; readonly metadata: ListMeta }> {
  const options = readOptions(info, request)
  const { texts, metadata } = await selectPage(context, info, request.signal)
  const targets = texts.map((text) => ({ ...info, ...nameOf(decodeObject(text)) }))
  for (const target of targets) checkProtected(target)
  const removed: string[] = []
  for (const target of targets) {
    const deleted = await removeObject(context, target, options).catch(unlessGone)
    if (deleted !== undefined) removed.push(deleted.text)
  }
  return { texts: removed, metadata }
}

function nameOf({ metadata: { name, namespace } }: ApiObject) {
  return { name, ...(namespace !== undefined && { namespace }) }
}

/** Somebody else was faster, which is as good. */
function unlessGone(error: unknown): undefined {
  if (!isReason(error, 'NotFound')) throw error
}

function removeObject(context: Context, target: Target, options: DeleteOptions): Promise<Mutated> {
  const decide = (current: ApiObject): Prepared | 'remove' => {
    checkPreconditions(target, current, options)
    const held = holding(current, options.propagationPolicy)
    if (mayGo(target.kind, held)) return 'remove'
    if (isTerminating(current)) return { object: sooner(held, options.gracePeriodSeconds), warnings: [] }
    const now = timestamp(context.ambient.clock.now())
    return { object: terminating(target.kind, held, now, options.gracePeriodSeconds), warnings: [] }
  }
  return mutate(context, { target, dryRun: options.dryRun, decide })
}

/**
 * With the finalizer by which the garbage collector knows what is to become of its dependents. Without a wish the
 * finalizers that it carries decide, and without those nothing waits for them.
 */
function holding(object: ApiObject, wanted: PropagationPolicy | undefined): ApiObject {
  const { finalizers = [] } = object.metadata
  const policy = wanted ?? policyOf(finalizers)
  const others = finalizers.filter((each) => each !== foregroundFinalizer && each !== orphanFinalizer)
  const own = policy === 'Foreground' ? [foregroundFinalizer] : policy === 'Orphan' ? [orphanFinalizer] : []
  if (own.every((each) => finalizers.includes(each)) && others.length + own.length === finalizers.length)
    return object
  return { ...object, metadata: { ...object.metadata, finalizers: [...others, ...own] } }
}

function policyOf(finalizers: readonly string[]): PropagationPolicy {
  if (finalizers.includes(orphanFinalizer)) return 'Orphan'
  return finalizers.includes(foregroundFinalizer) ? 'Foreground' : 'Background'
}

/** What is going already may be given less time to end, never more. */
function sooner(object: ApiObject, gracePeriodSeconds: number | undefined): ApiObject {
  const { deletionGracePeriodSeconds = 0 } = object.metadata
  if (gracePeriodSeconds === undefined || gracePeriodSeconds >= deletionGracePeriodSeconds) return object
  return { ...object, metadata: { ...object.metadata, deletionGracePeriodSeconds: gracePeriodSeconds } }
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
    dryRun: options.dryRun || parseDryRun(dryRun, 'DeleteOptions'),
    gracePeriodSeconds:
      gracePeriodSeconds === undefined ? options.gracePeriodSeconds : Number(gracePeriodSeconds),
    propagationPolicy: readPropagation({
      propagationPolicy: body['propagationPolicy'] ?? options.propagationPolicy,
      orphanDependents: body['orphanDependents'] ?? options.orphanDependents,
    }),
    uid: text(wanted['uid']),
    resourceVersion: text(wanted['resourceVersion']),
  }
}

/** Absent and null are the same. */
function readOptionsBody(request: ApiRequest): Json {
  return Object.fromEntries(Object.entries(readMembers(request)).filter(([, value]) => value !== null))
}

/** The older orphanDependents says the same with fewer words; both at once is refused. */
function readPropagation(asked: { propagationPolicy: unknown; orphanDependents: unknown }) {
  const { propagationPolicy = '', orphanDependents } = asked
  if (orphanDependents !== undefined && typeof orphanDependents !== 'boolean')
    throw badRequest('orphanDependents: must be true or false')
  if (propagationPolicy === '') {
    return orphanDependents === undefined ? undefined : orphanDependents ? 'Orphan' : 'Background'
  }
  if (orphanDependents !== undefined)
    throw invalidOptions('FieldValueInvalid', 'orphanDependents and deletionPropagation cannot be both set')
  const known = propagationPolicies.find((policy) => policy === propagationPolicy)
  if (known !== undefined) return known
  const supported = propagationPolicies.map((policy) => `"${policy}"`).join(', ')
  const message = `Unsupported value: ${JSON.stringify(propagationPolicy)}: supported values: ${supported}`
  throw invalidOptions('FieldValueNotSupported', message)
}

function invalidOptions(reason: 'FieldValueInvalid' | 'FieldValueNotSupported', message: string) {
  const kind = { group: 'meta.k8s.io', kind: 'DeleteOptions' }
  return invalid(kind, '', [{ reason, field: 'propagationPolicy', message }])
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
    const ids = `the UID in the precondition (${uid}) does not match the UID in record (${metadata.uid})`
    throw conflict(kind, name, `${ids}. The object might have been deleted and then recreated`)
  }
  if (resourceVersion === undefined || resourceVersion === metadata.resourceVersion) return
  const versions = `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${metadata.resourceVersion})`
  throw conflict(kind, name, `${versions}. The object might have been modified`)
}

function goneStatus({ kind, name }: Target, { object }: Mutated): string {
  const details = { name, group: kind.group, kind: kind.plural, uid: object.metadata.uid }
  return JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details })
}
