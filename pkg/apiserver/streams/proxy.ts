/**
 * From the API to a node's agent: which connection leads to which node, and to the one that holds a Container. The
 * agents dial in (tunnel.ts), or run in the same process. Logs, streamed as they come, are asked for here.
 */
import { badRequest, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import type { Surface } from '../http/answer.ts'
import { methodNotAllowed } from '../http/request.ts'

/** The nodes that can be reached now. */
export class NodeConnections {
  readonly #transports = new Map<string, Transport>()

  /** The newest connection of a node is the one used. The returned function takes back this one, and no newer one. */
  register(nodeName: string, transport: Transport): () => void {
    this.#transports.set(nodeName, transport)
    return () => {
      if (this.#transports.get(nodeName) === transport) this.#transports.delete(nodeName)
    }
  }

  get(nodeName: string): Transport | undefined {
    return this.#transports.get(nodeName)
  }

  /** Names of the nodes that are connected. */
  names(): string[] {
    return [...this.#transports.keys()]
  }
}

/** Where a Container runs. */
export interface Placement {
  /** Absent until it has been placed. */
  readonly nodeName?: string | undefined
  /** Absent until it has been created. */
  readonly containerID?: string | undefined
}

export interface NodeFinderOptions {
  readonly connections: NodeConnections
  /** Undefined: there is no such Container. */
  readonly lookup: (namespace: string, name: string) => Promise<Placement | undefined> | Placement | undefined
}

/** The node that holds a Container, and the way to its agent. */
export interface ContainerNode {
  readonly nodeName: string
  /** Failures of the connection are ServiceUnavailable and name the node. */
  readonly transport: Transport
}

/**
 * Throws NotFound for a Container that is not there, BadRequest for one that was not placed or not created yet, and
 * ServiceUnavailable while its node is not connected.
 */
export type FindNode = (namespace: string, name: string) => Promise<ContainerNode>

const containers = { group: 'cove.run', plural: 'containers' } as const
const logPath = /^\/apis\/cove\.run\/v1\/namespaces\/([^/]+)\/containers\/([^/]+)\/log$/
const parameters = ['follow', 'tailLines', 'sinceSeconds', 'sinceTime', 'timestamps', 'previous'] as const
const counts = ['tailLines', 'sinceSeconds'] as const

export function nodeFinder({ connections, lookup }: NodeFinderOptions): FindNode {
  return async (namespace, name) => reachNode(connections, nodeOf(await lookup(namespace, name), name))
}

/** Throws ServiceUnavailable while the node is not connected. */
export function reachNode(connections: NodeConnections, nodeName: string): ContainerNode {
  const transport = connections.get(nodeName)
  if (transport === undefined)
    throw away(nodeName, 'its agent is not connected; its containers keep running, try again later')
  return { nodeName, transport: (request) => ask(transport, request, nodeName) }
}

function nodeOf(placement: Placement | undefined, name: string): string {
  if (placement === undefined) throw notFound(containers, name)
  const { nodeName, containerID } = placement
  if (nodeName === undefined) throw badRequest(`container "${name}" has not been placed on a node yet`)
  if (containerID === undefined)
    throw badRequest(`container "${name}" is waiting to start: node "${nodeName}" has not created it yet`)
  return nodeName
}

async function ask(transport: Transport, request: ApiRequest, nodeName: string): Promise<ApiResponse> {
  try {
    return asAnswer(await transport(request), nodeName)
  } catch (error) {
    if (error instanceof StatusError && error.reason !== 'ServiceUnavailable') throw error
    throw away(nodeName, 'the connection to its agent broke', error)
  }
}

/**
 * A node says what it was asked, and of what type. Whoever follows a redirect would ask elsewhere with their own rights, and
 * what browsers and proxies keep of an answer is not a node's to say.
 */
function asAnswer({ status, headers, body }: ApiResponse, nodeName: string): ApiResponse {
  if (!(status >= 200 && status < 300) && !(status >= 400 && status < 600))
    throw new StatusError('InternalError', `node "${nodeName}" gave an answer with the status ${status}`)
  const { 'content-type': type } = headers
  return { status, headers: type === undefined ? {} : { 'content-type': type }, body }
}

function away(nodeName: string, why: string, cause?: unknown): StatusError {
  return new StatusError('ServiceUnavailable', `node "${nodeName}" cannot be reached: ${why}`, {}, { cause })
}

/** Answers `GET .../namespaces/NAMESPACE/containers/NAME/log` with what the node's agent sends. */
export function containerLogs(findNode: FindNode): Surface {
  return async (request) => {
    const match = logPath.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'GET') throw methodNotAllowed(['GET'])
    const [namespace = '', name = ''] = [match[1] ?? '', match[2] ?? ''].map(decodeURIComponent)
    const query = logQuery(request.query)
    const { transport } = await findNode(namespace, name)
    const path = `/containers/${match[1]}/${match[2]}/log`
    const headers = { accept: request.headers['accept'] ?? 'text/plain' }
    return transport({ method: 'GET', path, query, headers, signal: request.signal })
  }
}

/** Only what the agent knows, checked here so that a mistake is told the same whichever node it is. */
export function logQuery(query: URLSearchParams): URLSearchParams {
  for (const name of counts) {
    const value = query.get(name)
    if (value !== null && !/^\d{1,9}$/.test(value))
      throw new StatusError('BadRequest', `${name}: "${value}" is not a whole number`)
  }
  const since = query.get('sinceTime')
  if (since !== null && Number.isNaN(Date.parse(since)))
    throw new StatusError('BadRequest', `sinceTime: "${since}" is not a time as in 2026-01-31T12:00:00Z`)
  if (since !== null && query.has('sinceSeconds'))
    throw new StatusError('BadRequest', 'at most one of sinceTime and sinceSeconds may be given')
  const known = parameters.flatMap((name) =>
    query
      .getAll(name)
      .slice(0, 1)
      .map((value) => [name, value]),
  )
  return new URLSearchParams(known)
}
