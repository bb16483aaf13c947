/** POST: a new object. The name may be generated; everything else of metadata that identifies it is the server's. */

import type { Random } from '#pkg/apimachinery/ambient.ts'
import { alreadyExists, notFound, qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { FieldSet } from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf, type ObjectMeta, objectKey, timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import { noChanges } from '#pkg/apis/fields.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type ApiObject, headOf, storageKey, withRevision } from '../cache/encoded.ts'
import { type Json, readObject } from '../http/body.ts'
import type { RequestInfo, Resource } from '../http/request.ts'
import { admitImages } from './allowedimages.ts'
import { admitDockerfile } from './builddockerfile.ts'
import { type Context, validating, type Written } from './context.ts'
import { admitAmongOthers } from './crossobject.ts'
import { warnOfVolumes } from './declaredvolumes.ts'
import { managerOf } from './fieldmanager.ts'
import { afterApply, afterUpdate, changesOf, type Entries, type Writer, writerOf } from './managedfields.ts'
import { newObject } from './objects.ts'
import { warnOfRelativeProgram } from './relativeprogram.ts'
import { admitArgs } from './secretargs.ts'
import { admitSecurity } from './security.ts'
import { storableText } from './storable.ts'
import { withEntries } from './tracked.ts'

/** A generated name may be taken; eight times in a row means something else is wrong. */
const nameAttempts = 8
/** No vowels, and nothing that looks like something else: as Kubernetes' generated names. */
const alphabet = 'bcdfghjklmnpqrstvwxz2456789'
const suffixLength = 5
/** Who makes what the server itself needs. */
const serverManager = 'cove-server'
/** What is generated is a label, whatever longer names the kind may have. */
const longestPrefix = 63 - suffixLength

export function create(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const fieldManager = managerOf('CreateOptions', info.options, request)
  const options = { ...info.options, fieldManager }
  return createObject(context, { ...info, options }, readObject(info.kind, request))
}

/** Throws AlreadyExists, Invalid, BadRequest; NotFound and Forbidden when the namespace is missing or going. */
export async function createObject(
  context: Context,
  info: NewInfo,
  body: Json,
  applied?: Applied,
): Promise<Written> {
  const prefix = generatedPrefix(body)
  for (let attempt = 1; ; attempt++) {
    const sent = prefix === undefined ? body : withName(body, generateName(prefix, context.ambient.random))
    const { object, warnings } = newObject(info, sent, validating(context, info.options))
    checkNamespaceOpen(context, info, object.metadata)
    const stored = await storeNew(context, info, object, applied)
    if (stored !== undefined) return { ...stored, status: 201, warnings: [...warnings, ...stored.warnings] }
    if (prefix === undefined) throw alreadyExists(info.kind, object.metadata.name)
    if (attempt === nameAttempts) throw noFreeName(info.kind, object.metadata.name)
  }
}

type NewInfo = Resource & Pick<RequestInfo, 'options'>

/** Of an object that an apply makes: what the applier owns of it. Absent: the creator owns all of it. */
export interface Applied {
  readonly fields: FieldSet
  readonly writer: Writer
}

/** Undefined when the name is taken. */
async function storeNew(
  context: Context,
  info: NewInfo,
  named: ApiObject,
  applied: Applied | undefined,
): Promise<Omit<Written, 'status'> | undefined> {
  const { kind } = info
  const { dryRun } = info.options
  const canonical = canonicalNew(context, kind, named)
  const object = withEntries(canonical, firstEntries(context, info, canonical, applied))
  const { name, uid = '' } = object.metadata
  const made = { name, uid }
  const key = storageKey(kind, object.metadata)
  context.admit?.({ kind, object })
  admitImages(context, { kind, object })
  admitArgs({ kind, object })
  const warnings = [
    ...admitSecurity(context, { kind, object }),
    ...admitDockerfile(context, { kind, object }),
    ...warnOfVolumes(context, { kind, object }),
    ...warnOfRelativeProgram(context, { kind, object }),
  ]
  using _reserved = admitAmongOthers(context, kind, object, dryRun)
  const stored = storableText(kind, object)
  if (dryRun) {
    const isFree = context.cache.of(kind).get(objectKey(object.metadata)) === undefined
    return isFree ? { text: stored, warnings, made } : undefined
  }
  const result = await context.storage.create(key, stored)
  if (!result.ok) return undefined
  await context.cache.shows(result.revision)
  return { text: withRevision(headOf(kind), stored, result.revision), warnings, made }
}

function firstEntries(
  { ambient }: Context,
  { kind, options: { fieldManager } }: NewInfo,
  object: ApiObject,
  applied: Applied | undefined,
): Entries {
  if (applied !== undefined) {
    return afterApply([], { changes: noChanges, fields: applied.fields }, applied.writer)
  }
  const time = timestamp(ambient.clock.now())
  const creator = { manager: fieldManager || serverManager, subresource: undefined, time }
  return afterUpdate([], changesOf(kind, undefined, undefined, object), writerOf(kind, 'Update', creator))
}

function canonicalNew({ ambient }: Context, kind: Kind, object: ApiObject): ApiObject {
  const { name, namespace, generateName, ...rest } = object.metadata
  const metadata: ObjectMeta = {
    name,
    ...(generateName !== undefined && { generateName }),
    ...(namespace !== undefined && { namespace }),
    uid: ambient.random.uuid(),
    ...(kind.statusSubresource && { generation: 1 }),
    creationTimestamp: timestamp(ambient.clock.now()),
    ...rest,
  }
  return { ...object, apiVersion: apiVersionOf(kind), kind: kind.kind, metadata }
}

/** The prefix of a name that the server has to complete. */
function generatedPrefix({ metadata }: Json): string | undefined {
  if (!isPlainObject(metadata)) return undefined
  const { name, generateName } = metadata
  const unnamed = name === undefined || name === null || name === ''
  return unnamed && typeof generateName === 'string' && generateName !== '' ? generateName : undefined
}

function generateName(prefix: string, random: Random): string {
  const pick = () => alphabet[Math.floor(random.next() * alphabet.length)] ?? ''
  return prefix.slice(0, longestPrefix) + Array.from({ length: suffixLength }, pick).join('')
}

/** Worded as Kubernetes words it; trying again is likely to help. */
function noFreeName(kind: Kind, name: string): StatusError {
  const { message, details } = alreadyExists(kind, name)
  const why = `${message}, the server was not able to generate a unique name for the object`
  return new StatusError('AlreadyExists', why, { ...details, retryAfterSeconds: 1 })
}

function withName(body: Json, name: string): Json {
  return { ...body, metadata: { ...(isPlainObject(body['metadata']) && body['metadata']), name } }
}

/** Nothing new may come into a namespace that is not there, or on its way out. */
function checkNamespaceOpen({ cache }: Context, { kind, namespace }: Resource, { name }: ObjectMeta): void {
  if (!kind.namespaced || namespace === undefined) return
  const entry = cache.of(namespaceKind).get(namespace)
  if (entry === undefined) throw notFound(namespaceKind, namespace)
  if (entry.fields['status.phase'] !== 'Terminating') return
  const message = `${qualifiedResource(kind)} "${name}" is forbidden: unable to create new content in namespace ${namespace} because it is being terminated`
  const cause = {
    reason: 'NamespaceTerminating' as const,
    message: `namespace ${namespace} is being terminated`,
    field: 'metadata.namespace',
  }
  throw new StatusError('Forbidden', message, { name, group: kind.group, kind: kind.plural, causes: [cause] })
}
