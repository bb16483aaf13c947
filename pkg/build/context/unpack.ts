/** What gzip, bzip2, xz and zstd have packed, unpacked as it is read; what is not packed as it is. */
import { type Duplex, pipeline, Readable } from 'node:stream'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { longestMagic, type Packing, packingOf } from './packing.ts'

type Opener = (input: AsyncIterable<Uint8Array>) => Promise<AsyncIterable<Uint8Array>>

const openers: Readonly<Record<Packing, Opener>> = {
  gzip: async (input) => through(input, createGunzip()),
  zstd: async (input) => through(input, createZstdDecompress()),
  bzip2: openBzip2,
  xz: openXz,
}

/** Throws BadRequest while it is read when what came is broken. What the input throws goes through as it is. */
export async function* unpack(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { start, whole } = await peek(input)
  const packing = packingOf(start)
  if (packing === undefined) {
    yield* whole
    return
  }
  const source = watched(whole)
  try {
    for await (const chunk of await openers[packing](source.chunks)) yield chunk
  } catch (error) {
    if (source.failure() !== undefined) throw source.failure()
    if (error instanceof StatusError) throw error
    throw badRequest(`the archive is packed with ${packing}, and broken: ${messageOf(error)}`)
  }
}

async function peek(input: AsyncIterable<Uint8Array>) {
  const chunks = input[Symbol.asyncIterator]()
  const first: Uint8Array[] = []
  let bytes = 0
  while (bytes < longestMagic) {
    const next = await chunks.next()
    if (next.done === true) break
    first.push(next.value)
    bytes += next.value.length
  }
  return { start: Buffer.concat(first), whole: joined(first, chunks) }
}

async function* joined(
  first: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* first
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value
  } finally {
    await rest.return?.()
  }
}

/** Its failures are told apart from those of whoever reads it. */
function watched(input: AsyncIterable<Uint8Array>) {
  let failure: unknown
  async function* chunks() {
    try {
      yield* input
    } catch (error) {
      failure = error
      throw error
    }
  }
  return { chunks: chunks(), failure: () => failure }
}

/** Whatever fails, the input or what opens it, its reader is told; and when nobody reads it any more both end. */
function through(input: AsyncIterable<Uint8Array>, opener: Duplex): AsyncIterable<Uint8Array> {
  pipeline(Readable.from(input, { objectMode: false }), opener, () => undefined)
  return opener
}

async function openBzip2(input: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { unpackBzip2 } = await import('./unpackbzip2.ts')
  return unpackBzip2(input)
}

async function openXz(input: AsyncIterable<Uint8Array>): Promise<AsyncIterable<Uint8Array>> {
  const { default: xz } = await import('xz-decompress')
  const { XzReadableStream } = xz
  return new XzReadableStream(ReadableStream.from(input))
}
