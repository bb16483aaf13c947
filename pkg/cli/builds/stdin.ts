/** What comes on standard input for a build: the text of a Dockerfile, or an archive of a context. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { addAbortSignal, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { longestText } from '#pkg/build/context/normalise.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'
import { openingOf, wholeOf } from './opening.ts'
import { isArchive, isText } from './place.ts'

export interface ReadPlace {
  readonly dockerfile?: string
  /** Whoever gets it removes the directory when it is done. */
  readonly archive?: { readonly path: string; readonly digest: string; readonly directory: string }
}

export type StdinWorld = Pick<Io, 'env' | 'signal'> & { readonly terminal: Pick<Io['terminal'], 'input'> }

const neither =
  'standard input is neither a Dockerfile nor a tar archive (which may be packed with gzip, bzip2, xz or zstd)'

const tooLong = `the Dockerfile on standard input is longer than ${humanBytes(longestText)}`

/** A Dockerfile, or an archive, which is put aside: its digest must be known before it is sent. */
export async function readStdin(io: StdinWorld): Promise<ReadPlace> {
  const opening = await openingOf(interruptible(io.terminal.input(), io.signal))
  const { first, rest } = opening
  if (first.length === 0) throw new CliError('nothing comes from standard input')
  if (isArchive(first)) return { archive: await putAside(first, rest, io) }
  const whole = await wholeOf(opening)
  if (whole === undefined) throw new CliError(first.includes(0) ? neither : tooLong)
  if (!isText(whole)) throw new CliError(neither)
  return { dockerfile: whole.toString('utf8') }
}

/** Also while nothing comes. */
async function* interruptible(
  input: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  yield* addAbortSignal(signal, Readable.from(input, { objectMode: false }))
}

async function putAside(first: Uint8Array, rest: AsyncIterable<Uint8Array>, { env, signal }: StdinWorld) {
  const directory = await mkdtemp(join(env['TMPDIR'] ?? '/tmp', 'cove-context-'))
  const path = join(directory, 'context.tar')
  const hash = createHash('sha256')
  const all = async function* () {
    hash.update(first)
    yield first
    for await (const chunk of rest) {
      hash.update(chunk)
      yield chunk
    }
  }
  try {
    await pipeline(Readable.from(all()), createWriteStream(path, { mode: 0o600 }), { signal })
  } catch (error) {
    await rm(directory, { recursive: true, force: true })
    throw error
  }
  return { path, directory, digest: hash.digest('hex') }
}
