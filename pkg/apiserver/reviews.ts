/** What a user asks about itself: `auth can-i` and `auth whoami`. Nothing is stored. */
import { badRequest, isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '#pkg/apimachinery/transport.ts'
import { jsonAnswer, type Surface } from './answer.ts'
import type { Attributes } from './attributes.ts'
import { authorize } from './authorize.ts'
import { readMembers } from './body.ts'

const accessReviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
const selfReviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

/** Answers SelfSubjectAccessReview by the same table that guards everything, and SelfSubjectReview. */
export function selfReview(): Surface {
  return (request, user) => {
    if (request.path !== accessReviews && request.path !== selfReviews) return undefined
    if (request.method !== 'POST') throw new StatusError('MethodNotAllowed', 'a review can only be created')
    return request.path === selfReviews ? whoAmI(user) : canI(request, user)
  }
}

function whoAmI({ name, groups }: UserInfo): ApiResponse {
  const status = { userInfo: { username: name, groups } }
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview', metadata: {}, status }
  return jsonAnswer(review, {}, 201)
}

function canI(request: ApiRequest, user: UserInfo): ApiResponse {
  const spec = readMembers(request)['spec']
  const refusal = refusalOf(user, attributesIn(spec))
  const status = refusal === undefined ? { allowed: true } : { allowed: false, reason: refusal }
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    metadata: {},
    spec,
    status,
  }
  return jsonAnswer(review, {}, 201)
}

function attributesIn(spec: unknown): Attributes {
  const path = member(spec, 'nonResourceAttributes')
  if (isPlainObject(path)) return { verb: text(path, 'verb'), path: text(path, 'path') }
  const asked = member(spec, 'resourceAttributes')
  if (!isPlainObject(asked))
    throw badRequest('spec: one of resourceAttributes and nonResourceAttributes is required')
  const [resource, subresource, namespace, name] = ['resource', 'subresource', 'namespace', 'name'].map(
    (key) => text(asked, key),
  )
  return {
    verb: text(asked, 'verb'),
    group: text(asked, 'group'),
    resource: subresource ? `${resource}/${subresource}` : (resource ?? ''),
    ...(namespace && { namespace }),
    ...(name && { name }),
  }
}

function refusalOf(user: UserInfo, attributes: Attributes): string | undefined {
  try {
    authorize(user, attributes)
    return undefined
  } catch (error) {
    if (isReason(error, 'Forbidden')) return error.message
    throw error
  }
}

function member(value: unknown, name: string): unknown {
  return isPlainObject(value) ? value[name] : undefined
}

function text(value: Record<string, unknown>, name: string): string {
  const found = value[name]
  return typeof found === 'string' ? found : ''
}
