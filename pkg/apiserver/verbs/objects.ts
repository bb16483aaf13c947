/**
 * What an object becomes when it is written. The order is Kubernetes': default, prepare, validate, warn, and at last
 * canonicalise: the fields that only the server may set. Up to validation the value is the writer's and may be
 * completed; from then on nothing but canonicalising changes it. Pure: time and ids are inputs.
 */
import { badRequest, type Cause, conflict, invalid, type StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf, type ObjectMeta } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { applyDefaults, prune, unknownFields } from '#pkg/apis/normalize.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import { memberSchema } from '#pkg/apis/schema.ts'
import { validate } from '#pkg/apis/validate.ts'
import { admit, unknownFieldMessage } from '#pkg/manifest/admit.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { Json } from '../http/body.ts'
import type { FieldValidation } from '../http/options.ts'
import { isNamespaceKind, type Resource } from '../http/request.ts'
import { equalJson } from './equal.ts'

export interface Prepared {
  readonly object: ApiObject
  readonly warnings: readonly string[]
}

/** How a write is looked at: what becomes of unknown fields, and who asks the rules of the schemas. */
export interface Validating {
  readonly fieldValidation: FieldValidation
  readonly rules: RuleChecker
}

/** `web` of a collection path, `web` and its kind of an object's: what a written object must agree with. */
export type Target = Resource & { readonly name: string }

export const modified =
  'the object has been modified; please apply your changes to the latest version and try again'

/**
 * Defaults, prepares, validates and warns; `current` is what a change begins with. Throws BadRequest for unknown
 * fields, Invalid for everything else.
 */
export function admitted(kind: Kind, value: Json, how: Validating, current?: ApiObject): Prepared {
  const { fieldValidation, rules } = how
  const admission = admit(kind, value, { rules, ...(current !== undefined && { old: current }) })
  const { object, causes, unknown, warnings } = admission
  const unknownWarnings = unknown.map(unknownFieldMessage)
  if (fieldValidation === 'Strict' && unknown.length > 0) throw strictError(kind, unknownWarnings)
  if (causes.length > 0) throw invalid(kind, nameOf(value), [...causes])
  const warned = fieldValidation === 'Warn' ? [...unknownWarnings, ...warnings] : warnings
  return { object: asApiObject(object), warnings: warned }
}

/** A new object from what was sent; its name may still be missing when it is to be generated. */
export function newObject(
  resource: Resource,
  body: Json,
  how: Validating,
): Prepared & { readonly object: ApiObject } {
  const { kind } = resource
  const metadata = metadataOf(body)
  if (metadata['resourceVersion'] !== undefined && metadata['resourceVersion'] !== '') {
    throw badRequest('resourceVersion should not be set on objects to be created')
  }
  checkNamespace(resource, metadata)
  return admitted(kind, withoutStatus(kind, withMetadata(resource, body, metadata)), how)
}

/** Everything but the status, for kinds that keep it apart. */
export function nextObject(target: Target, current: ApiObject, body: Json, how: Validating): Prepared {
  const { kind } = target
  const metadata = checkedMetadata(target, current, body)
  const sent = withoutStatus(kind, withMetadata(target, body, metadata))
  const { object, warnings } = admitted(kind, sent, how, current)
  const merged = canonical(
    kind,
    current,
    keepNamespaceFinalizers(kind, current, keepStatus(kind, current, object)),
  )
  const causes = lateFinalizers(current, merged)
  if (causes.length > 0) throw invalid(kind, target.name, causes)
  return { object: merged, warnings }
}

/**
 * The status and nothing else: what is wrong with the rest of the object is not the status writer's to mend, and it is
 * not looked at. This is the write that happens most.
 */
export function nextStatus(target: Target, current: ApiObject, body: Json, how: Validating): Prepared {
  const { kind } = target
  checkedMetadata(target, current, body)
  const { status: _before, ...rest } = current
  const schema = memberSchema(kind.schema, 'status') ?? {}
  const { status: sent = schema.default } = body
  if (sent === undefined || sent === null) return { object: rest, warnings: [] }
  const { fieldValidation, rules } = how
  const unknown = unknownFields(schema, sent, 'status').map(unknownFieldMessage)
  if (fieldValidation === 'Strict' && unknown.length > 0) throw strictError(kind, unknown)
  const status = applyDefaults(schema, prune(schema, sent))
  const wrong = validate(schema, status, 'status')
  const asked = { path: 'status', old: current['status'] }
  const causes = wrong.length > 0 ? wrong : rules.check(schema, status, asked)
  if (causes.length > 0) throw invalid(kind, target.name, causes)
  return { object: { ...rest, status }, warnings: fieldValidation === 'Warn' ? unknown : [] }
}

/** The finalizers in a namespace's spec, and nothing else. */
export function finalizedNamespace(
  target: Target,
  current: ApiObject,
  body: Json,
  { rules }: Validating,
): Prepared {
  checkedMetadata(target, current, body)
  const spec = body['spec'] ?? {}
  // Only a new namespace is held by default: here, finalizers that are left out are gone.
  const finalizers = (isPlainObject(spec) ? spec['finalizers'] : undefined) ?? []
  const sent = { ...current, spec: isPlainObject(spec) ? { ...spec, finalizers } : spec }
  const { object } = admitted(target.kind, sent, { fieldValidation: 'Ignore', rules }, current)
  return { object: { ...current, spec: object.spec }, warnings: [] }
}

/** Whether nothing holds the object back from going once its deletion was asked for. */
export function mayGo(kind: Kind, object: ApiObject): boolean {
  if ((object.metadata.finalizers?.length ?? 0) > 0) return false
  return !isNamespaceKind(kind) || namespaceFinalizers(object).length === 0
}

/** Marked for deletion: it goes when its finalizers are gone. */
export function terminating(
  kind: Kind,
  object: ApiObject,
  now: string,
  gracePeriodSeconds: number | undefined,
): ApiObject {
  const { generation } = object.metadata
  const metadata: ObjectMeta = {
    ...object.metadata,
    ...(generation !== undefined && { generation: generation + 1 }),
    deletionTimestamp: now,
    deletionGracePeriodSeconds: gracePeriodSeconds ?? kind.gracePeriod?.(object) ?? 0,
  }
  if (!isNamespaceKind(kind)) return { ...object, metadata }
  const status = isPlainObject(object.status) ? object.status : {}
  return { ...object, metadata, status: { ...status, phase: 'Terminating' } }
}

export function isTerminating(object: ApiObject): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

/** Whether more than metadata and status differ. */
export function specChanged(left: ApiObject, right: ApiObject): boolean {
  const { metadata: _leftMeta, status: _leftStatus, ...leftRest } = left
  const { metadata: _rightMeta, status: _rightStatus, ...rightRest } = right
  return !equalJson(leftRest, rightRest)
}

export function strictError(kind: Pick<Kind, 'kind' | 'version'>, unknown: readonly string[]): StatusError {
  const told = unknown.slice(0, maxUnknown)
  if (unknown.length > maxUnknown) told.push(`and ${unknown.length - maxUnknown} more`)
  return badRequest(
    `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: strict decoding error: ${told.join(', ')}`,
  )
}

/** As many as Kubernetes tells. */
const maxUnknown = 100

function metadataOf(body: Json): Json {
  const metadata = body['metadata'] ?? {}
  if (!isPlainObject(metadata)) throw badRequest('metadata: must be of type object')
  return metadata
}

/** Name, namespace and uid cannot change, and a resourceVersion that was sent must be the current one. */
function checkedMetadata(target: Target, current: ApiObject, body: Json): Json {
  const metadata = metadataOf(body)
  const { name, uid, resourceVersion } = metadata
  if (name === undefined || name === null || name === '') {
    const why = 'was undeterminable: name must be provided'
    throw badRequest(`the name of the object (${target.name} based on URL) ${why}`)
  }
  if (name !== target.name) {
    throw badRequest(
      `the name of the object (${String(name)}) does not match the name on the URL (${target.name})`,
    )
  }
  checkNamespace(target, metadata)
  if (uid !== undefined && uid !== '' && uid !== current.metadata.uid) {
    const ids = `UID in precondition: ${String(uid)}, UID in object meta: ${current.metadata.uid}`
    throw conflict(target.kind, target.name, `Precondition failed: ${ids}`)
  }
  const asked = resourceVersion ?? ''
  if (asked !== '' && asked !== current.metadata.resourceVersion)
    throw conflict(target.kind, target.name, modified)
  return metadata
}

function checkNamespace(resource: Resource, metadata: Json): void {
  const sent = metadata['namespace'] ?? ''
  if (sent === '' || sent === resource.namespace || !resource.kind.namespaced) return
  throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
}

/** What a writer may say about metadata; the rest is the server's, and silently replaced as Kubernetes does. */
function withMetadata(resource: Resource, body: Json, metadata: Json): Json {
  const {
    uid: _uid,
    resourceVersion: _resourceVersion,
    generation: _generation,
    creationTimestamp: _creationTimestamp,
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _deletionGracePeriodSeconds,
    selfLink: _selfLink,
    managedFields: _managedFields,
    namespace,
    ...mine
  } = metadata
  const scope = resource.kind.namespaced ? resource.namespace : namespace || undefined
  return {
    ...body,
    metadata: {
      ...withoutEmpty(mine),
      ...(resource.name !== undefined && { name: resource.name }),
      ...(scope !== undefined && { namespace: scope }),
    },
  }
}

/** No labels at all are the same as none that were said, and so on: Kubernetes keeps neither. */
function withoutEmpty(metadata: Json): Json {
  const { labels, annotations, finalizers, ownerReferences } = metadata
  const empty = new Set<unknown>(
    [
      ...[labels, annotations].filter(isPlainObject),
      ...[finalizers, ownerReferences].filter(Array.isArray),
    ].filter((each) => Object.keys(each).length === 0),
  )
  if (empty.size === 0) return metadata
  return Object.fromEntries(Object.entries(metadata).filter(([, value]) => !empty.has(value)))
}

function withoutStatus(kind: Kind, body: Json): Json {
  if (!kind.statusSubresource) return body
  const { status: _status, ...rest } = body
  return rest
}

function keepStatus(kind: Kind, current: ApiObject, next: ApiObject): ApiObject {
  if (!kind.statusSubresource || current.status === undefined) return next
  return { ...next, status: current.status }
}

function keepNamespaceFinalizers(kind: Kind, current: ApiObject, next: ApiObject): ApiObject {
  if (!isNamespaceKind(kind) || !isPlainObject(next.spec)) return next
  return { ...next, spec: { ...next.spec, finalizers: namespaceFinalizers(current) } }
}

function namespaceFinalizers({ spec }: ApiObject): readonly unknown[] {
  const finalizers = isPlainObject(spec) ? spec['finalizers'] : undefined
  return Array.isArray(finalizers) ? finalizers : []
}

/** The fields of metadata that are the server's, carried over; generation grows with the spec. */
function canonical(kind: Kind, current: ApiObject, next: ApiObject): ApiObject {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, managedFields } =
    current.metadata
  const generation = current.metadata.generation ?? (kind.statusSubresource ? 1 : undefined)
  const grown = generation !== undefined && specChanged(current, next) ? generation + 1 : generation
  const metadata: ObjectMeta = {
    ...next.metadata,
    ...(uid !== undefined && { uid }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(grown !== undefined && { generation: grown }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(deletionGracePeriodSeconds !== undefined && { deletionGracePeriodSeconds }),
    ...(managedFields !== undefined && { managedFields }),
  }
  return { ...next, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata }
}

function lateFinalizers(current: ApiObject, next: ApiObject): Cause[] {
  if (!isTerminating(current)) return []
  const known = new Set(current.metadata.finalizers)
  const added = next.metadata.finalizers?.filter((finalizer) => !known.has(finalizer)) ?? []
  if (added.length === 0) return []
  const message = `no new finalizers can be added if the object is being deleted, found new finalizers: ${added.join(', ')}`
  return [{ reason: 'FieldValueForbidden', field: 'metadata.finalizers', message }]
}

function nameOf(value: Json): string {
  const metadata = value['metadata']
  const name = isPlainObject(metadata) ? metadata['name'] : undefined
  return typeof name === 'string' ? name : ''
}

/** Admission vouches for it: the schema knows every field. */
function asApiObject(object: { apiVersion: string; kind: string; metadata: ObjectMeta }): ApiObject {
  return object as ApiObject
}
