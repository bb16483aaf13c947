/**
 * What the server asks of a node: the agent's own small API, reached in process or through the tunnel it dialled.
 * `GET /containers/NAMESPACE/NAME/log` streams the output of a Container.
 */

import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse, Handler } from '#pkg/apimachinery/transport.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import type { Engine, LogChunk, LogOptions } from '#pkg/engine/port.ts'

/** Body of frames: one byte 1 (stdout) or 2 (stderr), four bytes of length, big endian, then so many bytes. */
export const logFrames = 'application/vnd.cove.run.log-frames'

const logPath = /^\/containers\/([^/]+)\/([^/]+)\/log$/

export interface StreamsOptions {
  readonly engine: Engine
  readonly clock: Clock
  /** Whether a container with these labels is this agent's: a stranger may have the name of an object. */
  readonly owns: (labels: Readonly<Record<string, string>>) => boolean
}

export function streamsHandler(options: StreamsOptions): Handler {
  return async (request) => {
    try {
      return await route(request, options)
    } catch (error) {
      const known = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error))
      const headers = { 'content-type': 'application/json' }
      return { status: known.code, headers, body: JSON.stringify(known.toStatus()) }
    }
  }
}

async function route(request: ApiRequest, { engine, clock, owns }: StreamsOptions): Promise<ApiResponse> {
  const match = logPath.exec(request.path)
  if (match === null || request.method !== 'GET') {
    throw new StatusError('NotFound', `this node has nothing at ${request.method} ${request.path}`)
  }
  const [, namespace = '', name = ''] = match.map(decodeSegment)
  const container = engineName({ namespace, name })
  const observed = await engine.inspectContainer(container)
  if (observed === undefined || !owns(observed.labels)) {
    throw badRequest(`container "${name}" was not made yet: see \`cove describe container ${name}\``)
  }
  const options = logOptions(request, clock)
  const framed = request.headers['accept']?.includes(logFrames) === true
  const chunks = engine.containerLogs(observed.id, options)
  return {
    status: 200,
    headers: { 'content-type': framed ? logFrames : 'text/plain' },
    body: encode(chunks, framed),
  }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (error) {
    throw badRequest(`"${segment}" is no part of a path: ${messageOf(error)}`)
  }
}

async function* encode(chunks: AsyncIterable<LogChunk>, framed: boolean): AsyncGenerator<Uint8Array> {
  for await (const { stream, data } of chunks) {
    if (framed) {
      const head = Buffer.alloc(5)
      head.writeUInt8(stream === 'stdout' ? 1 : 2, 0)
      head.writeUInt32BE(data.length, 1)
      yield head
    }
    yield data
  }
}

function logOptions({ query, signal }: ApiRequest, clock: Clock): LogOptions {
  const tail = wholeNumber(query, 'tailLines')
  const seconds = wholeNumber(query, 'sinceSeconds')
  const sinceTime = query.get('sinceTime') ?? undefined
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime))) {
    throw badRequest(`sinceTime: "${sinceTime}" is not an RFC 3339 time`)
  }
  const since = seconds === undefined ? sinceTime : new Date(clock.now() - seconds * 1000).toISOString()
  return {
    follow: isTrue(query, 'follow'),
    timestamps: isTrue(query, 'timestamps'),
    signal,
    ...(tail !== undefined && { tail }),
    ...(since !== undefined && { since }),
  }
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name)
  return value === 'true' || value === '1'
}

function wholeNumber(query: URLSearchParams, name: string): number | undefined {
  const value = query.get(name)
  if (value === null || value === '') return undefined
  if (!/^[0-9]+$/.test(value)) throw badRequest(`${name}: "${value}" must be a whole number, 0 or more`)
  return Number(value)
}
