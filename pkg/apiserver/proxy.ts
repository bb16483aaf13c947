/**
 * From the API to a node's agent: logs of containers, streamed as they come. Which connection leads to which node is
 * kept here; the agents dial in (tunnel.ts), or run in the same process.
 */
import { notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import type { Surface } from './answer.ts'

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
export interface LogTarget {
  /** Absent until it has been placed. */
  readonly nodeName?: string | undefined
  /** Absent until it has been created. */
  readonly containerID?: string | undefined
}

export interface LogProxyOptions {
  readonly connections: NodeConnections
  /** Undefined: there is no such Container. */
  readonly lookup: (namespace: string, name: string) => Promise<LogTarget | undefined> | LogTarget | undefined
}

const containers = { group: 'cove.run', plural: 'containers' } as const
const logPath = /^\/apis\/cove\.run\/v1\/namespaces\/([^/]+)\/containers\/([^/]+)\/log$/
const parameters = ['follow', 'tailLines', 'sinceSeconds', 'sinceTime', 'timestamps'] as const
const counts = ['tailLines', 'sinceSeconds'] as const

/** Answers `GET .../namespaces/NAMESPACE/containers/NAME/log` with what the node's agent sends. */
export function containerLogs({ connections, lookup }: LogProxyOptions): Surface {
  return async (request) => {
    const match = logPath.exec(request.path)
    if (match === null) return undefined
    if (request.method !== 'GET') throw new StatusError('MethodNotAllowed', 'logs can only be read')
    const [namespace, name] = [match[1] ?? '', match[2] ?? ''].map(decodeURIComponent)
    const query = logQuery(request.query)
    const nodeName = await nodeOf(lookup, namespace ?? '', name ?? '')
    const transport = connections.get(nodeName)
    if (transport === undefined)
      throw away(nodeName, 'its agent is not connected; the container keeps running, try again later')
    return forward(
      { ...request, path: `/containers/${match[1]}/${match[2]}/log`, query },
      transport,
      nodeName,
    )
  }
}

async function nodeOf(lookup: LogProxyOptions['lookup'], namespace: string, name: string): Promise<string> {
  const target = await lookup(namespace, name)
  if (target === undefined) throw notFound(containers, name)
  if (target.nodeName === undefined)
    throw new StatusError(
      'BadRequest',
      `container "${name}" has no logs yet: it has not been placed on a node`,
    )
  if (target.containerID === undefined)
    throw new StatusError(
      'BadRequest',
      `container "${name}" has no logs yet: node "${target.nodeName}" has not created it`,
    )
  return target.nodeName
}

/** Only what the agent knows, checked here so that a mistake is told the same whichever node it is. */
function logQuery(query: URLSearchParams): URLSearchParams {
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

async function forward(request: ApiRequest, transport: Transport, nodeName: string): Promise<ApiResponse> {
  const { method, path, query, signal } = request
  try {
    return await transport({
      method,
      path,
      query,
      headers: { accept: request.headers['accept'] ?? 'text/plain' },
      signal,
    })
  } catch (error) {
    if (error instanceof StatusError && error.reason !== 'ServiceUnavailable') throw error
    throw away(nodeName, 'the connection to its agent broke', error)
  }
}

function away(nodeName: string, why: string, cause?: unknown): StatusError {
  return new StatusError('ServiceUnavailable', `node "${nodeName}" cannot be reached: ${why}`, {}, { cause })
}
