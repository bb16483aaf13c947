/**
 * The API over HTTPS: one keep-alive agent, bodies streamed as they come and no faster than they are read.
 * Failures of the connection become ServiceUnavailable with a sentence that says what to do.
 */
import http from 'node:http'
import https from 'node:https'
import { addAbortSignal, type Duplex } from 'node:stream'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import { writeChunks } from '#pkg/apimachinery/wire.ts'
import type { ServerConfig } from './kubeconfig.ts'

/** Closing it ends idle connections; requests under way keep theirs until they are done. */
export type HttpsTransport = Transport & { close(): void; readonly upgrade: Upgrade }

/**
 * Asks for another protocol than HTTP on a connection of its own. Resolves with the connection, each direction of
 * which ends on its own, or with the answer of a server that refuses. Aborting the request's signal later destroys it.
 */
export type Upgrade = (request: ApiRequest, protocol: string) => Promise<Duplex | ApiResponse>

/** PEM texts. */
export interface ClientIdentity {
  readonly cert: string
  readonly key: string
}

type Target = Omit<ServerConfig, 'namespace'> & {
  readonly userAgent?: string
  /** In place of cert and key, asked for at each request: one that was renewed serves every connection from then on. */
  readonly identity?: () => ClientIdentity
}

/** Throws BadRequest for a server that is no URL, or a token that would travel unprotected. */
export function httpsTransport(target: Target): HttpsTransport {
  const base = parseServer(target)
  const agent = makeAgent(base, target)
  const transport: Transport = (request) => exchange({ base, agent, target, request }, true)
  const upgrade: Upgrade = (request, protocol) => takeOver({ base, agent, target, request }, protocol)
  return Object.assign(transport, { close: () => agent.destroy(), upgrade })
}

interface Exchange {
  readonly base: URL
  readonly agent: http.Agent
  readonly target: Target
  readonly request: ApiRequest
}

function parseServer({ server, token }: Target): URL {
  if (!URL.canParse(server)) throw badRequest(`the server "${server}" is not a URL`)
  const base = new URL(server)
  if (base.protocol !== 'https:' && base.protocol !== 'http:') {
    throw badRequest(`the server "${server}" is neither https:// nor http://`)
  }
  if (base.protocol === 'http:' && token !== undefined) {
    throw badRequest(`the server "${server}" is not https://: the token would be readable on the way`)
  }
  return base
}

const pooled = { keepAlive: true, maxFreeSockets: 16 }

function makeAgent(
  base: URL,
  { ca, cert, key, serverName, insecure }: Target,
  options: object = pooled,
): http.Agent {
  if (base.protocol === 'http:') return new http.Agent(options)
  return new https.Agent({
    ...options,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(serverName !== undefined && { servername: serverName }),
    ...(insecure === true && { rejectUnauthorized: false }),
  })
}

/** A kept connection may have been closed by the server meanwhile: then the request is sent once more on a new one. */
function exchange(context: Exchange, mayRetry: boolean): Promise<ApiResponse> {
  const { request, base } = context
  return new Promise((resolve, reject) => {
    if (request.signal.aborted) {
      reject(request.signal.reason)
      return
    }
    const sent = send(context)
    sent.on('response', (incoming) => resolve(toResponse(incoming, request.signal, base)))
    sent.on('error', (error) => {
      const stale = sent.reusedSocket && codeOf(error) === 'ECONNRESET' && request.input === undefined
      if (request.signal.aborted) reject(request.signal.reason)
      else if (stale && mayRetry) exchange(context, false).then(resolve, reject)
      else reject(error instanceof InputError ? error.cause : unreachable(base, error))
    })
    if (request.input === undefined) sent.end(request.body)
    else void sendInput(request.input, sent)
  })
}

/** What there was to send could not be read: that is its own failure, and not one of the connection. */
class InputError extends Error {}

/** No faster than the server reads. One that has answered already need not hear the rest. */
async function sendInput(input: AsyncIterable<Uint8Array>, sent: http.ClientRequest): Promise<void> {
  try {
    await writeChunks(sent, input, new AbortController().signal)
    sent.end()
  } catch (cause) {
    sent.destroy(new InputError('the body broke off', { cause }))
  }
}

function takeOver(context: Exchange, protocol: string): Promise<Duplex | ApiResponse> {
  const { base } = context
  const { signal } = context.request
  const headers = { ...context.request.headers, connection: 'Upgrade', upgrade: protocol }
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason)
      return
    }
    const agent = makeAgent(base, context.target, { keepAlive: false, allowHalfOpen: true })
    const sent = send({ ...context, agent, request: { ...context.request, headers } })
    sent.on('upgrade', (_response, socket, head) => {
      if (head.length > 0) socket.unshift(head)
      // Whoever reads or writes sees a failure there; without a listener it would end this process.
      socket.on('error', () => undefined)
      resolve(addAbortSignal(signal, socket))
    })
    sent.on('response', (incoming) => resolve(toResponse(incoming, signal, base)))
    sent.on('error', (error) => reject(signal.aborted ? signal.reason : unreachable(base, error)))
    sent.end()
  })
}

function send({ base, agent, target, request }: Exchange): http.ClientRequest {
  const query = request.query.toString()
  const prefix = base.pathname.replace(/\/$/, '')
  const { request: open } = base.protocol === 'http:' ? http : https
  return open({
    agent,
    host: base.hostname.replace(/^\[|\]$/g, ''),
    port: base.port,
    method: request.method,
    path: `${prefix}${request.path}${query === '' ? '' : `?${query}`}`,
    headers: {
      ...(target.userAgent !== undefined && { 'user-agent': target.userAgent }),
      ...(target.token !== undefined && { authorization: `Bearer ${target.token}` }),
      ...request.headers,
      ...(request.body !== undefined && { 'content-length': Buffer.byteLength(request.body) }),
    },
    signal: request.signal,
    // The agent keeps connections of different identities apart.
    ...target.identity?.(),
  })
}

function toResponse(incoming: http.IncomingMessage, signal: AbortSignal, base: URL): ApiResponse {
  const headers = Object.fromEntries(
    Object.entries(incoming.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]),
  )
  return { status: incoming.statusCode ?? 0, headers, body: readBody(incoming, signal, base) }
}

async function* readBody(
  incoming: http.IncomingMessage,
  signal: AbortSignal,
  base: URL,
): AsyncGenerator<Uint8Array> {
  try {
    yield* incoming
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new StatusError(
      'ServiceUnavailable',
      `the connection to ${base.origin} broke: ${messageOf(error)}`,
      {},
      { cause: error },
    )
  }
}

/** What each failure to connect means, and what to do about it. */
const connectionErrors: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  ECONNREFUSED: ['connection refused', 'is `cove up` running?'],
  ENOTFOUND: ['no such host', 'check the host name in the kubeconfig'],
  EAI_AGAIN: ['the host name cannot be looked up now', 'check the network and its name server'],
  ETIMEDOUT: ['no answer', 'check the address, and that a firewall lets it through'],
  EHOSTUNREACH: ['no way to the host', 'check the address and the network'],
  ENETUNREACH: ['no way to the network', 'check the address and the network'],
  ECONNRESET: ['the connection was closed', 'look at the log of the server, then try again'],
  EPIPE: ['the connection was closed', 'look at the log of the server, then try again'],
  EPROTO: ['it does not speak TLS', 'check that the server URL should begin with https://'],
  CERT_HAS_EXPIRED: ['its certificate has expired', 'renew it, then start the server again'],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    'its certificate is for another name',
    'use a name or address that the certificate lists',
  ],
}

const untrusted = [
  'its certificate is not signed by the authority in the kubeconfig',
  'the server may have been set up anew: take its current kubeconfig',
] as const
const untrustedCodes = [
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_SIGNATURE_FAILURE',
]

/** Why the server could not be asked, and what to do about it. */
export function unreachable(base: URL, error: Error): StatusError {
  const code = codeOf(error)
  const [what, advice] = untrustedCodes.includes(code)
    ? untrusted
    : (connectionErrors[code] ?? [messageOf(error), 'check the server in the kubeconfig'])
  const message = `cannot reach the server at ${base.origin} (${what}): ${advice}`
  return new StatusError('ServiceUnavailable', message, {}, { cause: error })
}

/** With several addresses of one host Node throws an AggregateError: the first failure speaks for all. */
function codeOf(error: Error): string {
  if ('code' in error && typeof error.code === 'string' && error.code !== '') return error.code
  const [first] = error instanceof AggregateError ? error.errors : []
  return first instanceof Error ? codeOf(first) : ''
}
