/** PATCH: a change relative to the object as it is. What comes out takes the same way as a PUT. */
import { badRequest, invalid } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { applyMergePatch } from '#pkg/apimachinery/patch.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { type Json, mediaType, readJson, unsupportedMediaType } from './body.ts'
import type { Context, Written } from './context.ts'
import type { ApiObject } from './encoded.ts'
import { applyJsonPatch } from './jsonpatch.ts'
import { mutate, requireName } from './mutate.ts'
import type { RequestInfo } from './request.ts'
import { applyStrategicPatch } from './strategic.ts'
import { nextState } from './update.ts'

/** Takes the current object, which it may not touch, and gives the patched one. */
type ApplyPatch = (kind: Kind, current: Json, patch: unknown) => unknown

const patches: Readonly<Record<string, ApplyPatch | undefined>> = {
  'application/json-patch+json': (kind, current, patch) => applyJsonPatch(kind, current, patch),
  'application/merge-patch+json': (_kind, current, patch) => applyMergePatch(current, objectPatch(patch)),
  'application/strategic-merge-patch+json': (kind, current, patch) =>
    applyStrategicPatch(kind.schema, current, objectPatch(patch)),
}

export function patch(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const type = mediaType(request)
  const apply = patches[type]
  if (apply === undefined) throw unsupportedMediaType(type, Object.keys(patches))
  const change = readJson(request)
  const target = requireName(info)
  const { dryRun, fieldValidation } = info.options
  const decide = (current: ApiObject) => {
    const patched = apply(info.kind, { ...current }, change)
    if (!isPlainObject(patched)) throw badRequest('the patch leaves something that is not an object')
    checkTypeKept(info, current, patched)
    return nextState(target, current, patched, fieldValidation)
  }
  return mutate(context, { target, dryRun, decide })
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
