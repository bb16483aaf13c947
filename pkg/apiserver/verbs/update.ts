/** PUT: the object, its status, or the finalizers of a namespace, as they should be from now on. */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import type { ApiObject } from '../cache/encoded.ts'
import { type Json, readObject } from '../http/body.ts'
import type { RequestInfo } from '../http/request.ts'
import { type Context, validating, type Written } from './context.ts'
import { managerOf } from './fieldmanager.ts'
import { writerOf } from './managedfields.ts'
import { mutate, requireName } from './mutate.ts'
import {
  finalizedNamespace,
  nextObject,
  nextStatus,
  type Prepared,
  type Target,
  type Validating,
} from './objects.ts'
import { tracked } from './tracked.ts'

export function update(context: Context, info: RequestInfo, request: ApiRequest): Promise<Written> {
  const body = readObject(info.kind, request)
  const target = requireName(info)
  const { dryRun } = info.options
  const how = validating(context, info.options)
  const manager = managerOf('UpdateOptions', info.options, request)
  const time = timestamp(context.ambient.clock.now())
  const writer = writerOf(info.kind, 'Update', { manager, subresource: info.subresource, time })
  const decide = (current: ApiObject) =>
    tracked(target, writer, { current, body, prepared: nextState(target, current, body, how) })
  return mutate(context, { target, dryRun, decide })
}

/** The object after `body` was put in its place, or in that of its subresource. Pure. */
export function nextState(target: Target, current: ApiObject, body: Json, how: Validating): Prepared {
  switch (target.subresource) {
    case 'status':
      return nextStatus(target, current, body, how)
    case 'finalize':
      return finalizedNamespace(target, current, body, how)
    default:
      return nextObject(target, current, body, how)
  }
}
