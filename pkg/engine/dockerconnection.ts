/**
 * One connection to a Docker engine: sends a call, negotiates the API version, bounds the wait and turns every
 * failure into a StatusError. The transport is dockerode's, handed in by docker.ts; asked to hand over each answer
 * as a stream whatever its status, for its own helpers hide statuses and hold whole bodies in memory.
 */
import { IncomingMessage } from 'node:http'
import { addAbortSignal, Duplex, Readable } from 'node:stream'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { isVersionMismatch, type Refusal, refusalError, unavailable } from './dockererror.ts'
import { object, text } from './json.ts'
import type { RegistryCredentials } from './port.ts'

/** The newest API version whose changes are known here; an older engine is spoken to in its own. */
const newestKnown = '1.51'

/** What is used of docker-modem. */
export interface Modem {
  dial(request: object, done: (error: Error | null, answer: unknown) => void): void
}

export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | boolean>>
  readonly body?: Readonly<Record<string, unknown>>
  readonly credentials?: RegistryCredentials
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  /** A body of bytes in place of `body`. */
  readonly upload?: AsyncIterable<Uint8Array>
}

export interface ConnectionOptions {
  /** For messages. */
  readonly host: string
  readonly clock: Clock
  readonly modem: Modem
  /** How long a call may stay without an answer, in ms. */
  readonly timeout: number
  /** Drops the kept connections. */
  readonly disconnect: () => void
}

/** Helpers that keep a token in place of a password give it under this name. */
function authConfigOf({ username, password }: RegistryCredentials): Readonly<Record<string, string>> {
  return username === '<token>' ? { identitytoken: password } : { username, password }
}

export class DockerConnection {
  readonly #host: string
  readonly #clock: Clock
  readonly #timeout: number
  readonly #modem: Modem
  readonly #disconnect: () => void
  readonly #closed = new AbortController()
  #negotiation: Promise<string> | undefined

  constructor(options: ConnectionOptions) {
    this.#host = options.host
    this.#clock = options.clock
    this.#timeout = options.timeout
    this.#modem = options.modem
    this.#disconnect = options.disconnect
  }

  /** Ends everything under way with EngineUnavailable. */
  close(): void {
    this.#closed.abort(new StatusError('EngineUnavailable', `the connection to ${this.#host} was closed`))
    this.#disconnect()
  }

  /** One bounded call, its body read as JSON; undefined for an empty one. 304 means it is so already. */
  async json(call: Call, extraTime = 0, toError = refusalError): Promise<unknown> {
    const limit = this.#timeout + extraTime
    const timeout = new AbortController()
    const cancel = this.#clock.after(limit, () => {
      timeout.abort(unavailable(this.#host, new Error(`no answer within ${limit / 1000} s`)))
    })
    try {
      const answer = await this.#negotiated(call, timeout.signal, toError)
      return parseBody(await readAll(this.#translated(answer, timeout.signal)))
    } finally {
      cancel()
    }
  }

  /** As `json`, for work that takes as long as there is to do: it ends when the signal aborts. */
  async patientJson(call: Call, signal: AbortSignal): Promise<unknown> {
    return parseBody(await readAll(await this.stream(call, signal)))
  }

  /** A call without a time limit whose body is read as it comes; leaving the loop closes the connection. */
  async stream(call: Call, signal: AbortSignal, toError = refusalError): Promise<AsyncIterable<Uint8Array>> {
    return this.#translated(await this.#negotiated(call, signal, toError), signal)
  }

  /**
   * A call whose connection is taken over: both sides write to it from then on, and its writing side may be ended alone.
   * Destroyed when the signal aborts. To be called after another call, which has negotiated the version.
   */
  async hijack(call: Call, signal: AbortSignal): Promise<Duplex> {
    const abort = AbortSignal.any([signal, this.#closed.signal])
    // Without a body the transport would send the end of a chunked one, which the process would read as input.
    const empty = call.body === undefined && { file: Buffer.alloc(0) }
    const answer = await this.#send(call, `/v${await this.version()}`, abort, { hijack: true, ...empty })
    if (answer instanceof IncomingMessage) {
      const message = await readRefusal(this.#translated(answer, signal))
      throw refusalError({ statusCode: answer.statusCode ?? 0, message })
    }
    if (!(answer instanceof Duplex)) throw this.#broken(new Error('the engine gave no connection'), abort)
    return addAbortSignal(abort, answer)
  }

  /** A refused version means that the engine was replaced since: negotiate once more. Nothing was done yet. */
  async #negotiated(call: Call, signal: AbortSignal, toError: (refusal: Refusal) => StatusError) {
    for (const isLast of [false, true]) {
      const prefix = `/v${await this.version()}`
      const answer = await this.#dial(call, prefix, signal)
      const statusCode = answer.statusCode ?? 0
      if (statusCode < 400) return answer
      const refusal = { statusCode, message: await readRefusal(this.#translated(answer, signal)) }
      if (isLast || !isVersionMismatch(refusal)) throw toError(refusal)
      this.#negotiation = undefined
    }
    throw new StatusError('InternalError', 'an engine call went out of its two attempts')
  }

  /** The version both sides know, asked for once and again after the connection failed. */
  version(): Promise<string> {
    this.#negotiation ??= this.#askVersion()
    return this.#negotiation
  }

  async #askVersion(): Promise<string> {
    const timeout = new AbortController()
    const cancel = this.#clock.after(this.#timeout, () => {
      timeout.abort(unavailable(this.#host, new Error(`no answer within ${this.#timeout / 1000} s`)))
    })
    try {
      const answer = await this.#dial({ method: 'GET', path: '/version' }, '', timeout.signal)
      const offered = text(
        object(parseBody(await readAll(this.#translated(answer, timeout.signal))))['ApiVersion'],
      )
      return olderVersion(offered || newestKnown, newestKnown)
    } catch (error) {
      this.#negotiation = undefined
      throw error
    } finally {
      cancel()
    }
  }

  /** Resolves with the head of the answer, whatever its status. */
  async #dial(call: Call, prefix: string, signal: AbortSignal): Promise<IncomingMessage> {
    const abort = AbortSignal.any([signal, this.#closed.signal])
    const answer = await this.#send(call, prefix, abort)
    if (answer instanceof IncomingMessage) return answer
    throw this.#broken(new Error('the engine gave no answer'), abort)
  }

  #send(call: Call, prefix: string, abort: AbortSignal, more: object = {}): Promise<unknown> {
    if (abort.aborted) return Promise.reject(abort.reason)
    return new Promise((resolve, reject) => {
      const request = {
        // The transport adds the query behind a question mark, where it finds one.
        path: `${prefix}${call.path}${call.query === undefined ? '' : '?'}`,
        method: call.method,
        options: { _query: call.query ?? {}, _body: call.body ?? {} },
        ...(call.credentials && { authconfig: authConfigOf(call.credentials) }),
        // The transport adds to it.
        ...(call.headers && { headers: { ...call.headers } }),
        ...(call.upload && { file: uploadOf(call.upload, abort) }),
        abortSignal: abort,
        isStream: true,
        statusCodes: everyStatus,
        ...more,
      }
      this.#modem.dial(request, (error, answer) => {
        if (error === null) resolve(answer)
        else reject(this.#broken(error, abort))
      })
    })
  }

  /** Body pieces with failures of the connection translated. */
  async *#translated(body: IncomingMessage, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    try {
      for await (const piece of body) yield piece
    } catch (error) {
      throw this.#broken(error, AbortSignal.any([signal, this.#closed.signal]))
    }
  }

  #broken(error: unknown, signal: AbortSignal): unknown {
    if (signal.aborted) return signal.reason
    this.#negotiation = undefined
    return unavailable(this.#host, error)
  }
}

/** Closed with the call, so that whoever gives the bytes learns that no more are wanted. */
function uploadOf(bytes: AsyncIterable<Uint8Array>, abort: AbortSignal): Readable {
  return addAbortSignal(abort, Readable.from(bytes, { objectMode: false }))
}

/** Tells the transport to hand over every answer as it is: this file judges them. */
const everyStatus: Readonly<Record<number, true>> = Object.fromEntries(
  Array.from({ length: 500 }, (_, index) => [index + 100, true]),
)

function olderVersion(left: string, right: string): string {
  const [leftMajor = 0, leftMinor = 0] = left.split('.').map(Number)
  const [rightMajor = 0, rightMinor = 0] = right.split('.').map(Number)
  const difference = leftMajor - rightMajor || leftMinor - rightMinor
  return difference < 0 ? left : right
}

async function readAll(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = []
  for await (const piece of body) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

/** `{"message": ...}`, or plain words from old engines and proxies. */
async function readRefusal(body: AsyncIterable<Uint8Array>): Promise<string> {
  const words = await readAll(body)
  try {
    return text(object(JSON.parse(words))['message']) || words
  } catch (error) {
    if (error instanceof SyntaxError) return words
    throw error
  }
}

function parseBody(body: string): unknown {
  if (body.trim() === '') return undefined
  try {
    return JSON.parse(body)
  } catch (cause) {
    const message = `the engine's answer is no JSON: ${body.slice(0, 200)}`
    throw new StatusError('EngineError', message, {}, { cause })
  }
}
