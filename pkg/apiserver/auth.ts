/**
 * Who asks, and what they may do. Identity comes from the client certificate (subject CN and O), as Kubernetes
 * reads it. What each group may do is one table here, until Roles take its place.
 */
import type { TLSSocket } from 'node:tls'
import { qualifiedResource, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { failureAnswer } from './answer.ts'

export const adminGroup = 'system:masters'
export const nodesGroup = 'system:nodes'
const authenticatedGroup = 'system:authenticated'
const nodeUserPrefix = 'system:node:'

export const anonymous: UserInfo = { name: 'system:anonymous', groups: ['system:unauthenticated'] }

/** The user that a node's certificate names. */
export function nodeUser(nodeName: string): UserInfo {
  return { name: `${nodeUserPrefix}${nodeName}`, groups: [nodesGroup, authenticatedGroup] }
}

type Peer = Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>

/**
 * The user of a connection that asked for, and did not insist on, a client certificate. Throws Unauthorized for a
 * certificate that our authority did not sign, and for a token: none is given out, so none is good. A resumed session
 * without any certificate counts as authorized in Node, so a name is required beside it.
 */
export function userOf(socket: Peer, headers: Readonly<{ authorization?: string | undefined }>): UserInfo {
  const subject = socket.getPeerCertificate()?.subject
  if (subject === undefined && headers.authorization !== undefined)
    throw new StatusError('Unauthorized', 'Unauthorized: this server knows client certificates, no tokens')
  if (subject === undefined) return anonymous
  const [name] = listOf(subject.CN)
  if (!socket.authorized || name === undefined || name === '')
    throw new StatusError('Unauthorized', 'Unauthorized: the client certificate is not from this server')
  return { name, groups: [...listOf(subject.O), authenticatedGroup] }
}

function listOf(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

/** What a request wants to do: with a resource, or with a path that is none. */
export type Attributes =
  | {
      readonly verb: string
      readonly group: string
      /** The plural, with its subresource: `containers/status`. */
      readonly resource: string
      readonly namespace?: string
      readonly name?: string
    }
  | { readonly verb: string; readonly path: string }

/**
 * Reads them off the method and the path, as Kubernetes lays out paths. Throws BadRequest for a malformed escape, and
 * for empty or dotted segments: a path that two readers could take apart differently is no path.
 */
export function attributesOf(request: Pick<ApiRequest, 'method' | 'path' | 'query'>): Attributes {
  const segments = request.path.replace(/\/$/, '').split('/').slice(1).map(decodeSegment)
  const rooted = segments[0] === 'api' ? segments.slice(2) : segments[0] === 'apis' ? segments.slice(3) : []
  const [first = '', second = '', ...others] = rooted
  if (first === '') return { verb: request.method.toLowerCase(), path: request.path }
  const group = segments[0] === 'api' ? '' : (segments[1] ?? '')
  const nested = first === 'namespaces' && others.length > 0 && !namespaceSubresources.has(others[0] ?? '')
  const [plural = '', name = '', ...subresource] = nested ? others : rooted
  return {
    verb: verbOf(request, name !== ''),
    group,
    resource: [plural, ...subresource].join('/'),
    ...(nested && { namespace: second }),
    ...(name !== '' && { name }),
  }
}

const namespaceSubresources: ReadonlySet<string> = new Set(['status', 'finalize'])

function decodeSegment(segment: string): string {
  const decoded = decodeEscapes(segment)
  if (decoded === '' || decoded === '.' || decoded === '..' || decoded.includes('/'))
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`)
  return decoded
}

function decodeEscapes(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw new StatusError('BadRequest', `malformed path segment "${segment}"`, {}, { cause: error })
  }
}

const writeVerbs: Readonly<Record<string, string>> = { POST: 'create', PUT: 'update', PATCH: 'patch' }

function verbOf({ method, query }: Pick<ApiRequest, 'method' | 'query'>, named: boolean): string {
  if (method === 'GET' || method === 'HEAD') {
    if (named) return 'get'
    const watch = query.get('watch')
    return watch !== null && watch !== 'false' && watch !== '0' ? 'watch' : 'list'
  }
  if (method === 'DELETE') return named ? 'delete' : 'deletecollection'
  return writeVerbs[method] ?? method.toLowerCase()
}

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
    resources: ['cove.run/nodes', 'cove.run/nodes/status', 'cove.run/nodes/tunnel'],
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

/** `handler` for those who may; a 403 Status for everybody else. */
export function authorizing(handler: Handler): Handler {
  return (request, user) => {
    const allowed = check(request, user)
    return allowed.ok ? handler(request, allowed.user) : Promise.resolve(allowed.refusal)
  }
}

type Allowed =
  | { readonly ok: true; readonly user: UserInfo }
  | { readonly ok: false; readonly refusal: ApiResponse }

function check(request: ApiRequest, user: UserInfo): Allowed {
  try {
    const effective = impersonate(user, request.headers)
    authorize(effective, attributesOf(request))
    return { ok: true, user: effective }
  } catch (error) {
    if (error instanceof StatusError) return { ok: false, refusal: failureAnswer(error) }
    throw error
  }
}
