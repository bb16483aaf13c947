/** Who may do what. What each group may do is one table here, until Roles take its place. */
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { failureAnswer } from './answer.ts'
import { type Attributes, attributesOf } from './attributes.ts'
import { adminGroup, authenticatedGroup, nodesGroup, nodeUserPrefix } from './authenticate.ts'

interface Rule {
  readonly group: string
  readonly verbs: readonly string[]
  /** `GROUP/PLURAL[/SUBRESOURCE]`; the core group is empty. */
  readonly resources?: readonly string[]
  /** Whole paths, or prefixes that end in "*". */
  readonly paths?: readonly string[]
  /** Only the Node that the user is. */
  readonly ownNode?: true
}

const read = ['get', 'list', 'watch'] as const
const engineObjects = ['cove.run/containers', 'cove.run/volumes', 'cove.run/networks'] as const
const discoveryPaths = ['/api', '/api/*', '/apis', '/apis/*', '/openapi', '/openapi/*'] as const
const publicPaths = ['/version', '/livez', '/readyz', '/healthz'] as const

/**
 * The table of who may do what; system:masters may do everything. Nodes act on what is placed on them and may not
 * create it; which object belongs to which node is not looked at yet.
 */
const rules: readonly Rule[] = [
  { group: 'system:unauthenticated', verbs: ['get', 'head'], paths: publicPaths },
  { group: authenticatedGroup, verbs: ['get', 'head'], paths: [...publicPaths, ...discoveryPaths] },
  {
    group: authenticatedGroup,
    verbs: ['create'],
    resources: ['authorization.k8s.io/selfsubjectaccessreviews', 'authentication.k8s.io/selfsubjectreviews'],
  },
  { group: 'system:bootstrappers', verbs: ['create'], resources: ['cove.run/nodes/certificate'] },
  { group: nodesGroup, verbs: [...read, 'update', 'patch', 'delete'], resources: engineObjects },
  {
    group: nodesGroup,
    verbs: ['get', 'update', 'patch'],
    resources: engineObjects.map((resource) => `${resource}/status`),
  },
  {
    group: nodesGroup,
    verbs: read,
    resources: ['/namespaces', '/secrets', '/configmaps', 'cove.run/nodes'],
  },
  { group: nodesGroup, verbs: ['create', 'update', 'patch'], resources: ['/events'] },
  { group: nodesGroup, verbs: ['create'], resources: ['cove.run/nodes'] },
  {
    group: nodesGroup,
    verbs: ['get', 'update', 'patch', 'create'],
    resources: [
      'cove.run/nodes',
      'cove.run/nodes/status',
      'cove.run/nodes/tunnel',
      'cove.run/nodes/certificate',
    ],
    ownNode: true,
  },
]

/** Throws Forbidden, in Kubernetes' words, unless the table allows it. */
export function authorize(user: UserInfo, attributes: Attributes): void {
  if (user.groups.includes(adminGroup)) return
  if (rules.some((rule) => user.groups.includes(rule.group) && allows(rule, user, attributes))) return
  throw forbidden(user, attributes)
}

function allows(rule: Rule, user: UserInfo, attributes: Attributes): boolean {
  if (!rule.verbs.includes(attributes.verb)) return false
  if ('path' in attributes) return (rule.paths ?? []).some((pattern) => pathMatches(pattern, attributes.path))
  if (rule.ownNode === true && user.name !== `${nodeUserPrefix}${attributes.name ?? ''}`) return false
  return (rule.resources ?? []).includes(`${attributes.group}/${attributes.resource}`)
}

function pathMatches(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}

function forbidden(user: UserInfo, attributes: Attributes): StatusError {
  const who = `User "${user.name}" cannot ${attributes.verb}`
  if ('path' in attributes) return new StatusError('Forbidden', `forbidden: ${who} path "${attributes.path}"`)
  const { group, resource, namespace, name } = attributes
  const [plural = ''] = resource.split('/')
  const what = `${qualifiedResource({ group, plural })}${name === undefined ? '' : ` "${name}"`} is forbidden`
  const scope = namespace === undefined ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const message = `${what}: ${who} resource "${resource}" in API group "${group}" ${scope}`
  return new StatusError('Forbidden', message, { group, kind: plural, ...(name !== undefined && { name }) })
}

/**
 * Who the request is made as: `Impersonate-User` and `Impersonate-Group` let an administrator act as another.
 * Throws Forbidden when anybody else sends them: ignoring them would do more than was asked.
 */
export function impersonate(user: UserInfo, headers: ApiRequest['headers']): UserInfo {
  const name = headers['impersonate-user']
  const groups = headers['impersonate-group']
  if (name === undefined && groups === undefined) return user
  if (!user.groups.includes(adminGroup) || name === undefined)
    throw new StatusError('Forbidden', `User "${user.name}" cannot impersonate "${name ?? groups ?? ''}"`)
  const asked = groups === undefined ? [] : groups.split(',').map((group) => group.trim())
  return { name, groups: [...asked, authenticatedGroup] }
}

/** Who the request is made as, once it is clear that they may make it. Throws Forbidden or BadRequest. */
export type Guard = (request: ApiRequest, user: UserInfo) => UserInfo

export function guard(request: ApiRequest, user: UserInfo): UserInfo {
  const effective = impersonate(user, request.headers)
  authorize(effective, attributesOf(request))
  return effective
}

/** `handler` for those who may; a 403 Status for everybody else. */
export function authorizing(handler: Handler, guard: Guard): Handler {
  return (request, user) => {
    const allowed = check(guard, request, user)
    return allowed.ok ? handler(request, allowed.user) : Promise.resolve(allowed.refusal)
  }
}

type Allowed =
  | { readonly ok: true; readonly user: UserInfo }
  | { readonly ok: false; readonly refusal: ApiResponse }

function check(guard: Guard, request: ApiRequest, user: UserInfo): Allowed {
  try {
    return { ok: true, user: guard(request, user) }
  } catch (error) {
    if (error instanceof StatusError) return { ok: false, refusal: failureAnswer(error) }
    throw error
  }
}
