/**
 * WebSockets of clients: the handshake on a socket that asks for one, and from there on binary messages in both
 * directions at the pace of the slower side. The only file that knows the library.
 */
import { type RawData, type WebSocket, WebSocketServer } from 'ws'
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Upgrade } from '../door/listen.ts'
import { Inbox } from './inbox.ts'

export interface MessageSocket {
  /** Each message's bytes, until the client has closed. */
  readonly messages: AsyncIterable<Uint8Array>
  /** One binary message. Resolves when more may be sent; ignored when the client has gone. */
  send(data: Uint8Array): Promise<void>
  /** Closes with code 1000. Resolves when it is closed, or the client has not answered for a while. */
  close(): Promise<void>
}

/** A longer message breaks the connection. */
export const maxMessageBytes = 16 * 1024 * 1024
/** What may wait to be sent before the sender is held. */
const sendRoomBytes = 512 * 1024
/**
 * kubectl begins to read before it knows its own streams: what comes together with the answer to the handshake is
 * dropped by it now and then.
 */
const firstFrameDelayMs = 20
const beatMs = 10_000
/** Beats without a sign of life from a client that is being read. */
const patienceBeats = 6
const closeGraceMs = 5_000

export function isWebSocket({ request }: Pick<Upgrade, 'request'>): boolean {
  return request.method === 'GET' && request.headers['upgrade']?.toLowerCase() === 'websocket'
}

/** The subprotocols that the client offers, in its order. */
export function offeredProtocols({ request }: Pick<Upgrade, 'request'>): string[] {
  const header = request.headers['sec-websocket-protocol'] ?? ''
  return header
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
}

/** Throws BadRequest for a handshake that is none; then nothing has been sent. */
export function checkHandshake({ request: { headers } }: Pick<Upgrade, 'request'>): void {
  const key = headers['sec-websocket-key'] ?? ''
  if (!/^[+/0-9A-Za-z]{22}==$/.test(key))
    throw badRequest('the Sec-WebSocket-Key header is missing or malformed')
  if (headers['sec-websocket-version'] !== '13')
    throw badRequest('only version 13 of WebSocket is spoken here')
}

/** Completes the handshake with `protocol`. The handshake must have been checked. */
export function acceptWebSocket(upgrade: Upgrade, protocol: string, clock: Clock): Promise<MessageSocket> {
  // The library knows only the names that RFC 6455 allows, and "SPDY/3.1+portforward.k8s.io" is none of them.
  const {
    'sec-websocket-protocol': _offered,
    'sec-websocket-extensions': _extensions,
    ...headers
  } = upgrade.request.headers
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  })
  server.on('headers', (lines) => lines.push(`Sec-WebSocket-Protocol: ${protocol}`))
  return new Promise((resolve, reject) => {
    if (upgrade.request.signal.aborted) {
      reject(new StatusError('Timeout', 'the client has gone'))
      return
    }
    server.once('wsClientError', reject)
    // It reads nothing but method and headers of the request, which Node's server has let go of.
    const incoming = { method: 'GET', headers } as Parameters<WebSocketServer['handleUpgrade']>[0]
    server.handleUpgrade(incoming, upgrade.socket, Buffer.from(upgrade.head), (socket) =>
      resolve(new Connection(socket, clock)),
    )
  })
}

class Connection implements MessageSocket {
  readonly messages = new Inbox()
  readonly #socket: WebSocket
  readonly #clock: Clock
  readonly #opened: Promise<void>
  readonly #closed = new AbortController()
  #cancelBeat: () => void = () => {}
  #silentBeats = 0

  constructor(socket: WebSocket, clock: Clock) {
    this.#socket = socket
    this.#clock = clock
    socket.binaryType = 'nodebuffer'
    socket.on('message', (data) => this.#receive(data))
    socket.on('pong', () => this.#heard())
    // A close event follows, which ends everything.
    socket.on('error', (error) => this.#fail(error))
    socket.once('close', () => this.#end())
    this.#opened = sleep(clock, firstFrameDelayMs, this.#closed.signal).catch(() => this.#mustBeClosed())
    this.#beat()
  }

  async send(data: Uint8Array): Promise<void> {
    await this.#opened
    const socket = this.#socket
    if (socket.readyState !== socket.OPEN) return
    const sent = new Promise<void>((resolve) => {
      socket.send(data, { binary: true }, () => resolve())
    })
    if (socket.bufferedAmount > sendRoomBytes) await sent
  }

  async close(): Promise<void> {
    await this.#opened
    const socket = this.#socket
    await this.messages.return()
    if (socket.isPaused) socket.resume()
    if (socket.readyState === socket.CLOSED) return
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    const giveUp = this.#clock.after(closeGraceMs, () => socket.terminate())
    socket.close(1000)
    await gone
    giveUp()
  }

  #receive(data: RawData): void {
    this.#heard()
    this.messages.push(bytesOf(data))
    const room = this.messages.room()
    if (room === undefined || this.#socket.isPaused) return
    this.#socket.pause()
    void room.then(() => this.#socket.resume())
  }

  #heard(): void {
    this.#silentBeats = 0
  }

  /**
   * Keeps what stands in between from closing a quiet connection. While a client is held because nobody takes its
   * input its pings are not read, so it is sent answers that it did not ask for: else it would give up.
   */
  #beat(): void {
    const socket = this.#socket
    this.#cancelBeat = this.#clock.after(beatMs, () => {
      if (!socket.isPaused) this.#silentBeats++
      if (this.#silentBeats > patienceBeats) {
        socket.terminate()
        return
      }
      if (socket.readyState === socket.OPEN) {
        socket.ping()
        if (socket.isPaused) socket.pong()
      }
      this.#beat()
    })
  }

  #fail(error: Error): void {
    this.#closed.abort(
      new StatusError('BadRequest', `the WebSocket broke: ${messageOf(error)}`, {}, { cause: error }),
    )
  }

  #end(): void {
    this.#cancelBeat()
    this.#closed.abort()
    this.messages.end()
  }

  #mustBeClosed(): void {
    if (!this.#closed.signal.aborted) throw new StatusError('InternalError', 'a wait ended before its time')
  }
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data
}
