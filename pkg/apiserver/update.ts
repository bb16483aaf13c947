/** PUT: the object, its status, or the finalizers of a namespace, as they should be from now on. */
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { type Json, readObject } from './body.ts'
import type { Context, Written } from './context.ts'
import type { ApiObject } from './encoded.ts'
import { mutate, requireName } from './mutate.ts'
import { finalizedNamespace, nextObject, nextStatus, type Prepared, type Target } from './objects.ts'
import type { FieldValidation } from './options.ts'
import type { RequestInfo } from './request.ts'

export function update(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const body = readObject(info.kind, request)
  const target = requireName(info)
  const { dryRun, fieldValidation } = info.options
  const decide = (current: ApiObject) => nextState(target, current, body, fieldValidation)
  return mutate(context, { target, dryRun, decide })
}

/** The object after `body` was put in its place, or in that of its subresource. Pure. */
export function nextState(
  target: Target,
  current: ApiObject,
  body: Json,
  fieldValidation: FieldValidation,
): Prepared {
  switch (target.subresource) {
    case 'status':
      return nextStatus(target, current, body, fieldValidation)
    case 'finalize':
      return finalizedNamespace(target, current, body)
    default:
      return nextObject(target, current, body, fieldValidation)
  }
}
