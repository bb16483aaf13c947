/** What Node read of a request, as the API's own values. */
import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
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

export async function bodyOf(incoming: IncomingMessage): Promise<Uint8Array | undefined> {
  const encoding = incoming.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw new StatusError(
      'UnsupportedMediaType',
      `the request's Content-Encoding "${encoding}" is not supported`,
    )
  if (Number(incoming.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes)
  return readBody(incoming)
}
