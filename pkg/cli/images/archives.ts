/** Archives on their way from a file, a pipe or an address to a node, and from a node to a file or a pipe. */
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { isAbort, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { CliError } from '../errors.ts'
import type { Io } from '../io.ts'

export interface Source {
  /** `-`, a path, or an address. */
  readonly word: string
  /** Opens it anew: once only for standard input. */
  read(): AsyncIterable<Uint8Array>
}

/** Throws CliError for a file that cannot be read, and for standard input that is a terminal. */
export async function sourceOf(word: string, { terminal, cwd, signal }: Io): Promise<Source> {
  if (/^https?:\/\//.test(word)) return { word, read: () => fetched(word, signal) }
  if (word === '-') {
    if (terminal.isTTY)
      throw new CliError('an archive is expected on standard input: redirect it, or name a file')
    return { word, read: () => terminal.input() }
  }
  const path = resolve(cwd, word)
  // Before anybody is asked: what cannot be read here need not be announced there.
  await open(path)
    .then((file) => file.close())
    .catch((cause: unknown) => {
      throw new CliError(`cannot read ${word}: ${messageOf(cause)}`, { cause })
    })
  return { word, read: () => fileChunks(path) }
}

async function* fileChunks(path: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(path)
  } catch (cause) {
    throw new CliError(`cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}

async function* fetched(address: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    const answer = await fetch(address, { signal })
    if (!answer.ok || answer.body === null) throw new CliError(`${address} answered ${answer.status}`)
    yield* answer.body
  } catch (cause) {
    if (cause instanceof CliError || isAbort(cause)) throw cause
    throw new CliError(`cannot read ${address}: ${messageOf(cause)}`, { cause })
  }
}

export interface Destination {
  /** Absent: standard output. */
  readonly file?: string
  readonly gzip: boolean
}

/** Throws CliError when the archive would go to a terminal. */
export function mustNotBeTerminal({ stdout }: Io, { file }: Destination): void {
  if (file === undefined && stdout.isTTY)
    throw new CliError('an archive is nothing for a terminal: name a file with -o, or redirect the output')
}

/** A file has its name only when it is whole. */
export async function writeArchive(io: Io, body: ApiResponse['body'], to: Destination): Promise<void> {
  const parts = to.gzip ? [createGzip()] : []
  if (to.file === undefined) {
    await pipeline([
      chunks(body),
      ...parts,
      async (source: AsyncIterable<Uint8Array>) => {
        for await (const chunk of source) await io.stdout.write(chunk)
      },
    ])
    return
  }
  const path = resolve(io.cwd, to.file)
  const partial = join(dirname(path), `.${basename(path)}.partial`)
  try {
    await pipeline([chunks(body), ...parts, createWriteStream(partial)])
    await rename(partial, path)
  } catch (error) {
    await rm(partial, { force: true })
    if (error instanceof StatusError || isAbort(error)) throw error
    throw new CliError(`cannot write ${path}: ${messageOf(error)}`, { cause: error })
  }
}

async function* chunks(body: ApiResponse['body']): AsyncGenerator<string | Uint8Array> {
  if (typeof body === 'string' || body instanceof Uint8Array) yield body
  else yield* body
}
