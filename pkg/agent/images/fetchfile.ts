/**
 * Archives that images are made of, fetched from where an Image says: an address, or the server's uploads. What has a
 * digest to keep is put on the disk and looked at first; the rest goes to its reader as it comes. Neither silence, nor
 * redirects, nor size goes on for ever. SourceUnavailable when it is not to be had, InvalidSpec when it is not what was said.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { FileSource } from '../ops.ts'
import { openWeb, watchedContent } from '../webfile.ts'
import { toldAddress } from './address.ts'

export interface FetchContext {
  readonly client: Client
  readonly clock: Clock
  /** A directory of the agent's own; absent: there is no disk, and nothing with a digest can be had. */
  readonly spool?: string
}

type Content = AsyncIterable<Uint8Array>

const mostBytes = 256 * 1024 ** 3

/** What `use` reads is whole when it comes to its end; otherwise reading fails. */
export async function withFile<T>(
  from: FileSource,
  context: FetchContext,
  { use, signal }: { readonly use: (content: Content) => Promise<T>; readonly signal: AbortSignal },
): Promise<T> {
  const reading = new AbortController()
  const both = AbortSignal.any([signal, reading.signal])
  try {
    if ('upload' in from) return await use(await openUpload(from, context, both))
    const content = await openURL(from.url, context.clock, both)
    if (from.sha256 === undefined) return await use(content)
    return await verified(content, from.sha256, { ...context, url: from.url, use, signal })
  } finally {
    // Also a connection that nobody reads from any more ends here.
    reading.abort()
  }
}

export async function openUpload(
  { upload, namespace }: Extract<FileSource, { upload: string }>,
  { client, clock }: Pick<FetchContext, 'client' | 'clock'>,
  signal: AbortSignal,
): Promise<Content> {
  const path = `/apis/cove.run/v1/namespaces/${namespace}/uploads/${upload}`
  const headers = { accept: 'application/octet-stream, */*' }
  const { body } = await client.stream({ method: 'GET', path, headers }, signal)
  if (typeof body === 'string') return once(Buffer.from(body))
  return body instanceof Uint8Array ? once(body) : watched(bytes(body), `upload ${upload}`, clock)
}

async function* once(content: Uint8Array): Content {
  yield content
}

async function* bytes(body: AsyncIterable<string | Uint8Array>): Content {
  for await (const chunk of body) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk
}

async function openURL(url: string, clock: Clock, signal: AbortSignal): Promise<Content> {
  const { response, what } = await openWeb(url, { clock, signal })
  if (response.statusCode === 200) return watched(response, what, clock)
  response.destroy()
  throw new StatusError('SourceUnavailable', `${what} answers ${response.statusCode}`)
}

function watched(content: Content, what: string, clock: Clock): Content {
  return watchedContent(content, { what, clock, mostBytes })
}

interface Verifying<T> extends FetchContext {
  readonly url: string
  readonly use: (content: Content) => Promise<T>
  readonly signal: AbortSignal
}

async function verified<T>(
  content: Content,
  sha256: string,
  { url, spool, use, signal }: Verifying<T>,
): Promise<T> {
  if (spool === undefined) throw new StatusError('InvalidSpec', 'this node keeps no files to verify them')
  await mkdir(spool, { recursive: true, mode: 0o700 })
  const directory = await mkdtemp(join(spool, 'fetch-'))
  try {
    const path = join(directory, 'file')
    const found = await store(content, path, signal)
    if (found !== sha256)
      throw new StatusError(
        'InvalidSpec',
        `the sha256 of ${toldAddress(url)} is ${found}, not ${sha256}: it is not used`,
      )
    return await use(createReadStream(path))
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Resolves with its sha256. */
async function store(content: Content, path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256')
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of content) {
      signal.throwIfAborted()
      hash.update(chunk)
      await file.writeFile(chunk)
    }
  } catch (error) {
    throw isFull(error)
      ? new StatusError('NoSpace', `no space left for ${path}`, {}, { cause: error })
      : error
  } finally {
    await file.close()
  }
  return hash.digest('hex')
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}
