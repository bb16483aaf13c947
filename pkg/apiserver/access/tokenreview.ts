/** TokenReview: another service asks whose token it was shown. Only who may create reviews gets an answer. */
import { badRequest, isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { reviewSchemas } from '#pkg/apis/reviews.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'
import { readReview } from './reviewbody.ts'

const path = '/apis/authentication.k8s.io/v1/tokenreviews'
const tokenReviewKind = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenReview',
  ...reviewSchemas.TokenReview,
} as const

/** Throws Unauthorized. `audiences` is undefined when the asker names none: then the API's own count. */
export type ReviewToken = (
  token: string,
  audiences: readonly string[] | undefined,
) => { readonly user: UserInfo; readonly audiences: readonly string[] }

export function tokenReviews(review: ReviewToken): Surface {
  return (request) => {
    if (request.path !== path) return undefined
    if (request.method !== 'POST') throw methodNotAllowed(['POST'])
    const { spec } = readReview(tokenReviewKind, request)
    const { token, audiences } = isPlainObject(spec) ? spec : {}
    if (typeof token !== 'string' || token === '') throw badRequest('spec.token: is required')
    const status = statusOf(review, token, readAudiences(audiences))
    const body = { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', metadata: {}, spec, status }
    return jsonAnswer(body, {}, 201)
  }
}

function statusOf(review: ReviewToken, token: string, wanted: readonly string[] | undefined) {
  try {
    const { user, audiences } = review(token, wanted)
    const { name: username, ...rest } = user
    return { authenticated: true, user: { username, ...rest }, ...(wanted !== undefined && { audiences }) }
  } catch (error) {
    if (!isReason(error, 'Unauthorized')) throw error
    return { authenticated: false, user: {}, error: 'invalid bearer token' }
  }
}

function readAudiences(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value) || !value.every((audience) => typeof audience === 'string'))
    throw badRequest('spec.audiences: must be a list of texts')
  return value.length === 0 ? undefined : value
}
