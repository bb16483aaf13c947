/**
 * One SPDY connection of a client, over its socket or within a WebSocket: accepts the streams that the client opens
 * and carries their bytes. A stream that nobody reads holds back the whole connection, since SPDY/3.1 as it is spoken
 * here has no other way; every client of it knows that.
 */
import type { Duplex } from 'node:stream'
import { createInflate, type Inflate } from 'node:zlib'
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { Inbox } from './inbox.ts'
import {
  controlFrame,
  dataFrame,
  frameTypes,
  headerBlockOf,
  isFin,
  readHeaders,
  rstStream,
  type SpdyFrame,
  SpdyParser,
  streamIdOf,
  synReply,
} from './spdy.ts'
import { spdyDictionary } from './spdydictionary.ts'

/** Bytes in both directions. */
export interface BytePipe {
  readonly input: AsyncIterable<Uint8Array>
  /** Resolves when more may be written; ignored when the other side has gone. */
  write(data: Uint8Array): Promise<void>
  close(): Promise<void>
}

const maxStreams = 2000
const maxHeaderBytes = 256 * 1024
/** Of a RST_STREAM: the stream is not wanted. */
const refusedStream = 3

export class SpdyStream {
  readonly id: number
  readonly headers: Readonly<Record<string, string>>
  /** What the client sends on it; ends with its half of the stream. */
  readonly input = new Inbox()
  readonly #reset = new AbortController()
  readonly #pipe: BytePipe
  #ended = false

  constructor(id: number, headers: Readonly<Record<string, string>>, pipe: BytePipe) {
    this.id = id
    this.headers = headers
    this.#pipe = pipe
  }

  /** Aborts when the client wants nothing more of it, in either direction. */
  get signal(): AbortSignal {
    return this.#reset.signal
  }

  async write(data: Uint8Array): Promise<void> {
    if (!this.#ended && data.length > 0) await this.#pipe.write(dataFrame(this.id, data))
  }

  /** Our half is over. May be called again. */
  async end(): Promise<void> {
    if (this.#ended) return
    this.#ended = true
    await this.#pipe.write(dataFrame(this.id, new Uint8Array(), true))
  }

  /** The client has ended it, or has gone. */
  cancel(): void {
    this.#ended = true
    this.input.end()
    this.#reset.abort()
  }
}

export class SpdyConnection {
  readonly #pipe: BytePipe
  readonly #onStream: (stream: SpdyStream) => void
  readonly #streams = new Map<number, SpdyStream>()
  readonly #parser = new SpdyParser()
  readonly #headers = new HeaderReader()
  #accepted = 0

  /** `onStream` is told of every stream, in the client's order, before anything of it arrives. */
  constructor(pipe: BytePipe, onStream: (stream: SpdyStream) => void) {
    this.#pipe = pipe
    this.#onStream = onStream
  }

  /** Resolves when the client has gone or said goodbye; all streams have ended then. Throws BadRequest for what is no SPDY. */
  async run(): Promise<void> {
    try {
      for await (const chunk of this.#pipe.input)
        for (const frame of this.#parser.parse(chunk)) await this.#take(frame)
    } finally {
      this.#headers.close()
      for (const stream of this.#streams.values()) stream.cancel()
    }
  }

  /** The stream is over in both directions; its number is not used again. */
  forget(stream: SpdyStream): void {
    this.#streams.delete(stream.id)
  }

  async #take(frame: SpdyFrame): Promise<void> {
    if (frame.kind === 'data') {
      const stream = this.#streams.get(frame.streamId)
      stream?.input.push(frame.data)
      if (frame.fin) stream?.input.end()
      await stream?.input.room()
      return
    }
    const { type, payload, flags } = frame
    if (type === frameTypes.synStream) await this.#open(payload, isFin(flags))
    if (type === frameTypes.rstStream) this.#streams.get(streamIdOf(payload))?.cancel()
    if (type === frameTypes.ping) await this.#pipe.write(controlFrame(frameTypes.ping, payload))
  }

  async #open(payload: Uint8Array, fin: boolean): Promise<void> {
    const id = streamIdOf(payload)
    // The headers of a refused stream have to be read too: they all share one compression.
    const headers = readHeaders(await this.#headers.read(headerBlockOf(payload)))
    if (this.#streams.size >= maxStreams || this.#streams.has(id)) {
      await this.#pipe.write(rstStream(id, refusedStream))
      return
    }
    const stream = new SpdyStream(id, headers, this.#pipe)
    this.#streams.set(id, stream)
    if (fin) stream.input.end()
    await this.#pipe.write(synReply(id, this.#accepted++ === 0))
    this.#onStream(stream)
  }
}

/** Header blocks one after the other: each is compressed against all before it. */
class HeaderReader {
  readonly #inflate: Inflate = createInflate({ dictionary: spdyDictionary() })
  #pieces: Buffer[] = []
  #bytes = 0
  #failure: Error | undefined

  constructor() {
    this.#inflate.on('error', (error) => {
      this.#failure = error
    })
    this.#inflate.on('readable', () => this.#collect())
  }

  /** Must be called again only when it has resolved. */
  async read(block: Uint8Array): Promise<Uint8Array> {
    await new Promise<void>((resolve, reject) => {
      const failed = (error: Error) => reject(this.#unreadable(error))
      this.#inflate.once('error', failed)
      this.#inflate.write(block, (error) => {
        this.#inflate.off('error', failed)
        if (error) failed(error)
        else resolve()
      })
    })
    this.#collect()
    if (this.#failure !== undefined) throw this.#unreadable(this.#failure)
    const headers = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#bytes = 0
    return headers
  }

  close(): void {
    this.#inflate.destroy()
  }

  #collect(): void {
    for (let piece: unknown = this.#inflate.read(); piece !== null; piece = this.#inflate.read()) {
      if (!Buffer.isBuffer(piece)) return
      this.#bytes += piece.length
      if (this.#bytes > maxHeaderBytes)
        this.#inflate.destroy(badRequest('a header block of SPDY is too long'))
      else this.#pieces.push(piece)
    }
  }

  #unreadable(cause: Error): Error {
    return badRequest(`a header block of SPDY cannot be read: ${cause.message}`)
  }
}

/** The socket of a client as a pipe. */
export function socketPipe(socket: Duplex): BytePipe {
  return {
    input: chunksOf(socket),
    write: (data) =>
      new Promise((resolve) => {
        if (socket.destroyed || socket.writableEnded) resolve()
        else if (socket.write(data, () => resolve())) resolve()
      }),
    close: () =>
      new Promise((resolve) => {
        if (socket.destroyed) resolve()
        else socket.end(() => resolve())
      }),
  }
}

/** Ends quietly when the client goes, in whatever way it does. */
async function* chunksOf(socket: Duplex): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of socket) yield Buffer.from(chunk)
  } catch (error) {
    if (!socket.destroyed) throw error
  }
  return undefined
}
