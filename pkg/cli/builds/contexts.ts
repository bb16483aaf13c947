/**
 * Build contexts beside manifests: `spec.context.path` names a folder, or a tar archive, which is read here and called by
 * what is in it, so that the object says the same whoever applies it; and the Dockerfile goes along as text. What is
 * wrong with either is told before anything is sent. Which files have not changed is remembered on this machine's disk.
 */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { isAbsolute, join, posix, resolve } from 'node:path'
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { isMissing } from '#pkg/apimachinery/files.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { TreeEntry } from '#pkg/build/context/entry.ts'
import { type ContextFolder, readFolder } from '#pkg/build/context/folder.ts'
import { contextIgnore, type Ignore } from '#pkg/build/context/ignore.ts'
import { ignoreFilesOf } from '#pkg/build/context/ignorefile.ts'
import { normaliseArchive, summarise } from '#pkg/build/context/normalise.ts'
import { archiveBytes, packFolder } from '#pkg/build/context/pack.ts'
import { StatCache } from '#pkg/build/context/statcache.ts'
import type { Io } from '../io.ts'
import type { BuildWritten, ContextProblem, LocalWorld } from './buildwritten.ts'
import { dockerfileProblems } from './contextcheck.ts'
import { ownDockerfile, textOfFile } from './contextfiles.ts'
import { readingProgress } from './contextprogress.ts'

export interface LocalContext {
  /** To be sent before the object. */
  readonly upload: {
    /** For messages. */
    readonly path: string
    readonly absolute: string
    /** `tree:` and 64 hex digits. */
    readonly digest: string
    /** Of what is sent. */
    readonly bytes: number
    readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>
  }
  /** For spec.dockerfileInline. */
  readonly dockerfile: string
  /** Of all files together. */
  readonly bytes: number
  readonly files: number
  readonly warnings: readonly string[]
}

/** All that is sent is worth a word from here on. */
const largeBytes = 100e6

const pathField = 'spec.context.path'

/** `absolute`: the folder or archive that `build.path` names. */
export async function readContext(
  absolute: string,
  build: BuildWritten,
  world: LocalWorld,
): Promise<LocalContext | readonly ContextProblem[]> {
  try {
    const isFolder = (await stat(absolute)).isDirectory()
    const read = isFolder
      ? await fromFolder(absolute, build, world)
      : await fromArchive(absolute, build, world)
    if ('problem' in read) return [read.problem]
    const { dockerfile, bytes, files, entries, open } = read
    const problems = dockerfileProblems(build, { dockerfile, entries, ignore: read.ignore })
    if (problems.length > 0) return problems
    const upload = {
      path: `context ${build.path}`,
      absolute,
      digest: read.digest,
      bytes: read.archiveBytes,
      open,
    }
    return { upload, dockerfile, bytes, files, warnings: [...largeWarning(read), ...read.warnings] }
  } catch (error) {
    world.signal.throwIfAborted()
    return [{ field: pathField, message: whyNot(absolute, error) }]
  }
}

/** Below XDG_CACHE_HOME, or in .cache at home. */
export function contextCacheDirectory({ env, home }: Pick<Io, 'env' | 'home'>): string {
  const { XDG_CACHE_HOME: said = '' } = env
  return join(isAbsolute(said) ? said : join(home, '.cache'), 'cove', 'contexts')
}

/** What a .dockerignore leaves out, one beside the Dockerfile before that of the folder; and what the Build adds. */
export async function readIgnore(root: string, build: BuildWritten): Promise<Ignore> {
  let text: string | undefined
  for (const name of ignoreFilesOf(build.inline === undefined ? build.dockerfile : undefined))
    text ??= await textOfFile(resolve(root, name))
  return contextIgnore(text, build.ignore)
}

interface Read extends Pick<ContextFolder, 'digest' | 'bytes' | 'files'> {
  readonly entries: readonly TreeEntry[]
  readonly dockerfile: string
  readonly ignore: Ignore
  readonly archiveBytes: number
  readonly open: (signal: AbortSignal) => AsyncIterable<Uint8Array>
  readonly warnings: readonly string[]
}

async function fromFolder(
  root: string,
  build: BuildWritten,
  world: LocalWorld,
): Promise<Read | { readonly problem: ContextProblem }> {
  const dockerfile = build.inline ?? (await ownDockerfile(root, build))
  if (typeof dockerfile !== 'string') return { problem: dockerfile }
  const ignore = await readIgnore(root, build)
  const { clock, random, signal } = world
  const directory = contextCacheDirectory(world)
  const cache = await StatCache.open({ directory, root, clock, random })
  const { onRead, end } = readingProgress(build.path, world)
  const { maxBytes } = build
  const folder = await readFolder({ root, ignore, maxBytes, clock, signal, cache, onRead }).finally(end)
  const lost = await cache.save()
  const open = (until: AbortSignal) => packFolder(folder, until, { reusesMemory: true })
  const warnings = lost === undefined ? [] : [lost]
  return { ...folder, dockerfile, ignore, archiveBytes: archiveBytes(folder), open, warnings }
}

/** Read twice: what it leaves out may stand at its end. */
async function fromArchive(
  path: string,
  build: BuildWritten,
  world: LocalWorld,
): Promise<Read | { readonly problem: ContextProblem }> {
  const { signal } = world
  const content = () => createReadStream(path, { highWaterMark: 1024 ** 2, signal })
  const { onRead, end } = readingProgress(build.path, world)
  const { size } = await stat(path)
  let read = 0
  async function* counted() {
    for await (const chunk of content()) {
      read += chunk.length
      await onRead(read, 2 * size)
      yield chunk
    }
  }
  const { maxBytes } = build
  const name = posix.normalize(build.dockerfile)
  const ignoreNames = ignoreFilesOf(build.inline === undefined ? name : undefined)
  const names = [name, 'dockerfile', ...ignoreNames]
  const texts = new Set(names)
  const all = await summarise(counted(), { maxBytes: Number.POSITIVE_INFINITY, texts }).finally(end)
  const dockerfile =
    build.inline ?? all.texts[name] ?? (name === 'Dockerfile' ? all.texts['dockerfile'] : undefined)
  if (dockerfile === undefined)
    return {
      problem: { field: 'spec.dockerfile', message: `there is no ${JSON.stringify(name)} in the archive` },
    }
  const [lines] = ignoreNames.flatMap((each) => all.texts[each] ?? [])
  const ignore = contextIgnore(lines, build.ignore)
  const summary = await summarise(counted(), { maxBytes, ignore }).finally(end)
  const open = () => normaliseArchive(content(), { maxBytes, ignore }).archive
  return { ...summary, dockerfile, ignore, open, warnings: [] }
}

function largeWarning({ bytes, files }: Pick<Read, 'bytes' | 'files'>): string[] {
  if (bytes < largeBytes) return []
  return [
    `the context has ${humanBytes(bytes)} in ${files} files, which are all sent: leave out what is not needed with a .dockerignore`,
  ]
}

function whyNot(absolute: string, error: unknown): string {
  if (isReason(error, 'ContextTooLarge')) return `ContextTooLarge: ${messageOf(error)}`
  if (error instanceof StatusError) return error.message
  return `cannot read "${absolute}": ${isMissing(error) ? 'there is no such file or folder' : messageOf(error)}`
}
