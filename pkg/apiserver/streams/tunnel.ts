/**
 * The server's end of tunnels: takes over the socket of an agent that dialled in, speaks HTTP/2 over it as the one
 * who asks, and registers it as the way to that node for as long as it lives.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock, Logger } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { inputHeader, inputStream } from '#pkg/apimachinery/frames.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'
import {
  keepAlive,
  sessionWindowBytes,
  streamWindowBytes,
  tunnelHeaders,
  tunnelProtocol,
} from '#pkg/apimachinery/tunnel.ts'
import { joinTarget, plainHeaders, writeChunks } from '#pkg/apimachinery/wire.ts'
import type { Guard } from '../access/authorize.ts'
import { noUpgrade, type OnUpgrade } from '../door/listen.ts'
import type { NodeConnections } from './proxy.ts'

export interface TunnelOptions {
  readonly connections: NodeConnections
  readonly clock: Clock
  readonly log: Logger
  readonly guard: Guard
}

const switching = `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${tunnelProtocol}\r\n\r\n`
/** Where an agent dials in. */
export const tunnelPath = /^\/apis\/cove\.run\/v1\/nodes\/([^/]+)\/tunnel$/

/** Takes `Upgrade: cove-tunnel` of a node's own agent; refuses everything else with a Status. */
export function acceptTunnels(options: TunnelOptions): OnUpgrade {
  const { guard } = options
  return ({ request, user, socket, head }) => {
    const match = tunnelPath.exec(request.path)
    if (match === null) throw noUpgrade()
    guard(request, user)
    const asked = request.headers['upgrade'] ?? ''
    if (asked.toLowerCase() !== tunnelProtocol)
      throw new StatusError('BadRequest', `cannot upgrade to "${asked}": this path speaks ${tunnelProtocol}`)
    const nodeName = decodeURIComponent(match[1] ?? '')
    if (head.length > 0) socket.unshift(head)
    // HTTP/2 takes the connection over below the socket's own buffers, so nothing may be left in them.
    socket.write(switching, (error) => {
      if (!error && !socket.destroyed) open(nodeName, socket, options)
    })
    return undefined
  }
}

function open(nodeName: string, socket: Duplex, { connections, clock, log }: TunnelOptions): void {
  const session = connect('http://agent', {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: streamWindowBytes },
  })
  session.once('connect', () => session.setLocalWindowSize(sessionWindowBytes))
  const unregister = connections.register(nodeName, overSession(session, nodeName))
  keepAlive(session, clock)
  log.info('node connected', { node: nodeName })
  session.on('error', (error) => log.warn('tunnel broke', { node: nodeName, error: messageOf(error) }))
  // A peer that says it will take no more requests has to be left at once, not when its last stream ends.
  session.once('goaway', unregister)
  session.once('close', () => {
    unregister()
    socket.destroy()
    log.info('node disconnected', { node: nodeName })
  })
}

/** Requests over one HTTP/2 session. Fails with ServiceUnavailable when the session does. */
export function overSession(session: ClientHttp2Session, nodeName: string): Transport {
  return (request) =>
    new Promise((resolve, reject) => {
      request.signal.throwIfAborted()
      const lost = (cause?: unknown) =>
        request.signal.aborted ? request.signal.reason : unreachable(nodeName, cause)
      if (session.closed || session.destroyed) throw lost()
      const stream = session.request({
        ...tunnelHeaders(request.headers),
        ...(request.input !== undefined && { [inputHeader]: inputStream }),
        ':method': request.method,
        ':path': joinTarget(request.path, request.query),
      })
      const giveUp = () => reset(stream)
      request.signal.addEventListener('abort', giveUp, { once: true })
      stream.once('response', (headers) => resolve(responseOf(stream, headers, request, nodeName)))
      stream.on('error', (error) => reject(lost(error)))
      stream.once('close', () => {
        request.signal.removeEventListener('abort', giveUp)
        reject(lost())
      })
      if (request.input === undefined) stream.end(request.body)
      else void send(stream, request.input, request.signal)
    })
}

/**
 * What the asker goes on to send. The end of its input ends the stream's one direction; an input that fails, both:
 * what was sent is not the whole.
 */
async function send(
  stream: ClientHttp2Stream,
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  try {
    await writeChunks(stream, input, signal)
    if (!stream.destroyed) stream.end()
  } catch (error) {
    stream.destroy(error instanceof Error ? error : new Error(messageOf(error)))
  }
}

function responseOf(
  stream: ClientHttp2Stream,
  headers: Readonly<Record<string, string | string[] | number | undefined>>,
  request: ApiRequest,
  nodeName: string,
): ApiResponse {
  const { ':status': status, ...rest } = headers
  const isWhole = watchEnd(stream)
  const texts = Object.entries(rest).map(([name, value]) => [name, String(value ?? '')])
  return {
    status: Number(status),
    headers: tunnelHeaders(plainHeaders(Object.fromEntries(texts))),
    body: {
      [Symbol.asyncIterator]: () => {
        const chunks = read({ stream, isWhole, nodeName }, request.signal)
        return {
          next: () => chunks.next(),
          return: () => {
            reset(stream)
            return chunks.return(undefined)
          },
        }
      },
    },
  }
}

/**
 * Tells, once the stream has ended, whether the peer has said so. A stream that is torn down with its session, or was
 * reset, may look ended too, and would make a part of an answer the whole.
 */
function watchEnd(stream: ClientHttp2Stream): () => boolean {
  let whole = false
  stream.once('end', () => {
    whole = !stream.destroyed && (stream.rstCode ?? 0) === constants.NGHTTP2_NO_ERROR
  })
  return () => whole
}

interface Answering {
  readonly stream: ClientHttp2Stream
  readonly isWhole: () => boolean
  readonly nodeName: string
}

/** Ends quietly when the asker has gone; throws when the node has. */
async function* read(
  { stream, isWhole, nodeName }: Answering,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of stream) yield Buffer.from(chunk)
  } catch (error) {
    if (!signal.aborted) throw unreachable(nodeName, error)
    return undefined
  }
  if (!isWhole() && !signal.aborted) throw unreachable(nodeName, stream.rstCode)
  return undefined
}

function unreachable(nodeName: string, cause?: unknown): StatusError {
  return new StatusError(
    'ServiceUnavailable',
    `node "${nodeName}" cannot be reached: the connection to its agent broke`,
    {},
    { cause },
  )
}

/** Not `close`: that would first say that the input has come to its end. */
function reset(stream: ClientHttp2Stream): void {
  stream.destroy(new Error('the asker has gone'))
}
