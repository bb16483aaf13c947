/**
 * Between Node's streams and the API's requests and responses: shared by everything that carries a Handler over
 * a socket. Bodies are bounded when read and follow the reader's pace when written.
 */
import type { Readable, Writable } from 'node:stream'
import { StatusError } from './errors.ts'
import type { ApiResponse } from './transport.ts'

/** As Kubernetes bounds them: the largest object is 1.5 MiB in its store, and a patch may hold it twice. */
export const maxBodyBytes = 3 * 1024 * 1024

/** The path, still percent-encoded, and the query of a request target. Throws BadRequest unless it begins with "/". */
export function splitTarget(target: string): { path: string; query: URLSearchParams } {
  if (!target.startsWith('/')) throw new StatusError('BadRequest', 'the request target must begin with "/"')
  const mark = target.indexOf('?')
  return mark < 0
    ? { path: target, query: new URLSearchParams() }
    : { path: target.slice(0, mark), query: new URLSearchParams(target.slice(mark + 1)) }
}

/** The reverse of splitTarget. */
export function joinTarget(path: string, query: URLSearchParams): string {
  return query.size === 0 ? path : `${path}?${query.toString()}`
}

/** One string for each header; a header given several times is joined with ", ". Pseudo-headers of HTTP/2 are left out. */
export function plainHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const plain: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':')) continue
    plain[name] = typeof value === 'string' ? value : value.join(', ')
  }
  return plain
}

/**
 * The whole body, or undefined when it is empty. Throws RequestEntityTooLarge without reading further, and BadRequest
 * when the body breaks off.
 */
export async function readBody(source: Readable, limit = maxBodyBytes): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of source.iterator({ destroyOnReturn: false })) {
      const bytes = Buffer.from(chunk)
      size += bytes.length
      if (size > limit) throw tooLarge(limit)
      chunks.push(bytes)
    }
  } catch (error) {
    if (error instanceof StatusError) throw error
    throw new StatusError('BadRequest', 'the request body broke off', {}, { cause: error })
  }
  return size === 0 ? undefined : Buffer.concat(chunks, size)
}

export function tooLarge(limit: number): StatusError {
  return new StatusError('RequestEntityTooLarge', `the request body is larger than ${limit} bytes`)
}

/**
 * Writes chunk by chunk and waits whenever the other side is slower than the source. Returns early when the target
 * closes; the source is ended then, and at the first of its chunks after `signal` aborts. Does not end the target.
 * What is written is what `frame` makes of a chunk; absent: the chunk itself.
 */
export async function writeChunks(
  target: Writable,
  body: AsyncIterable<string | Uint8Array>,
  signal: AbortSignal,
  { frame = asItIs, wait = drained }: Writing = {},
): Promise<void> {
  for await (const chunk of body) {
    if (signal.aborted || target.destroyed) return
    if (chunk.length > 0 && !target.write(frame(chunk))) await wait(target)
  }
}

export interface Writing {
  /** What is written for a chunk; default: the chunk. */
  readonly frame?: (chunk: string | Uint8Array) => string | Uint8Array
  /** Resolves when the target takes more; default: however long that takes. */
  readonly wait?: (target: Writable) => Promise<void>
}

function asItIs<T>(chunk: T): T {
  return chunk
}

/** Resolves when the target takes more, or never will again. */
export function drained(target: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      target.off('drain', done)
      target.off('close', done)
      resolve()
    }
    target.once('drain', done)
    target.once('close', done)
    if (target.destroyed) done()
  })
}

/** Whether the body is there in one piece. */
export function isWhole(body: ApiResponse['body']): body is string | Uint8Array {
  return typeof body === 'string' || body instanceof Uint8Array
}

/** Ends a stream of chunks that nobody will read. */
export async function discard(body: ApiResponse['body']): Promise<void> {
  if (!isWhole(body)) await body[Symbol.asyncIterator]().return?.()
}
