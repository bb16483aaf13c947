/**
 * How much, and for how long, the server puts up with from the other end of a connection: one value, so that nothing is
 * without a bound by mistake. docs/limits.md tells users.
 */
import type { Readable, Writable } from 'node:stream'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { drained } from '#pkg/apimachinery/wire.ts'

export interface Patience {
  /** From the connection to the end of the TLS handshake. */
  readonly handshakeMs: number
  /** From the connection, or the first byte of a further request, to the end of its headers. */
  readonly headersMs: number
  /** From the end of its headers to that of its body. */
  readonly requestMs: number
  /** For the next part of a body that is taken as it comes, however long that is. */
  readonly senderMs: number
  /** For whoever takes nothing of an answer that waits for it. */
  readonly readerMs: number
  /** For the rest of a request that was answered before its end, and for a client to close after a refusal. */
  readonly lingerMs: number
  /** Of a request's target and headers together. */
  readonly maxHeaderBytes: number
  /** Open at once; further ones are closed at once. */
  readonly maxConnections: number
  /** Requests at once, without those whose answers are streams; further ones are told to come again. */
  readonly maxInFlight: number
}

export const usualPatience: Patience = {
  handshakeMs: 10_000,
  headersMs: 20_000,
  // As Kubernetes bounds a request: 3 MiB in that time take a slow line.
  requestMs: 60_000,
  senderMs: 60_000,
  readerMs: 60_000,
  lingerMs: 2_000,
  // Four times what Node allows itself: selectors may be long, and tokens come on top.
  maxHeaderBytes: 64 * 1024,
  // Each takes about 60 KB; 10,000 watches have room, and files of the storage keep descriptors of their own.
  maxConnections: 15_000,
  // As Kubernetes: 400 that read and 200 that write. Each may hold a body of 3 MiB.
  maxInFlight: 600,
}

/** What node:https takes of it. */
export function serverOptions({ handshakeMs, headersMs, maxHeaderBytes }: Patience) {
  return {
    handshakeTimeout: handshakeMs,
    headersTimeout: headersMs,
    // Node knows one bound for all requests; how long a body may take is a question of which it is (incoming.ts).
    requestTimeout: 0,
    // How often the server looks whether one of them is over.
    connectionsCheckingInterval: Math.min(5_000, headersMs),
    maxHeaderSize: maxHeaderBytes,
  }
}

/** Resolves when the target takes more; destroys it when that takes longer than `ms`. */
export async function drainedWithin(target: Writable, clock: Clock, ms: number): Promise<void> {
  const cancel = clock.after(ms, () => target.destroy())
  await drained(target)
  cancel()
}

/** A whole body in pieces, so that a reader who is slow and a reader who has stopped can be told apart. */
export async function* inPieces(body: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < body.length; at += pieceBytes) yield body.subarray(at, at + pieceBytes)
}

export const pieceBytes = 256 * 1024

/**
 * Reads on what nobody wants, for a while: a client that still sends when the connection is closed never sees the
 * answer. Resolves at its end, or when enough has come.
 */
export function readRest(source: Readable, clock: Clock, { ms, bytes }: { ms: number; bytes: number }) {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = bytes
  const onData = (chunk: Uint8Array) => {
    left -= chunk.length
    if (left < 0) resolve()
  }
  const onEnd = () => resolve()
  const cancel = clock.after(ms, resolve)
  source.on('data', onData).once('end', onEnd).once('close', onEnd)
  return promise.finally(() => {
    cancel()
    source.off('data', onData).off('end', onEnd).off('close', onEnd).pause()
  })
}

/** An answer of HTTP, by hand, to what is no request; what Node's parser calls it decides. */
export function refusalText(code: string | undefined): string {
  const [line, error] = refusalOf(code)
  const body = JSON.stringify({ ...error.toStatus(), code: Number(line.slice(0, 3)) })
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`
  return `HTTP/1.1 ${line}\r\n${headers}\r\n\r\n${body}`
}

function refusalOf(code: string | undefined): [string, StatusError] {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW': {
      const message = 'the headers of the request are too long'
      return ['431 Request Header Fields Too Large', new StatusError('RequestEntityTooLarge', message)]
    }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW': {
      const message = 'the chunks of the body carry too much beside it'
      return ['413 Payload Too Large', new StatusError('RequestEntityTooLarge', message)]
    }
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return [
        '408 Request Timeout',
        new StatusError('Timeout', 'the request did not come to its end in time'),
      ]
    default:
      return ['400 Bad Request', new StatusError('BadRequest', 'this is no request of HTTP/1.1')]
  }
}
