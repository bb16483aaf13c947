/**
 * Folders of the node as contexts: looked at with a memory of what was read before, watched, and taken as they are. Links
 * are taken as links. A file that changes while it is read is noticed: what was taken is then not what was looked at.
 */
import { readFile, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import type { Build } from '#pkg/apis/build.ts'
import { readFolder } from '#pkg/build/context/folder.ts'
import { contextIgnore, type Ignore } from '#pkg/build/context/ignore.ts'
import { ignoreFilesOf, ownIgnoreFile } from '#pkg/build/context/ignorefile.ts'
import { contextTooLarge, longestText } from '#pkg/build/context/normalise.ts'
import { packFolder } from '#pkg/build/context/pack.ts'
import { StatCache } from '#pkg/build/context/statcache.ts'
import { unreadable, walkFolder } from '#pkg/build/context/walk.ts'
import { watchContext } from '#pkg/build/context/watch.ts'
import type { ContextSource } from '../port.ts'
import { type Taken, takeWhole, textNames } from './contextarchives.ts'
import type { ContextFetched } from './contextstore.ts'
import type { PlaceOf } from './sourcequestions.ts'

export interface HostFoldersOptions {
  readonly ambient: Ambient
  /** For what was read before. */
  readonly directory: string
  /** The folder of the Build of that uid has changed, or may have before it was watched. */
  readonly onMove: (uid: string) => void
}

export type FolderPlace = PlaceOf<'hostPath'> & Pick<Taken, 'ignore' | 'dockerfile'>

interface Watch {
  readonly key: string
  readonly abort: AbortController
}

export class HostFolders {
  readonly #options: HostFoldersOptions
  /** By uid. */
  readonly #watches = new Map<string, Watch>()

  constructor(options: HostFoldersOptions) {
    this.#options = options
  }

  /** What it is now. Throws BadRequest, ContextTooLarge never: whoever wants it says how much it may be. */
  async ask(place: FolderPlace, signal: AbortSignal): Promise<ContextSource> {
    const { ambient, directory } = this.#options
    const { clock, random, log } = ambient
    const root = await rootOf(place.path)
    const cache = await StatCache.open({ directory, root, clock, random })
    const ignore = await ignoreOf(root, place)
    const maxBytes = Number.POSITIVE_INFINITY
    const { digest } = await readFolder({ root, ignore, maxBytes, clock, signal, cache })
    const trouble = await cache.save()
    if (trouble !== undefined) log.warn(trouble, { folder: place.path })
    const texts = await textsOf(root, place.dockerfile)
    return { type: 'hostPath', path: place.path, revision: revisionOf(digest, texts) }
  }

  /** With a `revision` it throws Conflict when it has become another one. */
  async fetch(
    { path, revision }: { readonly path: string; readonly revision?: string },
    taken: Taken,
    signal: AbortSignal,
  ): Promise<ContextFetched> {
    const root = await rootOf(path)
    const entries = await walkFolder({ root, ignore: await ignoreOf(root, taken), signal })
    const characters = entries.reduce((total, { path }) => total + path.length, 0)
    taken.keep?.(entries.length, characters)
    const bytes = entries.reduce((total, { size }) => total + size, 0)
    if (bytes > taken.maxBytes)
      throw contextTooLarge(taken.maxBytes, `${humanBytes(bytes)} in ${entries.length} files`)
    const texts = await textsOf(root, taken.dockerfile)
    const { content, contents } = takeWhole(packFolder({ root, entries }, signal), taken)
    return {
      content,
      contents: async (archive) => {
        const found = await contents(archive)
        if (revision !== undefined && revision !== revisionOf(found.digest, texts))
          throw new StatusError('Conflict', `${path} has changed while it was read`)
        // Its Dockerfile may be left out of what is sent.
        return { ...found, dockerfiles: { ...texts, ...found.dockerfiles } }
      },
    }
  }

  /** Those of these Builds that want to be told are watched from now on, and no others. */
  watch(builds: Iterable<Build>): void {
    const wanted = new Map([...builds].filter(isWatched).map((build) => [build.metadata.uid ?? '', build]))
    for (const [uid, { key, abort }] of this.#watches) {
      const build = wanted.get(uid)
      if (build !== undefined && keyOf(build) === key) continue
      abort.abort()
      this.#watches.delete(uid)
    }
    for (const [uid, build] of wanted) if (!this.#watches.has(uid)) this.#begin(uid, build)
  }

  close(): void {
    for (const { abort } of this.#watches.values()) abort.abort()
    this.#watches.clear()
  }

  #begin(uid: string, build: Build): void {
    const { ambient, onMove } = this.#options
    const { context, ignore, dockerfile, dockerfileInline } = build.spec
    const { hostPath: root = '' } = context
    const own = dockerfileInline === undefined ? dockerfile : undefined
    const abort = new AbortController()
    this.#watches.set(uid, { key: keyOf(build), abort })
    // Without it the folder is still looked at in intervals.
    const onError = (error: unknown) =>
      ambient.log.warn('a folder is not watched as it should be', { folder: root, error: messageOf(error) })
    watchContext({
      root,
      readIgnore: () => ignoreOf(root, { ignore, dockerfile: own }),
      // They count also when they are left out of what is sent.
      besides: own === undefined ? [] : [own, ...ownIgnoreFile(own)].map((name) => join(root, name)),
      clock: ambient.clock,
      signal: abort.signal,
      onChange: () => onMove(uid),
      onError,
    })
      // What has changed until now no watch tells of.
      .then(() => (abort.signal.aborted ? undefined : onMove(uid)))
      .catch(onError)
  }
}

function isWatched({ metadata, spec }: Build): boolean {
  const { context, triggers, suspend } = spec
  if (metadata.deletionTimestamp !== undefined || suspend) return false
  return context.hostPath !== undefined && triggers.context
}

function keyOf({ spec }: Build): string {
  return fingerprint([
    spec.context.hostPath,
    spec.ignore,
    spec.dockerfile,
    spec.dockerfileInline === undefined,
  ])
}

/** That of the Dockerfile goes before the one of the folder, as with docker. */
async function ignoreOf(
  root: string,
  { ignore, dockerfile }: Pick<Taken, 'ignore' | 'dockerfile'>,
): Promise<Ignore> {
  let text: string | undefined
  for (const name of ignoreFilesOf(dockerfile)) text ??= await textIn(root, name)
  return contextIgnore(text, ignore)
}

async function textsOf(
  root: string,
  dockerfile: string | undefined,
): Promise<Readonly<Record<string, string>>> {
  const texts: Record<string, string> = {}
  for (const name of textNames(dockerfile)) {
    const text = await textIn(root, name)
    if (text !== undefined) texts[name] = text
  }
  return texts
}

/** Also when the Dockerfile itself is left out of what is sent. */
function revisionOf(digest: string, texts: Readonly<Record<string, string>>): string {
  return `${digest} ${fingerprint(texts)}`
}

/** Links are followed as long as they stay inside. Undefined: there is no such file, or it is no Dockerfile by its size. */
async function textIn(root: string, name: string): Promise<string | undefined> {
  try {
    const inside = await realpath(root)
    const path = await realpath(join(inside, name))
    if (!path.startsWith(`${inside}${sep}`)) return undefined
    const stats = await stat(path)
    return stats.isFile() && stats.size <= longestText ? await readFile(path, 'utf8') : undefined
  } catch (error) {
    if (isNoFile(error)) return undefined
    throw unreadable(name, error)
  }
}

async function rootOf(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    throw new StatusError(
      'SourceUnavailable',
      `${path} cannot be read: ${messageOf(error)}`,
      {},
      { cause: error },
    )
  }
}

function isNoFile(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(?:ENOENT|ENOTDIR|ELOOP)$/.test(String(error.code))
}
