/**
 * A node for tests of the server's side of streams: speaks the node's small API, with programs that are functions of
 * this process instead of an engine's.
 */
import { Readable } from 'node:stream'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  encodeFrame,
  encodeStatus,
  exitStatus,
  framesType,
  rawType,
} from '#pkg/apimachinery/frames.ts'
import type { ApiRequest, ApiResponse, Transport } from '#pkg/apimachinery/transport.ts'

/** What a program does with what it is given. Its result is its exit code. */
export type Program = (process: {
  readonly words: readonly string[]
  /** Of stdin, until its end. */
  readonly stdin: AsyncIterable<Uint8Array>
  /** Sizes of the terminal as they came, as `80x24`. */
  readonly sizes: string[]
  stdout(data: string | Uint8Array): void
  stderr(data: string | Uint8Array): void
}) => Promise<number>

export interface StreamNode {
  readonly transport: Transport
  /** Every request as `METHOD PATH?QUERY`. */
  readonly asked: string[]
}

export function streamNode(program: Program): StreamNode {
  const asked: string[] = []
  const transport = async (request: ApiRequest): Promise<ApiResponse> => {
    asked.push(`${request.method} ${request.path}?${request.query}`)
    if (request.path.endsWith('/portforward')) return forward(request)
    if (request.path.endsWith('/log'))
      return { status: 200, headers: { 'content-type': 'text/plain' }, body: 'one\ntwo\n' }
    if (request.query.getAll('command')[0] === 'refuse') return refusal()
    return { status: 200, headers: { 'content-type': framesType }, body: run(request, program) }
  }
  return { transport, asked }
}

function refusal(): ApiResponse {
  const error = new StatusError('BadRequest', 'container "web" is not running')
  return {
    status: error.code,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(error.toStatus()),
  }
}

/** Port 1 refuses; every other one sends back what it gets, and ends when that ends. */
function forward({ query, input }: ApiRequest): ApiResponse {
  if (query.get('port') === '1') return refusal()
  return { status: 200, headers: { 'content-type': rawType }, body: input ?? '' }
}

function run({ input, query }: ApiRequest, program: Program): AsyncIterable<Uint8Array> {
  const stdin = new Readable({ read() {} })
  const out = new Readable({ read() {} })
  const sizes: string[] = []
  const feed = async () => {
    for await (const { channel, data } of decodeFrames(input ?? stdin.take(0))) {
      if (channel === channels.stdin) stdin.push(data)
      if (channel === channels.end) stdin.push(null)
      if (channel === channels.resize) {
        const { Width, Height } = JSON.parse(Buffer.from(data).toString())
        sizes.push(`${Width}x${Height}`)
      }
    }
    stdin.push(null)
  }
  feed().catch((error: unknown) => stdin.destroy(error instanceof Error ? error : undefined))
  const write = (channel: 1 | 2) => (data: string | Uint8Array) => {
    out.push(encodeFrame(channel, Buffer.from(data)))
  }
  program({
    words: query.getAll('command'),
    stdin,
    sizes,
    stdout: write(channels.stdout),
    stderr: write(channels.stderr),
  })
    .then((code) => {
      out.push(encodeStatus(exitStatus(code)))
      out.push(null)
    })
    .catch((error: unknown) => out.destroy(error instanceof Error ? error : undefined))
  return out
}
