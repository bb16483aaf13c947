/**
 * What BuildKit asks of whoever lets it build, while it does: a connection that the engine is the client of, with gRPC over
 * HTTP/2 in it. Served is what a build needs and nothing else.
 */
import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { DockerConnection } from './dockerconnection.ts'
import { field, textOf } from './protobuf.ts'

/** Resolves with the answer to a message. */
export type Unary = (request: Uint8Array) => Uint8Array

export interface SessionService {
  /** By path: `/package.Service/Method`. */
  readonly unary: Readonly<Record<string, Unary>>
}

/** As gRPC numbers them. */
const codes = { ok: 0, unknown: 2, notFound: 5, unimplemented: 12 } as const
const prefixBytes = 5
/** BuildKit's questions are a few names. */
const longestRequest = 1024 * 1024

/** A refusal with a code of gRPC. */
class CallError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** Registries are asked without credentials: base images that need some are pulled before. */
export function buildServices(secrets: ReadonlyMap<string, Uint8Array>): SessionService {
  return {
    unary: {
      '/grpc.health.v1.Health/Check': () => field(1, 1),
      '/moby.filesync.v1.Auth/Credentials': () => new Uint8Array(),
      '/moby.buildkit.secrets.v1.Secrets/GetSecret': (request) => {
        const id = textOf(request, 1)
        const value = secrets.get(id)
        if (value === undefined) throw new CallError(codes.notFound, `there is no secret ${id}`)
        return field(1, value)
      },
    },
  }
}

/** Open until the signal aborts. */
export async function openSession(
  connection: DockerConnection,
  {
    id,
    service,
    signal,
  }: { readonly id: string; readonly service: SessionService; readonly signal: AbortSignal },
): Promise<void> {
  // Loaded here: most of what the agent does needs no HTTP/2.
  const { performServerHandshake } = await import('node:http2')
  const headers = {
    Upgrade: 'h2c',
    'X-Docker-Expose-Session-Uuid': id,
    'X-Docker-Expose-Session-Name': 'cove',
    'X-Docker-Expose-Session-Grpc-Method': Object.keys(service.unary),
  }
  const socket = await connection.hijack({ method: 'POST', path: '/session', headers }, signal)
  serve(performServerHandshake(socket), socket, service)
}

function serve(session: ServerHttp2Session, socket: Duplex, service: SessionService): void {
  // When it breaks, what is built ends with an error of its own that says more.
  const drop = () => socket.destroy()
  socket.on('error', drop)
  session.on('error', drop)
  session.on('stream', (stream, headers) => {
    stream.on('error', () => stream.close())
    void answer(stream, service.unary[String(headers[':path'])])
  })
}

async function answer(stream: ServerHttp2Stream, unary: Unary | undefined): Promise<void> {
  try {
    if (unary === undefined) throw new CallError(codes.unimplemented, 'not served here')
    const reply = unary(await readMessage(stream))
    respond(stream, reply, codes.ok, '')
  } catch (error) {
    respond(stream, undefined, error instanceof CallError ? error.code : codes.unknown, messageOf(error))
  }
}

function respond(
  stream: ServerHttp2Stream,
  reply: Uint8Array | undefined,
  code: number,
  message: string,
): void {
  if (stream.destroyed) return
  const trailers = {
    'grpc-status': String(code),
    ...(message !== '' && { 'grpc-message': encodeURIComponent(message) }),
  }
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.end(reply === undefined ? undefined : framed(reply))
}

/** The one message of a call: a byte that says it is not compressed, its length, itself. */
async function readMessage(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  for await (const piece of stream) {
    pieces.push(piece)
    length += piece.length
    if (length > longestRequest) throw new CallError(codes.unknown, 'the message is too long')
  }
  return Buffer.concat(pieces).subarray(prefixBytes)
}

function framed(message: Uint8Array): Uint8Array {
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}
