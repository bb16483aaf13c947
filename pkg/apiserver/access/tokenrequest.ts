/** `POST .../serviceaccounts/NAME/token`: a TokenRequest comes back with a token in it. Nothing is stored. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import {
  badRequest,
  type Cause,
  conflict,
  invalid,
  notFound,
  type StatusError,
} from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { secretKind } from '#pkg/apis/core.ts'
import { serviceAccountKind } from '#pkg/apis/serviceaccount.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import { readObject } from '../http/body.ts'
import { methodNotAllowed } from '../http/request.ts'
import { type AccountTokens, apiAudiences, type Bound, type Lookup, type Subject } from './accounttokens.ts'

const path = /^\/api\/v1\/namespaces\/([^/]+)\/serviceaccounts\/([^/]+)\/token$/
const tokenRequestKind = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' } as const
const apiVersion = 'authentication.k8s.io/v1'
const defaultSeconds = 3600
const leastSeconds = 600
/** What may be asked for; what is given is cut to a year, as Kubernetes does with its configured maximum. */
const mostAskedSeconds = 2 ** 32
const mostSeconds = 365 * 86_400

interface Spec {
  readonly audiences: readonly string[]
  readonly expirationSeconds: number
  readonly boundObjectRef?: Record<string, unknown>
}

export function tokenRequests(options: { tokens: AccountTokens; lookup: Lookup; clock: Clock }): Surface {
  return (request) => {
    const match = path.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'POST') throw methodNotAllowed(['POST'])
    const [namespace = '', name = ''] = [match[1] ?? '', match[2] ?? ''].map(decodeURIComponent)
    const account = accountOf(options.lookup, namespace, name)
    const spec = readSpec(request, account)
    return answer(spec, account, options)
  }
}

function answer(
  spec: Spec,
  account: Subject,
  { tokens, lookup, clock }: { tokens: AccountTokens; lookup: Lookup; clock: Clock },
): ApiResponse {
  const { audiences, boundObjectRef } = spec
  const secret = boundObjectRef === undefined ? undefined : boundSecret(lookup, account, boundObjectRef)
  const expirationSeconds = Math.min(spec.expirationSeconds, mostSeconds)
  const { token, expiration } = tokens.issue({
    account,
    audiences,
    expirationSeconds,
    ...(secret && { secret }),
  })
  const shortened = `299 - "requested expiration of ${spec.expirationSeconds} seconds shortened to ${mostSeconds} seconds"`
  const { name, namespace } = account
  const body = {
    kind: tokenRequestKind.kind,
    apiVersion,
    metadata: { name, namespace, creationTimestamp: timestamp(clock.now()) },
    spec: { ...spec, expirationSeconds },
    status: { token, expirationTimestamp: expiration },
  }
  return jsonAnswer(body, spec.expirationSeconds > mostSeconds ? { warning: shortened } : {}, 201)
}

function accountOf(lookup: Lookup, namespace: string, name: string): Subject {
  const found = lookup(serviceAccountKind, namespace, name)
  const uid = found?.metadata.uid
  if (found === undefined || uid === undefined) throw notFound(serviceAccountKind, name)
  if (found.metadata.deletionTimestamp !== undefined)
    throw conflict(serviceAccountKind, name, 'it is being deleted')
  return { namespace, name, uid }
}

function readSpec(request: ApiRequest, { namespace, name }: Subject): Spec {
  const { metadata, spec = {} } = readObject(tokenRequestKind, request)
  const named = isPlainObject(metadata) ? metadata : {}
  const agrees = (sent: unknown, own: string) => sent === undefined || sent === '' || sent === own
  if (!agrees(named['name'], name) || !agrees(named['namespace'], namespace))
    throw badRequest('the name in the data does not match the name on the URL')
  if (!isPlainObject(spec)) throw badRequest('spec: must be an object')
  const { audiences, expirationSeconds, boundObjectRef } = spec
  return {
    audiences: readAudiences(audiences, name),
    expirationSeconds: readSeconds(expirationSeconds, name),
    ...(isPlainObject(boundObjectRef) && { boundObjectRef }),
  }
}

function readAudiences(audiences: unknown, name: string): readonly string[] {
  if (audiences === undefined || audiences === null) return apiAudiences
  if (!Array.isArray(audiences) || !audiences.every((one) => typeof one === 'string' && one !== ''))
    throw wrong(name, 'spec.audiences', 'must be a list of texts')
  return audiences.length === 0 ? apiAudiences : audiences
}

function readSeconds(seconds: unknown, name: string): number {
  if (seconds === undefined || seconds === null) return defaultSeconds
  const field = 'spec.expirationSeconds'
  if (typeof seconds !== 'number' || !Number.isInteger(seconds))
    throw wrong(name, field, 'must be a whole number')
  if (seconds < leastSeconds) throw wrong(name, field, 'may not specify a duration less than 10 minutes')
  if (seconds > mostAskedSeconds)
    throw wrong(name, field, 'may not specify a duration larger than 2^32 seconds')
  return seconds
}

/** Throws Invalid for anything but a Secret of the account's namespace: Cove has no Pods to bind a token to. */
function boundSecret(lookup: Lookup, account: Subject, reference: Record<string, unknown>): Bound {
  const { kind, apiVersion: version, name, uid } = reference
  if (kind !== 'Secret' || version !== 'v1')
    throw wrong(
      account.name,
      'spec.boundObjectRef',
      `cannot bind token to object of type ${String(version)}, Kind=${String(kind)}: only to a Secret of v1`,
    )
  const found = lookup(secretKind, account.namespace, String(name))
  const foundUid = found?.metadata.uid
  if (foundUid === undefined) throw notFound(secretKind, String(name))
  if (uid !== undefined && uid !== '' && uid !== foundUid)
    throw conflict(
      secretKind,
      String(name),
      `the UID in the bound object reference (${String(uid)}) does not match the UID in record. The object might have been deleted and then recreated`,
    )
  return { name: String(name), uid: foundUid }
}

function wrong(name: string, field: string, message: string): StatusError {
  const cause: Cause = { reason: 'FieldValueInvalid', field, message }
  return invalid(tokenRequestKind, name, [cause])
}
