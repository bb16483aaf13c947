/** PATCH: a change relative to the object as it is. What comes out takes the same way as a PUT. */
import { badRequest, invalid } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { applyMergePatch } from '#pkg/apimachinery/patch.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { type Json, mediaType, readJson, unsupportedMediaType } from '../http/body.ts'
import type { RequestInfo } from '../http/request.ts'
import { apply, applyType } from './apply.ts'
import { type Context, validating, type Written } from './context.ts'
import { managerOf, refuseOptions } from './fieldmanager.ts'
import { applyJsonPatch } from './jsonpatch.ts'
import { writerOf } from './managedfields.ts'
import { mutate, requireName } from './mutate.ts'
import { applyStrategicPatch } from './strategic.ts'
import { tracked } from './tracked.ts'
import { nextState } from './update.ts'

/** Takes the current object, which it may not touch, and gives the patched one. */
type ApplyPatch = (kind: Kind, current: Json, patch: unknown) => unknown

const patches: ReadonlyMap<string, ApplyPatch> = new Map([
  ['application/json-patch+json', applyJsonPatch],
  [
    'application/merge-patch+json',
    (_kind: Kind, current: Json, patch: unknown) => applyMergePatch(current, objectPatch(patch)),
  ],
  [
    'application/strategic-merge-patch+json',
    (kind: Kind, current: Json, patch: unknown) =>
      applyStrategicPatch(kind.schema, current, objectPatch(patch)),
  ],
])

export function patch(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const type = mediaType(request)
  if (type === applyType) return apply(context, info, request)
  const patchObject = patches.get(type)
  if (patchObject === undefined) throw unsupportedMediaType(type, [...patches.keys(), applyType])
  if (info.options.force !== undefined) refuseForce()
  const change = readJson(request)
  const target = requireName(info)
  const { dryRun } = info.options
  const how = validating(context, info.options)
  const manager = managerOf('PatchOptions', info.options, request)
  const time = timestamp(context.ambient.clock.now())
  const writer = writerOf(info.kind, 'Update', { manager, subresource: info.subresource, time })
  const decide = (current: ApiObject) => {
    const patched = patchObject(info.kind, { ...current }, change)
    if (!isPlainObject(patched)) throw badRequest('the patch leaves something that is not an object')
    checkTypeKept(info, current, patched)
    const prepared = nextState(target, current, patched, how)
    return tracked(target, writer, { current, body: patched, prepared })
  }
  return mutate(context, { target, dryRun, decide })
}

function refuseForce(): void {
  const message = 'Forbidden: may not be specified for non-apply patch'
  refuseOptions('PatchOptions', [{ reason: 'FieldValueForbidden', field: 'force', message }])
}

function objectPatch(patch: unknown): Json {
  if (!isPlainObject(patch)) throw badRequest('the patch must be a JSON object')
  return patch
}

function checkTypeKept({ kind, name = '' }: RequestInfo, current: ApiObject, patched: Json): void {
  const causes = (['apiVersion', 'kind'] as const)
    .filter((field) => patched[field] !== current[field])
    .map((field) => ({ reason: 'FieldValueInvalid' as const, field, message: 'field is immutable' }))
  if (causes.length > 0) throw invalid(kind, name, causes)
}
