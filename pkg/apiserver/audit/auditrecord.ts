/**
 * Audit records, shaped as Kubernetes' audit.k8s.io/v1 Event at the level Metadata: who did what to which object,
 * when, and how it ended. Nothing of what was sent or answered goes in but the name of what was made and the reason
 * of a failure, so no content of a Secret and no token can. Pure.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { ApiRequest, ApiResponse, UserInfo } from '#pkg/apimachinery/transport.ts'
import { joinTarget } from '#pkg/apimachinery/wire.ts'
import { type Attributes, attributesOf } from '../access/attributes.ts'

export type Stage = 'ResponseStarted' | 'ResponseComplete'

interface AuditUser {
  readonly username?: string
  readonly uid?: string
  readonly groups?: readonly string[]
  readonly extra?: Readonly<Record<string, readonly string[]>>
}

interface ObjectReference {
  readonly resource: string
  readonly namespace?: string
  readonly name?: string
  readonly uid?: string
  readonly apiGroup?: string
  readonly apiVersion?: string
  readonly subresource?: string
}

export interface AuditEvent {
  readonly kind: 'Event'
  readonly apiVersion: 'audit.k8s.io/v1'
  readonly level: 'Metadata'
  readonly auditID: string
  readonly stage: Stage
  readonly requestURI: string
  readonly verb: string
  readonly user: AuditUser
  readonly impersonatedUser?: AuditUser
  readonly sourceIPs?: readonly string[]
  readonly userAgent?: string
  readonly objectRef?: ObjectReference
  readonly responseStatus: {
    readonly metadata: Record<string, never>
    readonly code: number
    readonly reason?: string
  }
  readonly requestReceivedTimestamp: string
  readonly stageTimestamp: string
}

/** A request and how it was answered. `user` is absent when nobody could be made out. */
export interface Exchange {
  readonly auditID: string
  readonly request: ApiRequest
  readonly user: UserInfo | undefined
  /** What it wants to do; undefined when its path is none. */
  readonly attributes: Attributes | undefined
  /** Milliseconds since the epoch. */
  readonly received: number
}

/** Bounds what strangers can make a record hold. */
const longestText = 2048

export function auditEvent(
  { auditID, request, user, attributes, received }: Exchange,
  { stage, answer, now }: { readonly stage: Stage; readonly answer: Answer; readonly now: number },
): AuditEvent {
  const agent = request.headers['user-agent']
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID,
    stage,
    requestURI: joinTarget(request.path, request.query).slice(0, longestText),
    verb: attributes?.verb ?? request.method.toLowerCase(),
    user: user === undefined ? {} : auditUser(user),
    ...impersonated(request.headers),
    ...(request.peer !== undefined && { sourceIPs: [request.peer] }),
    ...(agent !== undefined && { userAgent: agent.slice(0, longestText) }),
    ...objectReference(request.path, attributes, answer),
    responseStatus: {
      metadata: {},
      code: answer.status,
      ...(answer.reason !== undefined && { reason: answer.reason }),
    },
    requestReceivedTimestamp: microTime(received),
    stageTimestamp: microTime(now),
  }
}

/** What of an answer a record tells. */
export interface Answer {
  readonly status: number
  /** Of a failure. */
  readonly reason?: string
  /** Of what was made. */
  readonly made?: { readonly name?: string; readonly uid?: string }
}

/** Whole bodies are read only where a failure or a creation is in them that is not told beside them; streams never. */
export function answerOf(request: ApiRequest, { status, body, made: told }: ApiResponse): Answer {
  if (told !== undefined) return { status, made: told }
  if (typeof body !== 'string') return { status }
  if (status >= 400) {
    const reason = parse(body)?.['reason']
    return typeof reason === 'string' ? { status, reason } : { status }
  }
  if (status !== 201 || request.method !== 'POST') return { status }
  const metadata = parse(body)?.['metadata']
  if (!isPlainObject(metadata)) return { status }
  const { name, uid } = metadata
  const made = { ...(typeof name === 'string' && { name }), ...(typeof uid === 'string' && { uid }) }
  return { status, made }
}

/** What an error that is not answered yet will be answered with. */
export function answerOfError(error: unknown): Answer {
  if (error instanceof StatusError) return { status: error.code, reason: error.reason }
  return { status: 500, reason: 'InternalError' }
}

const connecting: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy', 'tunnel'])
/** What shows of a container all that a command in it could read. */
const revealing: ReadonlySet<string> = new Set(['inspect', 'export', 'adoptable'])
/** What gives away images with all that is in them. */
const giving: ReadonlySet<string> = new Set(['save', 'layers'])
const reading: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'head'])
/** Written by every node many times a minute: they would bury the rest. */
const heartbeats: ReadonlySet<string> = new Set(['cove.run/nodes/status', 'coordination.k8s.io/leases'])

/**
 * Whether an exchange belongs into the log: refusals, writes, reads of Secrets, everything that opens a way into a
 * container or shows all of it, and the server's own maintenance. Left out: other reads and watches, health checks, discovery, what a
 * node says of itself.
 */
export function isAudited({ request, attributes }: Pick<Exchange, 'request' | 'attributes'>, status: number) {
  if (status === 401 || status === 403) return true
  if (attributes === undefined) return !reading.has(request.method.toLowerCase())
  if ('path' in attributes) return !reading.has(attributes.verb) || attributes.path.startsWith('/server/')
  const { group, resource, verb, below } = attributes
  const [plural = '', subresource = ''] = resource.split('/')
  if (connecting.has(subresource)) return true
  if (revealing.has(subresource)) return true
  if (resource === 'nodes/images' && below !== undefined && giving.has(below.path)) return true
  if (reading.has(verb)) return group === '' && plural === 'secrets'
  return !heartbeats.has(`${group}/${resource}`)
}

export function readAttributes(request: ApiRequest): Attributes | undefined {
  try {
    return attributesOf(request)
  } catch (error) {
    // A path that is none: the answer says so, the record has the path itself.
    if (error instanceof StatusError) return undefined
    throw error
  }
}

function auditUser({ name, uid, groups, extra }: UserInfo): AuditUser {
  return {
    username: name,
    ...(uid !== undefined && { uid }),
    groups,
    ...(extra !== undefined && { extra }),
  }
}

function impersonated(headers: ApiRequest['headers']): { impersonatedUser?: AuditUser } {
  const { 'impersonate-user': name, 'impersonate-group': groups, 'impersonate-uid': uid } = headers
  if (name === undefined && groups === undefined && uid === undefined) return {}
  const asked = (groups ?? '').split(',').flatMap((group) => group.trim().slice(0, longestText) || [])
  return {
    impersonatedUser: {
      username: (name ?? '').slice(0, longestText),
      ...(uid !== undefined && { uid: uid.slice(0, longestText) }),
      ...(asked.length > 0 && { groups: asked }),
    },
  }
}

function objectReference(
  path: string,
  attributes: Attributes | undefined,
  { made = {} }: Answer,
): { objectRef?: ObjectReference } {
  if (attributes === undefined || 'path' in attributes) return {}
  const [plural = '', ...subresource] = attributes.resource.split('/')
  const [, root = '', first = '', second = ''] = path.split('/')
  const name = attributes.name ?? made.name
  return {
    objectRef: {
      resource: plural,
      ...(attributes.namespace !== undefined && { namespace: attributes.namespace }),
      ...(name !== undefined && { name }),
      ...(made.uid !== undefined && { uid: made.uid }),
      ...(attributes.group !== '' && { apiGroup: attributes.group }),
      apiVersion: root === 'api' ? first : second,
      ...(subresource.length > 0 && { subresource: subresource.join('/') }),
    },
  }
}

function parse(body: string): Readonly<Record<string, unknown>> | undefined {
  if (!body.startsWith('{')) return undefined
  try {
    const value: unknown = JSON.parse(body)
    return isPlainObject(value) ? value : undefined
  } catch (error) {
    // Not ours to judge: an answer in another form has nothing to tell here.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** metav1.MicroTime. */
function microTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('Z', '000Z')
}
