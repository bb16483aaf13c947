/** Files out of and into a container as tar archives in frames; needs nothing inside of it, nor that it runs. */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import {
  channels,
  decodeFrames,
  encodeFrame,
  encodeStatus,
  exitStatus,
  failureStatus,
  framesType,
} from '#pkg/apimachinery/frames.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { Target } from './target.ts'

/** The file or directory at `path`: its archive as stdout, then the Status. */
export async function getArchive({ request, engine, observed }: Target): Promise<ApiResponse> {
  const archive = await engine.readArchive(observed.id, pathOf(request.query), request.signal)
  return { status: 200, headers: { 'content-type': framesType }, body: ended(framed(archive)) }
}

/** Unpacks stdin into the directory at `path`; the Status comes when it is done. */
export async function putArchive({ request, engine, observed }: Target): Promise<ApiResponse> {
  const path = pathOf(request.query)
  const { input, signal } = request
  if (input === undefined) throw badRequest('an archive is sent as a stream of frames')
  const write = () => engine.writeArchive(observed.id, path, stdinOf(input), signal)
  return { status: 200, headers: { 'content-type': framesType }, body: ended(doing(write)) }
}

async function* framed(archive: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const data of archive) yield encodeFrame(channels.stdout, data)
}

/** Work without output, as a part of an answer. */
async function* doing(work: () => Promise<void>): AsyncGenerator<Uint8Array> {
  await work()
  yield new Uint8Array()
}

async function* ended(body: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
    yield encodeStatus(exitStatus(0))
  } catch (error) {
    yield encodeStatus(failureStatus(error))
  }
}

/** Only an end that was said makes an archive whole. */
async function* stdinOf(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const { channel, data } of decodeFrames(input)) {
    if (channel === channels.stdin) yield data
    if (channel === channels.end) return
  }
  throw badRequest('the archive broke off')
}

function pathOf(query: URLSearchParams): string {
  const path = query.get('path') ?? ''
  if (!path.startsWith('/')) throw badRequest(`path: "${path}" is not an absolute path`)
  return path
}
