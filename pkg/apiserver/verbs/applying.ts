/** What an apply asks for, from its request: checked as far as that goes without the object. Pure. */
import { badRequest, type Cause, invalid } from '#pkg/apimachinery/errors.ts'
import type { FieldSet } from '#pkg/apimachinery/fieldset.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf, timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { prune, unknownFields } from '#pkg/apis/normalize.ts'
import { validate } from '#pkg/apis/validate.ts'
import { unknownFieldMessage } from '#pkg/manifest/admit.ts'
import { type Json, readYaml } from '../http/body.ts'
import type { FieldValidation } from '../http/options.ts'
import type { RequestInfo } from '../http/request.ts'
import { managerOf, refuseOptions } from './fieldmanager.ts'
import { appliedFields, ownable, type Writer, writerOf } from './managedfields.ts'
import { strictError, type Target } from './objects.ts'

/** What one manager wants. */
export interface Applying {
  readonly target: Target
  /** As it was sent. */
  readonly body: Json
  /** What of it somebody may own. */
  readonly intent: Json
  readonly fields: FieldSet
  readonly writer: Writer
  readonly force: boolean
}

/** Throws BadRequest or Invalid; `now` in milliseconds. */
export function readApplying(
  info: RequestInfo & { readonly name: string },
  request: ApiRequest,
  now: number,
): Applying & { readonly warnings: readonly string[] } {
  const { kind, subresource, options } = info
  requireManager(info)
  const manager = managerOf('PatchOptions', options, request)
  const body = readBody(info, request)
  const { intent, warnings } = readIntent(info, body, options.fieldValidation)
  const writer = writerOf(kind, 'Apply', { manager, subresource, time: timestamp(now) })
  const { force = false } = options
  return { target: info, body, intent, fields: appliedFields(kind, intent), writer, force, warnings }
}

function requireManager({ options: { fieldManager } }: RequestInfo): void {
  if (fieldManager !== '') return
  const message = 'Required value: is required for apply patch'
  refuseOptions('PatchOptions', [{ reason: 'FieldValueRequired', field: 'fieldManager', message }])
}

function readBody({ kind, name }: Target, request: ApiRequest): Json {
  const body = readYaml(request)
  const version = apiVersionOf(kind)
  if (body['apiVersion'] !== version) {
    const sent = String(body['apiVersion'] ?? '')
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${sent}, expected: ${version}`,
    )
  }
  if (body['kind'] !== kind.kind) {
    throw badRequest(
      `the kind in the data (${String(body['kind'] ?? '')}) does not match the expected kind (${kind.kind})`,
    )
  }
  const { metadata = {} } = body
  if (!isPlainObject(metadata)) throw badRequest('metadata: must be of type object')
  if (metadata['managedFields'] !== undefined && metadata['managedFields'] !== null) {
    throw badRequest('metadata.managedFields must be nil')
  }
  const sent = metadata['name'] ?? name
  if (sent === name) return body
  throw badRequest(`the name of the object (${String(sent)}) does not match the name on the URL (${name})`)
}

/** Without what the schema does not know. Throws BadRequest for that when strict, Invalid for what cannot be merged. */
function readIntent(
  { kind, name, subresource }: Target,
  body: Json,
  fieldValidation: FieldValidation,
): { readonly intent: Json; readonly warnings: readonly string[] } {
  const unknown = unknownFields(kind.schema, body).map(unknownFieldMessage)
  if (fieldValidation === 'Strict' && unknown.length > 0) throw strictError(kind, unknown)
  const pruned = membersOf(prune(kind.schema, body))
  const causes = validate(kind.schema, pruned).filter(isAboutForm)
  if (causes.length > 0) throw invalid(kind, name, causes)
  const warnings = fieldValidation === 'Warn' ? unknown : []
  if (subresource !== 'status') return { intent: completed(kind, ownable(kind, pruned)), warnings }
  const { status } = pruned
  return { intent: status === undefined ? {} : { status }, warnings }
}

/** Whether it stands in the way of merging; everything else is asked of the merged object. */
function isAboutForm({ reason }: Cause): boolean {
  return reason === 'FieldValueTypeInvalid' || reason === 'FieldValueDuplicate'
}

/** A Secret's plain text is owned where it will be found. */
function completed(kind: Kind, intent: Json): Json {
  if (kind.group !== '' || kind.kind !== 'Secret' || !isPlainObject(intent['stringData'])) return intent
  const { stringData, ...rest } = intent
  const encoded = Object.entries(stringData).map(([key, text]) => [
    key,
    Buffer.from(String(text)).toString('base64'),
  ])
  return { ...rest, data: { ...membersOf(rest['data']), ...Object.fromEntries(encoded) } }
}

/** Of what is no object: none. */
export function membersOf(value: unknown): Json {
  return isPlainObject(value) ? value : {}
}
