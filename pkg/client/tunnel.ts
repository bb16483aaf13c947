/**
 * The agent's end of the tunnel: dials the API server, serves the agent's Handler as HTTP/2 on that socket, and
 * dials again when it breaks, for as long as the agent lives. The agent needs no open port.
 */
import { constants, performServerHandshake, type ServerHttp2Stream } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import type { Duplex } from 'node:stream'
import { type Clock, type Logger, type Random, sleep } from '#pkg/apimachinery/ambient.ts'
import { fromStatus, isAbort, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import {
  hasInput,
  keepAlive,
  sessionWindowBytes,
  streamWindowBytes,
  tunnelHeaders,
  tunnelPath,
  tunnelProtocol,
} from '#pkg/apimachinery/tunnel.ts'
import { isWhole, plainHeaders, readBody, splitTarget, writeChunks } from '#pkg/apimachinery/wire.ts'
import type { ClientIdentity } from './https.ts'

/** Opens a socket on which the API server will ask. Fails with the server's StatusError when it refuses. */
export type Dial = (signal: AbortSignal) => Promise<Duplex>

export interface ThroughTunnelOptions {
  readonly dial: Dial
  /** Answers what the API server asks. */
  readonly handler: Handler
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Ends the tunnel. */
  readonly signal: AbortSignal
}

const firstDelayMs = 500
const longestDelayMs = 30_000
/** A tunnel that held this long was a good one: the next break starts from the first delay again. */
const goodAfterMs = 60_000
const dialWithinMs = 20_000

/** The tunnel ends at the server, so it is the server who asks. */
const apiServer: UserInfo = { name: 'system:apiserver', groups: ['system:masters'] }

/** Keeps a tunnel open until `signal` aborts; then resolves. */
export async function serveThroughTunnel(options: ThroughTunnelOptions): Promise<void> {
  const { clock, random, log, signal } = options
  for (let failures = 0; !signal.aborted; failures++) {
    const began = clock.now()
    const error = await serveOnce(options)
    if (signal.aborted) return
    if (clock.now() - began >= goodAfterMs) failures = 0
    const delay = backoff(failures, random)
    log.warn('tunnel to the API server is down', { error: messageOf(error), retryInMs: Math.round(delay) })
    if (!(await wait(options, delay))) return
  }
}

/** Half of an exponentially growing delay, and a random part of the other half: agents do not come back all at once. */
export function backoff(failures: number, random: Random): number {
  const full = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 10))
  return full / 2 + (full / 2) * random.next()
}

/** False when the signal has ended the wait. */
async function wait({ clock, signal }: ThroughTunnelOptions, delay: number): Promise<boolean> {
  try {
    await sleep(clock, delay, signal)
    return true
  } catch (error) {
    if (signal.aborted) return false
    throw error
  }
}

/** Resolves with what ended the tunnel. */
async function serveOnce(options: ThroughTunnelOptions): Promise<unknown> {
  try {
    const socket = await options.dial(options.signal)
    return await serveSocket(socket, options)
  } catch (error) {
    return error
  }
}

function serveSocket(socket: Duplex, options: ThroughTunnelOptions): Promise<unknown> {
  const { clock, log, signal } = options
  return new Promise((resolve) => {
    const session = performServerHandshake(socket, { settings: { initialWindowSize: streamWindowBytes } })
    session.setLocalWindowSize(sessionWindowBytes)
    let reason: unknown = new StatusError('ServiceUnavailable', 'the API server closed the tunnel')
    const stop = () => session.destroy()
    session.on('stream', (stream, headers) => void serveStream(stream, headers, options))
    session.on('error', (error) => {
      reason = error
    })
    session.once('close', () => {
      signal.removeEventListener('abort', stop)
      socket.destroy()
      resolve(reason)
    })
    socket.on('error', (error) => {
      reason = error
    })
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    keepAlive(session, clock)
    log.info('tunnel to the API server is up')
  })
}

type IncomingHeaders = Readonly<Record<string, string | string[] | undefined>>

async function serveStream(
  stream: ServerHttp2Stream,
  headers: IncomingHeaders,
  { handler, log }: ThroughTunnelOptions,
): Promise<void> {
  const aborter = new AbortController()
  stream.once('close', () => aborter.abort())
  stream.on('error', (error) => log.debug('tunnelled request broke off', { error: messageOf(error) }))
  try {
    const answer = await answerStream(stream, headers, handler, aborter.signal, log)
    if (!stream.destroyed) await sendAnswer(stream, answer, aborter.signal)
  } catch (error) {
    if (!aborter.signal.aborted) log.warn('answer broken off', { error: messageOf(error) })
    if (!stream.destroyed) stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }
}

async function answerStream(
  stream: ServerHttp2Stream,
  headers: IncomingHeaders,
  handler: Handler,
  signal: AbortSignal,
  log: Logger,
): Promise<ApiResponse> {
  try {
    const streaming = hasInput(headers)
    const body = streaming ? undefined : await readBody(stream)
    const request: ApiRequest = {
      method: String(headers[':method'] ?? 'GET'),
      ...splitTarget(String(headers[':path'] ?? '')),
      headers: plainHeaders(headers),
      ...(body !== undefined && { body }),
      ...(streaming && { input: readInput(stream) }),
      signal,
    }
    return await handler(request, apiServer)
  } catch (error) {
    return failure(error, signal, log)
  }
}

/**
 * What the asker goes on to send. Ends only when it has said so: a stream that was reset looks ended too, and would
 * make half of an input the whole.
 */
async function* readInput(stream: ServerHttp2Stream): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) yield chunk
  } catch (cause) {
    throw inputBroke(cause)
  }
  if ((stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR) throw inputBroke(stream.rstCode)
}

function inputBroke(cause: unknown): StatusError {
  return new StatusError('ServiceUnavailable', 'the input broke off: the asker is gone', {}, { cause })
}

function failure(error: unknown, signal: AbortSignal, log: Logger): ApiResponse {
  const known = error instanceof StatusError
  if (!known && !(signal.aborted && isAbort(error)))
    log.error('tunnelled request failed unexpectedly', { error: messageOf(error) })
  const status = known ? error : new StatusError('InternalError', `the agent failed: ${messageOf(error)}`)
  const body = JSON.stringify(status.toStatus())
  return { status: status.code, headers: { 'content-type': 'application/json' }, body }
}

async function sendAnswer(
  stream: ServerHttp2Stream,
  answer: ApiResponse,
  signal: AbortSignal,
): Promise<void> {
  stream.respond({ ':status': answer.status, ...tunnelHeaders(answer.headers) })
  if (!isWhole(answer.body)) await writeChunks(stream, answer.body, signal)
  stream.end(isWhole(answer.body) ? answer.body : undefined)
}

export interface DialOptions {
  /** Such as https://cove.example:6443. */
  readonly server: string
  readonly nodeName: string
  /** PEM: whom to trust. */
  readonly ca: string
  /** The node's own; asked for at each dial, so that a renewed one is used. */
  readonly identity: () => ClientIdentity
  readonly clock: Clock
}

/** Dials over HTTPS with the node's certificate. */
export function dialTunnel(options: DialOptions): Dial {
  const { ca, identity, clock } = options
  const url = new URL(tunnelPath(options.nodeName), options.server)
  const headers = { connection: 'Upgrade', upgrade: tunnelProtocol }
  return (signal) =>
    new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const request = httpsRequest(url, { ca, ...identity(), headers, agent: false })
      const slow = new StatusError('Timeout', `${options.server} did not answer within ${dialWithinMs} ms`)
      const cancel = clock.after(dialWithinMs, () => request.destroy(slow))
      const giveUp = () => request.destroy(abortReason(signal))
      const settle = () => {
        cancel()
        signal.removeEventListener('abort', giveUp)
      }
      signal.addEventListener('abort', giveUp, { once: true })
      request.once('upgrade', (_response, socket, head) => {
        settle()
        if (head.length > 0) socket.unshift(head)
        resolve(socket)
      })
      request.once('response', (response) => {
        settle()
        readBody(response).then((body) => reject(refusal(response.statusCode ?? 500, body)), reject)
      })
      request.on('error', (error) => {
        settle()
        reject(dialError(error, options.server))
      })
      request.end()
    })
}

function abortReason(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('dialling was given up')
}

function dialError(error: Error, server: string): Error {
  if (error instanceof StatusError || isAbort(error)) return error
  const message = `cannot reach the API server at ${server}: ${error.message}`
  return new StatusError('ServiceUnavailable', message, {}, { cause: error })
}

/** The server says why in a Status; anything else in its place is quoted. */
function refusal(code: number, body: Uint8Array | undefined): StatusError {
  const text = Buffer.from(body ?? new Uint8Array()).toString('utf8')
  return fromStatus({ code, message: `the API server refused the tunnel: ${messageIn(text)}` })
}

function messageIn(text: string): string {
  try {
    const status: unknown = JSON.parse(text)
    if (typeof status === 'object' && status !== null && 'message' in status) return String(status.message)
    return text.slice(0, 200)
  } catch (error) {
    return `${text.slice(0, 200)} (${messageOf(error)})`
  }
}
