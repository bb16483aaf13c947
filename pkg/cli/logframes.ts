/**
 * The two streams of a container in one body: frames of one byte stream (1 stdout, 2 stderr), four bytes length
 * (big endian), and so many bytes of data. A body of any other type is all standard output.
 */
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { CliError } from './errors.ts'

export const framesType = 'application/vnd.cove.run.log-frames'

export interface LogChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array | string
}

export async function* readLog({ headers, body }: ApiResponse): AsyncGenerator<LogChunk> {
  const chunks = typeof body === 'string' || body instanceof Uint8Array ? [body] : body
  if (headers['content-type']?.startsWith(framesType) === true) yield* readFrames(chunks)
  else for await (const data of chunks) yield { stream: 'stdout', data }
}

const headerSize = 5

async function* readFrames(
  chunks: Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>,
): AsyncGenerator<LogChunk> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = Buffer.concat([rest, Buffer.from(chunk as Uint8Array)])
    let frame = takeFrame(rest)
    while (frame !== undefined) {
      yield frame.chunk
      rest = rest.subarray(frame.size)
      frame = takeFrame(rest)
    }
  }
  if (rest.length > 0) throw new CliError('the log broke off in the middle of a frame')
}

function takeFrame(bytes: Buffer): { chunk: LogChunk; size: number } | undefined {
  if (bytes.length < headerSize) return undefined
  const size = headerSize + bytes.readUInt32BE(1)
  if (bytes.length < size) return undefined
  const stream = bytes[0] === 2 ? 'stderr' : 'stdout'
  return { chunk: { stream, data: bytes.subarray(headerSize, size) }, size }
}
