/**
 * Questions about rights and identity: `auth can-i`, `auth can-i --list`, `auth whoami`, and what others may do.
 * Answered by the authorizer that guards everything; nothing is stored.
 */
import { badRequest, type Cause, invalid, type StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '#pkg/apimachinery/transport.ts'
import type { PolicyRule } from '#pkg/apis/rbac.ts'
import { reviewSchemas } from '#pkg/apis/reviews.ts'
import type { ExtraResource } from '../documents/discovery.ts'
import { jsonAnswer, type Surface } from '../http/answer.ts'
import type { Json } from '../http/body.ts'
import { methodNotAllowed } from '../http/request.ts'
import type { Attributes } from './attributes.ts'
import { nodesGroup } from './authenticate.ts'
import type { Authorizer } from './authorizer.ts'
import { readReview } from './reviewbody.ts'

export interface ReviewOptions {
  readonly authorize: Authorizer
  /** All rules of RBAC that hold for the user in the namespace. */
  readonly rulesFor: (user: UserInfo, namespace: string) => readonly PolicyRule[]
}

const authorization = { group: 'authorization.k8s.io', version: 'v1' } as const
const authentication = { group: 'authentication.k8s.io', version: 'v1' } as const

const review = (kind: keyof typeof reviewSchemas, namespaced = false): ExtraResource => ({
  ...reviewSchemas[kind],
  ...(['SelfSubjectReview', 'TokenReview'].includes(kind) ? authentication : authorization),
  kind,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  namespaced,
  shortNames: [],
  categories: [],
  verbs: ['create'],
})

/** What discovery tells of them, and of the one that others answer. */
export const reviewResources: readonly ExtraResource[] = [
  review('SelfSubjectReview'),
  review('TokenReview'),
  review('LocalSubjectAccessReview', true),
  review('SelfSubjectAccessReview'),
  review('SelfSubjectRulesReview'),
  review('SubjectAccessReview'),
]

interface Asked {
  readonly user: UserInfo
  readonly body: Json
  /** Of a LocalSubjectAccessReview. */
  readonly namespace: string
}

type Answer = (asked: Asked, options: ReviewOptions) => Json

const answers: Readonly<Record<string, Answer>> = {
  SelfSubjectReview: whoAmI,
  SelfSubjectAccessReview: ({ user, body }, options) => ({
    status: decisionOn(user, attributesIn(body, 'SelfSubjectAccessReview'), options),
  }),
  SubjectAccessReview: ({ body }, options) => ({
    status: decisionOn(subjectIn(body), attributesIn(body, 'SubjectAccessReview'), options),
  }),
  LocalSubjectAccessReview: (asked, options) => ({
    metadata: { namespace: asked.namespace },
    status: decisionOn(subjectIn(asked.body), localAttributes(asked), options),
  }),
  SelfSubjectRulesReview: myRules,
}

const reviewPath =
  /^\/apis\/(authorization|authentication)\.k8s\.io\/v1\/(?:namespaces\/([^/]+)\/)?([a-z]+reviews)$/

export function reviews(options: ReviewOptions): Surface {
  return (request, user) => {
    const found = findReview(request)
    if (found === undefined) return undefined
    if (request.method !== 'POST') throw methodNotAllowed(['POST'])
    return answerReview({ ...found, user }, request, options)
  }
}

interface Found {
  readonly review: ExtraResource
  /** Empty: none. */
  readonly namespace: string
}

function findReview({ path }: ApiRequest): Found | undefined {
  const [, group, namespace, plural] = reviewPath.exec(path) ?? []
  const found = reviewResources.find((known) => known.plural === plural && known.group === `${group}.k8s.io`)
  if (
    found === undefined ||
    answers[found.kind] === undefined ||
    found.namespaced !== (namespace !== undefined)
  )
    return undefined
  return { review: found, namespace: decodeURIComponent(namespace ?? '') }
}

function answerReview(
  { review, namespace, user }: Found & { user: UserInfo },
  request: ApiRequest,
  options: ReviewOptions,
): ApiResponse {
  const { kind, group } = review
  const body = readReview(review, request)
  const answer = answers[kind]?.({ user, body, namespace }, options)
  const { spec } = body
  const head = { kind, apiVersion: `${group}/v1`, metadata: {}, ...(spec !== undefined && { spec }) }
  return jsonAnswer({ ...head, ...answer }, {}, 201)
}

function whoAmI({ user: { name, groups, uid, extra } }: Asked): Json {
  const userInfo = { username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) }
  return { status: { userInfo } }
}

function decisionOn(user: UserInfo, attributes: Attributes, { authorize }: ReviewOptions): Json {
  const { verdict, reason } = authorize(user, attributes)
  return {
    allowed: verdict === 'allow',
    ...(verdict === 'deny' && { denied: true }),
    ...(reason !== '' && { reason }),
  }
}

function myRules({ user, body }: Asked, { rulesFor }: ReviewOptions): Json {
  const namespace = text(objectAt(body, 'spec'), 'namespace')
  if (namespace === '') throw badRequest('no namespace on request')
  const rules = rulesFor(user, namespace)
  // Nodes hold rights beside RBAC's, which are not told as rules.
  const partial = user.groups.includes(nodesGroup)
  return {
    status: {
      resourceRules: rules.filter(({ resources = [] }) => resources.length > 0),
      nonResourceRules: rules
        .filter(({ nonResourceURLs = [] }) => nonResourceURLs.length > 0)
        .map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs })),
      incomplete: partial,
      ...(partial && { evaluationError: 'node authorizer does not support user rule resolution' }),
    },
  }
}

function subjectIn(body: Json): UserInfo {
  const spec = objectAt(body, 'spec')
  const [name, uid] = [text(spec, 'user'), text(spec, 'uid')]
  const listed = spec?.['groups']
  const groups = Array.isArray(listed) ? listed.map(String) : []
  if (name === '' && groups.length === 0)
    throw wrong('SubjectAccessReview', 'spec.user', 'at least one of user or group must be specified')
  return { name, groups, ...(uid !== '' && { uid }) }
}

function localAttributes({ body, namespace }: Asked): Attributes {
  const kind = 'LocalSubjectAccessReview'
  const attributes = attributesIn(body, kind)
  if ('path' in attributes)
    throw wrong(kind, 'spec.nonResourceAttributes', 'disallowed on this kind of request')
  if (attributes.namespace !== namespace)
    throw wrong(kind, 'spec.resourceAttributes.namespace', 'must match metadata.namespace')
  return attributes
}

function attributesIn(body: Json, kind: string): Attributes {
  const spec = objectAt(body, 'spec')
  const path = objectAt(spec, 'nonResourceAttributes')
  const asked = objectAt(spec, 'resourceAttributes')
  if (path !== undefined && asked !== undefined)
    throw wrong(
      kind,
      'spec.nonResourceAttributes',
      'cannot be specified in combination with resourceAttributes',
    )
  if (path !== undefined) return { verb: text(path, 'verb'), path: text(path, 'path') }
  if (asked === undefined)
    throw wrong(
      kind,
      'spec.resourceAttributes',
      'exactly one of nonResourceAttributes or resourceAttributes must be specified',
    )
  const [resource, subresource] = [text(asked, 'resource'), text(asked, 'subresource')]
  const [namespace, name] = [text(asked, 'namespace'), text(asked, 'name')]
  return {
    verb: text(asked, 'verb'),
    group: text(asked, 'group'),
    resource: subresource === '' ? resource : `${resource}/${subresource}`,
    ...(namespace !== '' && { namespace }),
    ...(name !== '' && { name }),
  }
}

function wrong(kind: string, field: string, why: string): StatusError {
  const cause: Cause = { reason: 'FieldValueInvalid', field, message: `Invalid value: ${why}` }
  return invalid({ group: authorization.group, kind }, '', [cause])
}

function objectAt(value: unknown, name: string): Json | undefined {
  const found = isPlainObject(value) ? value[name] : undefined
  return isPlainObject(found) ? found : undefined
}

function text(value: Json | undefined, name: string): string {
  const found = value?.[name]
  return typeof found === 'string' ? found : ''
}
