/** Where an engine is and how its transport is set up: the one reader of engine addresses. */
import { Agent } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import { inspect } from 'node:util'
import { StatusError } from '#pkg/apimachinery/errors.ts'

/** PEM texts. */
export interface TlsFiles {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number; readonly protocol: 'http' | 'https' }

/** Idle connections kept for the next call; more than that may be open at once. */
const idleConnections = 32

/** Reads `unix:///path`, `/path`, `tcp://host:port`, `http://...` and `https://...`; `tcp` means TLS when `tls` is given. */
export function parseHost(host: string, tls?: TlsFiles): EngineAddress {
  if (host.startsWith('/')) return { socketPath: host }
  if (host.startsWith('unix://')) return { socketPath: host.slice('unix://'.length) }
  const url = URL.parse(host)
  if (url === null || !['tcp:', 'http:', 'https:'].includes(url.protocol) || url.hostname === '') {
    throw new StatusError(
      'InvalidSpec',
      `engine address "${host}" is not unix://PATH, tcp://HOST:PORT or a path`,
    )
  }
  const isTls = url.protocol === 'https:' || tls !== undefined
  return {
    host: url.hostname,
    port: Number(url.port) || (isTls ? 2376 : 2375),
    protocol: isTls ? 'https' : 'http',
  }
}

/** Settings for dockerode. What it would otherwise take from DOCKER_* variables is set to undefined on purpose. */
export function dialOptions(host: string, tls?: TlsFiles) {
  const address = parseHost(host, tls)
  const isTls = 'protocol' in address && address.protocol === 'https'
  const keepAlive = { keepAlive: true, maxFreeSockets: idleConnections }
  const agent = quick(isTls ? new TlsAgent(keepAlive) : new Agent(keepAlive))
  const unset = { host: undefined, port: undefined, socketPath: undefined }
  const settings = { ...unset, protocol: 'http' as const, timeout: undefined, ...tls, ...address, agent }
  return { agent, settings }
}

/**
 * The transport describes the settings of each request in full for its debug output, whether that is on or not: with
 * some open connections in the agent, a hundred times the work of the request itself. So the agent is described in a word.
 */
function quick<A extends Agent>(agent: A): A {
  return Object.assign(agent, { [inspect.custom]: () => 'Agent' })
}
