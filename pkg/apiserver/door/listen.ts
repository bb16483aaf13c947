/**
 * The socket in front of the Handler: HTTPS (HTTP/1.1) with optional client certificates. Promises: bodies are
 * bounded, streams are flushed chunk by chunk at the reader's pace, the request's signal aborts when the client goes
 * away, no error of a socket ends the process, and closing ends watches at once and everything else within a bound.
 */
import { constants } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Duplex, Writable } from 'node:stream'
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { discard, isWhole, maxBodyBytes, splitTarget, writeChunks } from '#pkg/apimachinery/wire.ts'
import { type Authenticate, adminGroup } from '../access/authenticate.ts'
import type { Pki } from '../access/pki.ts'
import { answerFor } from '../http/answer.ts'
import { bind } from './bind.ts'
import { ChunkFrames } from './chunkframes.ts'
import { compress } from './compress.ts'
import { bareRequest, bodyOf, inputOf, LateBody, tlsSocket } from './incoming.ts'
import {
  drainedWithin,
  inPieces,
  type Patience,
  pieceBytes,
  readRest,
  refusalText,
  serverOptions,
  usualPatience,
} from './patience.ts'
import { lengthOf, refusalBytes } from './plainanswer.ts'

/** A request to speak something else than HTTP/1.1 on this connection. */
export interface Upgrade {
  readonly request: ApiRequest
  readonly user: UserInfo
  readonly socket: Duplex
  /** What the client has sent already beyond its request. */
  readonly head: Uint8Array
}

/** Undefined: the socket has been taken over. An answer: refused, and the socket is closed after it. May throw StatusErrors. */
export type OnUpgrade = (upgrade: Upgrade) => Promise<ApiResponse | undefined> | ApiResponse | undefined

export type ServerIdentity = Pick<Pki, 'ca' | 'server'>

export interface ListenOptions {
  readonly handler: Handler
  readonly authenticate: Authenticate
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly pki: ServerIdentity
  readonly log: Logger
  readonly clock: Clock
  readonly onUpgrade?: OnUpgrade
  /** Told of every request whose asker could not be made out, before it is refused. */
  readonly onUnauthenticated?: ((request: ApiRequest, error: unknown) => void) | undefined
  /** Requests whose bodies may be of any length and are handled while they come; of all others they are read first. */
  readonly takesInput?: (method: string, path: string) => boolean
  /** What differs from the usual. */
  readonly patience?: Partial<Patience>
  /** Closes the listener. */
  readonly signal?: AbortSignal
}

export interface Listener {
  readonly port: number
  /** Serves a renewed certificate to connections made from now on. */
  renew(pki: ServerIdentity): void
  /** Stops accepting, ends watches and upgraded connections, and waits for the rest, at most 5 s. May be called twice. */
  close(): Promise<void>
}

const closeGraceMs = 5_000
/** Longer than the idle time of any usual client's pool, so that it is the client who lets a connection go. */
const keepAliveMs = 120_000
const tcpKeepAliveMs = 30_000

/** Resolves when the port answers. Throws InUse, Forbidden or BadRequest, naming the address, when it cannot be had. */
export async function listen(options: ListenOptions): Promise<Listener> {
  const server = createServer({
    ...tlsOptions(options.pki),
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: 'TLSv1.2',
    ...serverOptions(patienceOf(options)),
    keepAlive: true,
    keepAliveInitialDelay: tcpKeepAliveMs,
    noDelay: true,
  })
  server.keepAliveTimeout = keepAliveMs
  server.maxConnections = patienceOf(options).maxConnections
  // Their length bounds their number; Node would drop those beyond one in silence.
  server.maxHeadersCount = 0
  const front = new Front(server, options)
  front.attach()
  const port = await bind(server, options)
  const close = () => front.close()
  options.signal?.addEventListener('abort', () => void close(), { once: true })
  if (options.signal?.aborted === true) await close()
  return { port, close, renew: (pki) => server.setSecureContext(tlsOptions(pki)) }
}

/**
 * The authority goes along, so that a machine that knows no more than its hash can find it out. Who is at the other end
 * of a connection never changes: as servers in Go, which cannot renegotiate either.
 */
function tlsOptions({ ca, server }: ServerIdentity) {
  const secureOptions = constants.SSL_OP_NO_RENEGOTIATION
  return { ca: ca.cert, cert: `${server.cert}${ca.cert}`, key: server.key, secureOptions }
}

function patienceOf({ patience }: ListenOptions): Patience {
  return { ...usualPatience, ...patience }
}

/** One open exchange: how to end it when the server closes. */
interface Exchange {
  readonly response: ServerResponse
  readonly aborter: AbortController
  /** Whether it has begun to answer chunk by chunk, so that only an abort ends it. */
  streaming: boolean
  /** Whether it counts among those that are bounded. */
  inFlight: boolean
  /** Whether its body is taken while it is answered. */
  hasInput: boolean
}

type Chunks = AsyncIterable<string | Uint8Array>

class Front {
  readonly #server: Server
  readonly #options: ListenOptions
  readonly #exchanges = new Set<Exchange>()
  readonly #upgraded = new Set<Duplex>()
  readonly #patience: Patience
  /** Those of a connection that are not answered to their end. */
  readonly #bySocket = new WeakMap<Duplex, Set<Exchange>>()
  readonly #refused = new WeakSet<Duplex>()
  #inFlight = 0
  readonly #frames = new ChunkFrames()
  #closing: Promise<void> | undefined

  constructor(server: Server, options: ListenOptions) {
    this.#server = server
    this.#options = options
    this.#patience = patienceOf(options)
  }

  attach(): void {
    const { log } = this.#options
    const server = this.#server
    server.on('request', (request, response) => void this.#serve(request, response))
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head))
    server.on('drop', () => log.debug('connection refused: there are too many'))
    server.on('error', (error) => log.error('listener failed', { error: messageOf(error) }))
    server.on('tlsClientError', (error) => log.debug('TLS handshake failed', { error: messageOf(error) }))
    server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
      log.debug('malformed request', { error: messageOf(error) })
      this.#refuse(error.code, socket)
    })
  }

  /** What came is no request, or came too slowly. Behind an answer that has begun nothing can be said. */
  #refuse(code: string | undefined, socket: Duplex): void {
    if (this.#refused.has(socket)) return
    this.#refused.add(socket)
    const begun = [...(this.#bySocket.get(socket) ?? [])].some(({ response }) => response.headersSent)
    if (code === 'ECONNRESET' || !socket.writable || begun) socket.destroy()
    else this.#endSoon(socket, refusalText(code))
  }

  /** Whoever does not close as well is left alone after a while. */
  #endSoon(socket: Duplex, last: string | Uint8Array): void {
    const cancel = this.#options.clock.after(this.#patience.lingerMs, () => socket.destroy())
    socket.once('close', cancel)
    socket.end(last)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const server = this.#server
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const exchange of this.#exchanges) if (exchange.streaming) exchange.aborter.abort()
    for (const socket of this.#upgraded) socket.destroy()
    server.closeIdleConnections()
    const cancel = this.#options.clock.after(closeGraceMs, () => {
      for (const exchange of this.#exchanges) exchange.aborter.abort()
      server.closeAllConnections()
    })
    await closed
    cancel()
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange: Exchange = {
      response,
      aborter: new AbortController(),
      streaming: false,
      inFlight: true,
      hasInput: false,
    }
    const { log } = this.#options
    const onSocket = this.#bySocket.get(incoming.socket) ?? new Set()
    this.#bySocket.set(incoming.socket, onSocket.add(exchange))
    this.#exchanges.add(exchange)
    this.#inFlight++
    response.once('close', () => {
      if (!response.writableFinished) exchange.aborter.abort()
      this.#exchanges.delete(exchange)
      onSocket.delete(exchange)
      this.#settle(exchange)
    })
    response.on('error', (error) => log.debug('connection lost', { error: messageOf(error) }))
    try {
      await this.#send(exchange, incoming, await this.#answer(incoming, exchange))
    } catch (error) {
      log.warn('answer broken off', { path: incoming.url, error: messageOf(error) })
      response.destroy()
    }
  }

  #settle(exchange: Exchange): void {
    if (exchange.inFlight) this.#inFlight--
    exchange.inFlight = false
  }

  /** As in Kubernetes, administrators and probes of the server's health get through. */
  #mustHaveRoom(incoming: IncomingMessage, { groups }: UserInfo): void {
    if (this.#inFlight <= this.#patience.maxInFlight || groups.includes(adminGroup)) return
    if (/^\/(?:livez|readyz|healthz)(?:[/?]|$)/.test(incoming.url ?? '')) return
    const message = 'the server is handling too many requests, please try again later'
    throw new StatusError('TooManyRequests', message, { retryAfterSeconds: 1 })
  }

  async #answer(incoming: IncomingMessage, exchange: Exchange): Promise<ApiResponse> {
    const { handler, log } = this.#options
    const bare = bareRequest(incoming, exchange.aborter.signal)
    try {
      const user = this.#authenticate(incoming, bare)
      this.#mustHaveRoom(incoming, user)
      const target = splitTarget(incoming.url ?? '')
      return await handler(
        { ...bare, ...target, ...(await this.#contentOf(incoming, target.path, exchange)) },
        user,
      )
    } catch (error) {
      const answer = answerFor(error, bare, log)
      return error instanceof LateBody ? { ...answer, status: 408 } : answer
    }
  }

  async #contentOf(
    incoming: IncomingMessage,
    path: string,
    exchange: Exchange,
  ): Promise<Pick<ApiRequest, 'body' | 'input'>> {
    const { clock, takesInput } = this.#options
    const { requestMs, senderMs } = this.#patience
    if (takesInput?.(incoming.method ?? '', path) !== true) {
      const body = await bodyOf(incoming, { clock, ms: requestMs })
      return body === undefined ? {} : { body }
    }
    // It may last as long as a stream does, and ends as one when the server closes.
    exchange.hasInput = true
    exchange.streaming = true
    this.#settle(exchange)
    return { input: inputOf(incoming, { clock, ms: senderMs }) }
  }

  #authenticate(incoming: IncomingMessage, bare: ApiRequest): UserInfo {
    const { authenticate, onUnauthenticated } = this.#options
    try {
      return authenticate(tlsSocket(incoming.socket), incoming.headers)
    } catch (error) {
      onUnauthenticated?.(bare, error)
      throw error
    }
  }

  async #send(exchange: Exchange, incoming: IncomingMessage, answer: ApiResponse): Promise<void> {
    const { response, aborter } = exchange
    // A body that was not read to its end would be taken for the next request.
    const last = this.#closing !== undefined || !incoming.complete
    const refuses = !exchange.hasInput || isWhole(answer.body)
    if (!incoming.complete && refuses && this.#bySocket.get(incoming.socket)?.size === 1) {
      await this.#answerEarly(incoming, answer)
      return
    }
    const headers = { ...answer.headers, ...(last && { connection: 'close' }) }
    if (isWhole(answer.body)) {
      const { body, headers: more } = await compress(answer.body, incoming.headers, headers)
      response.writeHead(answer.status, { ...more, ...lengthOf(answer.status, body) })
      await this.#end(exchange, incoming.method === 'HEAD' ? '' : body)
      return
    }
    exchange.streaming = true
    this.#settle(exchange)
    if (this.#closing !== undefined) aborter.abort()
    response.writeHead(answer.status, headers)
    if (incoming.method === 'HEAD') {
      await discard(answer.body)
    } else {
      response.flushHeaders()
      await this.#stream(exchange, answer.body, answer.readerMs)
    }
    response.end()
  }

  /** Large bodies go piece by piece, and nobody may hold one for ever by not reading it. */
  async #end({ response, aborter }: Exchange, body: string | Uint8Array): Promise<void> {
    if (body.length <= pieceBytes) {
      response.end(body)
      return
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    const wait = this.#waitAtMost(this.#patience.readerMs)
    await writeChunks(response, inPieces(bytes), aborter.signal, { wait })
    response.end()
  }

  #waitAtMost(ms: number): (target: Writable) => Promise<void> {
    return (target) => drainedWithin(target, this.#options.clock, ms)
  }

  /**
   * To a request that is still being sent. Closing at once would reset the connection, and the client would never see
   * why: the answer ends our half, and the rest is read for a while.
   */
  async #answerEarly(incoming: IncomingMessage, answer: ApiResponse): Promise<void> {
    const { socket } = incoming
    socket.end(await refusalBytes(answer))
    const limits = { ms: this.#patience.lingerMs, bytes: 5 * maxBodyBytes }
    await readRest(incoming, this.#options.clock, limits)
    socket.destroySoon()
  }

  /**
   * The frames of the chunked coding are made here and not by Node, which would send three pieces for every chunk. Not
   * for HTTP/1.0, which has no chunks.
   */
  async #stream({ response, aborter: { signal } }: Exchange, body: Chunks, readerMs: number | undefined) {
    const how = readerMs === undefined ? {} : { wait: this.#waitAtMost(readerMs) }
    if (!response.chunkedEncoding) return writeChunks(response, body, signal, how)
    response.chunkedEncoding = false
    await writeChunks(response, body, signal, { ...how, frame: (chunk) => this.#frames.of(chunk) })
    // The end is Node's again: it writes the last, empty chunk.
    response.chunkedEncoding = true
  }

  async #upgrade(incoming: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { log } = this.#options
    const aborter = new AbortController()
    this.#upgraded.add(socket)
    socket.once('close', () => {
      this.#upgraded.delete(socket)
      aborter.abort()
    })
    socket.on('error', (error) => log.debug('upgraded connection lost', { error: messageOf(error) }))
    if (this.#closing !== undefined) socket.destroy()
    const refusal = await this.#negotiate(incoming, socket, head, aborter.signal)
    if (refusal !== undefined) this.#endSoon(socket, await refusalBytes(refusal))
  }

  async #negotiate(
    incoming: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    signal: AbortSignal,
  ): Promise<ApiResponse | undefined> {
    const { onUpgrade, log } = this.#options
    const bare = bareRequest(incoming, signal)
    try {
      const user = this.#authenticate(incoming, bare)
      const request = { ...bare, ...splitTarget(incoming.url ?? '') }
      if (onUpgrade === undefined) throw noUpgrade()
      return await onUpgrade({ request, user, socket, head })
    } catch (error) {
      return answerFor(error, bare, log)
    }
  }
}

export function noUpgrade(): StatusError {
  return new StatusError('NotFound', 'the server could not find the requested resource')
}
