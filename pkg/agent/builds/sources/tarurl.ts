/**
 * Archives at web addresses as contexts: what is there now, told by as little as the server's answer to HEAD, and the archive
 * itself. An ETag says which it is; a time only when it is so old that nothing can have been written in the same second
 * since (RFC 9110, 8.8.2.2); else all of it is read.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { IncomingHttpHeaders } from 'node:http'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { contextTooLarge } from '#pkg/build/context/normalise.ts'
import { openWeb, type WebAsking, watchedContent } from '../../webfile.ts'

export interface TarPlace {
  readonly url: string
  readonly sha256?: string
}

export interface TarAsking extends WebAsking {
  /** Of the archive as it is sent. */
  readonly mostBytes: number
}

/** What changes with the archive. */
export async function tarRevision({ url, sha256 }: TarPlace, asking: TarAsking): Promise<string> {
  if (sha256 !== undefined) return `sha256:${sha256}`
  const { response } = await openWeb(url, { ...asking, method: 'HEAD' })
  response.destroy()
  const told = response.statusCode === 200 ? revisionIn(response.headers) : undefined
  if (told !== undefined) return told
  const { content, headers } = await openTar(url, asking)
  const hash = createHash('sha256')
  for await (const chunk of content) hash.update(chunk)
  // A server may tell with the file what it does not tell of it.
  return revisionIn(headers) ?? `sha256:${hash.digest('hex')}`
}

/** Puts it into a new file at `path`. Throws Conflict when it is not what was asked about, ContextTooLarge. */
export async function downloadTar(
  { url, sha256, revision }: TarPlace & { readonly revision: string },
  path: string,
  asking: TarAsking,
): Promise<void> {
  const { content, headers, what } = await openTar(url, asking)
  const stored = await store(content, path)
  if (sha256 !== undefined && stored.sha256 !== sha256)
    throw new StatusError(
      'InvalidSpec',
      `the sha256 of ${what} is ${stored.sha256}, not ${sha256}: it is not used`,
    )
  if (!isAt(revision, headers, stored))
    throw new StatusError('Conflict', `${what} has changed since it was asked about`)
}

interface Stored {
  readonly sha256: string
  readonly bytes: number
}

/** Not every server says how long a file is to whoever asks for it, as to whoever asks about it. */
function isAt(revision: string, headers: IncomingHttpHeaders, { sha256, bytes }: Stored): boolean {
  if (revision.startsWith('sha256:')) return revision === `sha256:${sha256}`
  const [, time, length] = /^modified:(.*) (\d*)$/.exec(revision) ?? []
  if (time === undefined) return revision === revisionIn(headers)
  return time === headers['last-modified'] && (length === '' || Number(length) === bytes)
}

async function openTar(url: string, asking: TarAsking) {
  const { clock, mostBytes } = asking
  const { response, what } = await openWeb(url, { ...asking, method: 'GET' })
  const { statusCode, headers } = response
  if (statusCode !== 200 || Number(headers['content-length'] ?? 0) > mostBytes) response.destroy()
  if (statusCode !== 200) throw new StatusError('SourceUnavailable', `${what} answers ${statusCode}`)
  const length = Number(headers['content-length'] ?? 0)
  if (length > mostBytes) throw contextTooLarge(mostBytes, `an archive of ${length} bytes`)
  const content = watchedContent(response, { what, clock, mostBytes: Number.POSITIVE_INFINITY })
  return { content: bounded(content, mostBytes), headers, what }
}

/** Also of a server that does not say how long it is. */
async function* bounded(content: AsyncIterable<Uint8Array>, mostBytes: number): AsyncGenerator<Uint8Array> {
  let bytes = 0
  for await (const chunk of content) {
    bytes += chunk.length
    if (bytes > mostBytes) throw contextTooLarge(mostBytes, `an archive of more than ${mostBytes} bytes`)
    yield chunk
  }
}

function revisionIn(headers: IncomingHttpHeaders): string | undefined {
  const { etag, date, 'last-modified': modified, 'content-length': length = '' } = headers
  if (etag !== undefined && etag !== '') return `etag:${etag}`
  const age = Date.parse(date ?? '') - Date.parse(modified ?? '')
  return age >= 1000 ? `modified:${modified} ${length}` : undefined
}

async function store(content: AsyncIterable<Uint8Array>, path: string): Promise<Stored> {
  const hash = createHash('sha256')
  let bytes = 0
  const file = await open(path, 'wx', 0o600)
  try {
    for await (const chunk of content) {
      hash.update(chunk)
      bytes += chunk.length
      await file.writeFile(chunk)
    }
  } finally {
    await file.close()
  }
  return { sha256: hash.digest('hex'), bytes }
}
