/** How the files of each kind of source come to the disk. Throws InvalidSpec for what can be no context. */
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { Keep } from '#pkg/build/context/entryroom.ts'
import { packInline } from '#pkg/build/context/inline.ts'
import { contextTooLarge } from '#pkg/build/context/normalise.ts'
import type { Client } from '#pkg/client/rest.ts'
import { openUpload } from '../../images/fetchfile.ts'
import type { OpOf } from '../../ops.ts'
import type { ContextSource } from '../port.ts'
import { takeChosen, takeWhole } from './contextarchives.ts'
import type { Bytes, ContextFetch, ContextFetched } from './contextstore.ts'
import { checkOut } from './git.ts'
import type { GitSession } from './gitprogram.ts'
import type { HostFolders } from './hostfolders.ts'
import { downloadTar } from './tarurl.ts'

export interface FetchParts {
  /** Told what is kept in memory of the files while they are fetched. */
  readonly keep?: Keep
  readonly client: Client
  readonly clock: Clock
  readonly folders: Pick<HostFolders, 'fetch'>
  /** For a repository, in a folder of its own. Throws what its Secret throws. */
  readonly gitSession: (
    place: { readonly url: string; readonly secret?: string },
    bounds: Pick<GitSession, 'directory' | 'mostBytes' | 'signal'>,
  ) => GitSession
}

type Op = Pick<OpOf<'fetchContext'>, 'source' | 'maxBytes' | 'ignore' | 'dockerfile'>

/** What is ignored comes along, whoever it comes from, and is left out only here; at least so much may come. */
const timesWithIgnored = 2
const leastWithIgnored = 64 * 1024 ** 2
/** Git keeps files twice, packed and checked out; a server of plain files also sends what they were at all times before. */
const timesOfGit = 2
const leastOfGit = 1024 ** 3

export function contextFetch(op: Op, parts: FetchParts, signal: AbortSignal): ContextFetch {
  return async (scratch) => {
    const asked = { op, parts, signal, scratch }
    try {
      const { content, contents, ...rest } = await fetchSource(op.source, asked)
      return { ...rest, content: told(content, signal), contents: (path) => contents(path).catch(refuse) }
    } catch (error) {
      return refuse(error)
    }
  }
}

/** What it throws is what a Build can say. */
async function* told(content: Bytes, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of content) {
      signal.throwIfAborted()
      yield chunk
    }
  } catch (error) {
    refuse(error)
  }
}

function refuse(error: unknown): never {
  if (!(error instanceof StatusError)) throw error
  const { reason, message } = error
  if (reason === 'BadRequest')
    throw new StatusError('InvalidSpec', `the context: ${message}`, {}, { cause: error })
  if (reason !== 'NotFound') throw error
  throw new StatusError('SourceUnavailable', message, {}, { cause: error })
}

interface Fetching {
  readonly op: Op
  readonly parts: FetchParts
  readonly signal: AbortSignal
  readonly scratch: string
}

async function fetchSource(source: ContextSource, fetching: Fetching): Promise<ContextFetched> {
  const taken = { ...fetching.op, dockerfile: fetching.op.dockerfile, keep: fetching.parts.keep }
  switch (source.type) {
    case 'upload':
      return asNamed(source.upload, takeWhole(uploaded(source, fetching), taken))
    case 'inline':
      return await takeChosen(() => packInline(source.files), taken, taken.maxBytes)
    case 'empty':
      return takeWhole(packInline({}), taken)
    case 'tar':
      return await fetchTar(source, fetching)
    case 'git':
      return await fetchGit(source, fetching)
    case 'hostPath':
      return await fetching.parts.folders.fetch(source, taken, fetching.signal)
  }
}

/** What was sent is what it was called by, or it is not used. */
function asNamed(name: string, { contents, ...fetched }: ContextFetched): ContextFetched {
  return {
    ...fetched,
    contents: async (path) => {
      const found = await contents(path)
      if (found.digest === name) return found
      throw new StatusError('InvalidSpec', `upload ${name} holds other files: ${found.digest}`)
    },
  }
}

/** The connection ends with its reader, wherever that stops. */
async function* uploaded(
  source: Extract<ContextSource, { type: 'upload' }>,
  { parts, signal }: Fetching,
): AsyncGenerator<Uint8Array> {
  const reading = new AbortController()
  try {
    yield* await openUpload(source, parts, AbortSignal.any([signal, reading.signal]))
  } finally {
    reading.abort()
  }
}

async function fetchTar(
  source: Extract<ContextSource, { type: 'tar' }>,
  { op, parts, signal, scratch }: Fetching,
): Promise<ContextFetched> {
  const mostBytes = withIgnored(op.maxBytes)
  const path = join(scratch, 'archive')
  try {
    await downloadTar(source, path, { clock: parts.clock, signal, mostBytes })
    const taken = { ...op, dockerfile: op.dockerfile, keep: parts.keep }
    return await takeChosen(() => createReadStream(path), taken, mostBytes)
  } catch (error) {
    if (!isReason(error, 'ContextTooLarge')) throw error
    const found = `more than ${humanBytes(mostBytes)}, with what is ignored`
    throw contextTooLarge(op.maxBytes, found)
  }
}

async function fetchGit(
  source: Extract<ContextSource, { type: 'git' }>,
  { op, parts, signal, scratch }: Fetching,
): Promise<ContextFetched> {
  const mostFileBytes = withIgnored(op.maxBytes)
  const mostBytes = Math.max(leastOfGit, timesOfGit * mostFileBytes)
  const session = parts.gitSession(source, { directory: scratch, mostBytes, signal })
  const folder = await checkOut({ ...source, mostFileBytes }, session)
  // What git keeps of itself is no part of what it keeps.
  const ignore = [...op.ignore, '.git', '**/.git']
  const taken = { ...op, ignore, dockerfile: op.dockerfile, keep: parts.keep }
  const fetched = await parts.folders.fetch({ path: folder }, taken, signal)
  return { ...fetched, revision: source.commit }
}

/** Of all files together that a place may send. */
function withIgnored(maxBytes: number): number {
  return Math.max(leastWithIgnored, timesWithIgnored * maxBytes)
}
