/** The two streams of a container in one body of frames. A body of any other type is all standard output. */
import { channels, decodeFrames, framesType } from '#pkg/apimachinery/frames.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'

export interface LogChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array | string
}

export async function* readLog({ headers, body }: ApiResponse): AsyncGenerator<LogChunk> {
  const chunks = typeof body === 'string' || body instanceof Uint8Array ? whole(body) : body
  if (headers['content-type']?.startsWith(framesType) !== true) {
    for await (const data of chunks) yield { stream: 'stdout', data }
    return
  }
  for await (const { channel, data } of decodeFrames(chunks)) {
    if (channel === channels.stdout) yield { stream: 'stdout', data }
    if (channel === channels.stderr) yield { stream: 'stderr', data }
  }
}

async function* whole(body: string | Uint8Array): AsyncGenerator<string | Uint8Array> {
  yield body
}
