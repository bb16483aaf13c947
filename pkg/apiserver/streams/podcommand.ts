/**
 * Exec and attach of a client, whichever of the two protocols it speaks: what the node sends in frames goes to the
 * client's streams, and what the client sends becomes frames. It ends with exactly one Status to the client.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  encodeEnd,
  encodeFrame,
  type Frame,
  failureStatus,
} from '#pkg/apimachinery/frames.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { merged } from './inbox.ts'
import { type BytePipe, SpdyConnection, type SpdyStream } from './spdyconnection.ts'
import type { MessageSocket } from './websocket.ts'

/** Where what the command writes goes. */
interface CommandClient {
  write(channel: 1 | 2, data: Uint8Array): Promise<void>
  /** JSON of the final Status; nothing is written after it. */
  finish(status: Uint8Array): Promise<void>
}

/** Which streams the client has asked for. */
export interface WantedStreams {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  readonly tty: boolean
}

const streamsWithinMs = 30_000
const goodbyeWithinMs = 5_000
/** A size of a terminal is much shorter. */
const maxResizeText = 1024

/** The frames of a WebSocket that speaks vN.channel.k8s.io: each message begins with its channel. */
export async function* channelInput(socket: MessageSocket): AsyncGenerator<Uint8Array, undefined> {
  for await (const message of socket.messages) {
    const [channel, ended] = message
    const data = message.subarray(1)
    if (channel === channels.stdin && data.length > 0) yield encodeFrame(channels.stdin, data)
    if (channel === channels.resize && data.length > 0) yield encodeFrame(channels.resize, data)
    if (channel === channels.end && ended === channels.stdin) yield encodeEnd(channels.stdin)
  }
  return undefined
}

/** Resolves when the client has been told how it ended. */
export async function serveChannels(socket: MessageSocket, body: ApiResponse['body']): Promise<void> {
  const send = (channel: number, data: Uint8Array) =>
    socket.send(Buffer.concat([Uint8Array.of(channel), data]))
  await pump(body, { write: send, finish: (status) => send(channels.status, status) })
  await socket.close()
}

/** The streams of one command over SPDY. */
export class SpdyCommand {
  readonly #connection: SpdyConnection
  readonly #pipe: BytePipe
  readonly #clock: Clock
  readonly #wanted: readonly string[]
  readonly #streams = new Map<string, SpdyStream>()
  readonly #complete = Promise.withResolvers<ReadonlyMap<string, SpdyStream>>()

  constructor(pipe: BytePipe, wanted: WantedStreams, clock: Clock) {
    this.#pipe = pipe
    this.#clock = clock
    this.#wanted = [
      'error',
      ...(wanted.stdin ? ['stdin'] : []),
      ...(wanted.stdout ? ['stdout'] : []),
      ...(wanted.stderr && !wanted.tty ? ['stderr'] : []),
      ...(wanted.tty ? ['resize'] : []),
    ]
    this.#connection = new SpdyConnection(pipe, (stream) => this.#take(stream))
  }

  /** What the client sends, once it has opened its streams. */
  async *input(): AsyncGenerator<Uint8Array, undefined> {
    const streams = await this.#complete.promise
    const sources = [stdinOf(streams.get('stdin')), resizesOf(streams.get('resize'))]
    yield* merged(...sources)
    return undefined
  }

  /** Resolves when the client has been told how it ended and has gone. Throws when it does not open its streams. */
  async serve(body: ApiResponse['body']): Promise<void> {
    const reading = this.#connection.run().then(
      () => this.#complete.reject(badRequest('the client has gone before it opened its streams')),
      (error: unknown) => this.#complete.reject(error),
    )
    const late = () => this.#complete.reject(badRequest('the client has not opened its streams in time'))
    const giveUp = this.#clock.after(streamsWithinMs, late)
    try {
      const streams = await this.#complete.promise
      await pump(body, {
        write: async (channel, data) => streams.get(channel === 1 ? 'stdout' : 'stderr')?.write(data),
        finish: async (status) => streams.get('error')?.write(status),
      })
      for (const stream of streams.values()) await stream.end()
      await this.#goodbye(reading)
    } finally {
      giveUp()
      await this.#pipe.close()
    }
  }

  /** The client reads to the end of all streams and closes the connection itself. */
  async #goodbye(reading: Promise<void>): Promise<void> {
    for (const stream of this.#streams.values()) await stream.input.return()
    const late = Promise.withResolvers<void>()
    const cancel = this.#clock.after(goodbyeWithinMs, late.resolve)
    await Promise.race([reading, late.promise])
    cancel()
  }

  #take(stream: SpdyStream): void {
    const type = stream.headers['streamtype'] ?? ''
    this.#streams.set(type, stream)
    if (this.#wanted.every((name) => this.#streams.has(name))) this.#complete.resolve(this.#streams)
  }
}

async function* stdinOf(stream: SpdyStream | undefined): AsyncGenerator<Uint8Array, undefined> {
  if (stream === undefined) return undefined
  for await (const data of stream.input) yield encodeFrame(channels.stdin, data)
  yield encodeEnd(channels.stdin)
  return undefined
}

/** Sizes come as JSON documents one after the other, and may be cut anywhere. */
async function* resizesOf(stream: SpdyStream | undefined): AsyncGenerator<Uint8Array, undefined> {
  if (stream === undefined) return undefined
  let text = ''
  for await (const data of stream.input) {
    text += Buffer.from(data).toString()
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      yield encodeFrame(channels.resize, Buffer.from(text.slice(0, end + 1).trim()))
      text = text.slice(end + 1)
    }
    if (text.length > maxResizeText) text = ''
  }
  return undefined
}

/** Whatever happens, the client gets one Status. */
async function pump(body: ApiResponse['body'], client: CommandClient): Promise<void> {
  let status: Uint8Array | undefined
  try {
    for await (const frame of decodeFrames(chunksOf(body))) {
      if (isOutput(frame)) await client.write(frame.channel, frame.data)
      if (frame.channel === channels.status) status = frame.data
    }
    await client.finish(status ?? statusOf(badRequest('the node ended the streams without saying how')))
  } catch (error) {
    await client.finish(status ?? statusOf(error))
  }
}

function isOutput(frame: Frame): frame is Frame & { readonly channel: 1 | 2 } {
  return (frame.channel === channels.stdout || frame.channel === channels.stderr) && frame.data.length > 0
}

function statusOf(error: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(failureStatus(error)))
}

async function* chunksOf(body: ApiResponse['body']): AsyncGenerator<string | Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield body
  else yield* body
}
