/** What Node read of a request, as the API's own values. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest } from '#pkg/apimachinery/transport.ts'
import { maxBodyBytes, plainHeaders, readBody, tooLarge } from '#pkg/apimachinery/wire.ts'

/** The request before its target and body have been looked at. What it authenticates with goes no further. */
export function bareRequest(incoming: IncomingMessage, signal: AbortSignal): ApiRequest {
  const { authorization: _secret, ...headers } = plainHeaders(incoming.headers)
  const { remoteAddress } = incoming.socket
  return {
    ...(remoteAddress !== undefined && { peer: remoteAddress.replace(/^::ffff:/, '') }),
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '',
    query: new URLSearchParams(),
    headers,
    signal,
  }
}

/** Every socket of a node:https server is one of TLS. */
export function tlsSocket(socket: Socket): TLSSocket {
  if ('getPeerCertificate' in socket) return socket as TLSSocket
  throw new StatusError('Unauthorized', 'Unauthorized: the connection is not TLS')
}

export interface Reading {
  readonly clock: Clock
  /** For the whole of it; of a body that is taken as it comes, for the next part. */
  readonly ms: number
}

/** The whole body. Throws Timeout when it does not come to its end in time. */
export async function bodyOf(
  incoming: IncomingMessage,
  { clock, ms }: Reading,
): Promise<Uint8Array | undefined> {
  mustBePlain(incoming)
  if (Number(incoming.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes)
  return within(() => readBody(incoming), { clock, ms })
}

/**
 * The body as it comes, no faster than it is taken; it has no bound but time. Ends only at its end: one that breaks off
 * throws BadRequest, and one that stands still Timeout.
 */
export function inputOf(incoming: IncomingMessage, reading: Reading): AsyncIterable<Uint8Array> {
  mustBePlain(incoming)
  return parts(incoming, reading)
}

async function* parts(incoming: IncomingMessage, reading: Reading): AsyncGenerator<Uint8Array> {
  const chunks = incoming.iterator({ destroyOnReturn: false })
  try {
    for (;;) {
      const next = await within(() => chunks.next(), reading)
      if (next.done === true) break
      yield next.value
    }
  } catch (error) {
    if (error instanceof StatusError) throw error
    throw new StatusError('BadRequest', 'the request body broke off', {}, { cause: error })
  }
  if (!incoming.complete) throw new StatusError('BadRequest', 'the request body broke off')
}

function mustBePlain({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding']
  if (encoding === undefined || encoding === 'identity') return
  const message = `the request's Content-Encoding "${encoding}" is not supported`
  throw new StatusError('UnsupportedMediaType', message)
}

async function within<T>(read: () => Promise<T>, { clock, ms }: Reading): Promise<T> {
  const late = Promise.withResolvers<never>()
  const cancel = clock.after(ms, () => late.reject(new LateBody()))
  const reading = read()
  try {
    return await Promise.race([reading, late.promise])
  } finally {
    cancel()
    // What comes after all is nobody's any more.
    reading.catch(() => undefined)
  }
}

/** HTTP has a code of its own for it: the client is late, and not the server. */
export class LateBody extends StatusError {
  constructor() {
    super('Timeout', 'the request did not come to its end in time')
  }
}
