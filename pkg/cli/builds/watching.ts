/** `cove build --watch`: builds, and builds again whenever something of its contexts has changed, until somebody ends it. */
import { dirname, resolve } from 'node:path'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { ownIgnoreFile } from '#pkg/build/context/ignorefile.ts'
import { watchContext } from '#pkg/build/context/watch.ts'
import { decodeManifest } from '#pkg/manifest/decode.ts'
import { CliError, errorText, exitCodes, Failed, isInterrupt, UsageError } from '../errors.ts'
import { BrokenPipe, type Io } from '../io.ts'
import type { AskedFor } from './asked.ts'
import { type BuildWritten, buildWritten } from './buildwritten.ts'
import { readIgnore } from './contexts.ts'

interface WatchingContext {
  readonly io: Pick<Io, 'clock' | 'cwd' | 'signal' | 'stderr'>
  /** Rejects when there is no server. */
  readonly session: () => Promise<unknown>
}

interface Watched {
  /** Absolute. */
  readonly root: string
  readonly build: BuildWritten
  /** Files that count besides. */
  readonly besides: readonly string[]
}

/** `build` asks anew: manifests, and what they name, may have changed. */
export async function buildAndWatch(
  asked: AskedFor,
  { io, session }: WatchingContext,
  build: () => Promise<number>,
): Promise<number> {
  if (asked.kind !== 'set' || asked.dispose !== undefined)
    throw new UsageError('--watch needs a folder here: a PATH, or -f with a spec.context.path', 'build')
  const folders = watchedFolders(asked, io.cwd)
  if (folders.length === 0) throw new CliError('there is no folder to watch: no Build has a context.path')
  // Without a server there is nothing to wait for.
  await session()
  const changes = new Changes()
  for (const folder of folders)
    await watchContext({
      root: folder.root,
      besides: [...folder.besides],
      readIgnore: () => readIgnore(folder.root, folder.build),
      clock: io.clock,
      signal: io.signal,
      onChange: (path) => changes.note(path),
      onError: (error) => changes.warn(`${folder.root} is not watched as it should be: ${messageOf(error)}`),
    })
  io.signal.addEventListener('abort', () => changes.end(), { once: true })
  try {
    for (let change: Change | undefined = {}; change !== undefined; change = await changes.next()) {
      if (change.warning !== undefined) await io.stderr.write(`Warning: ${change.warning}\n`)
      if (change.path !== undefined) await io.stderr.write(`${change.path} changed\n`)
      // Of a warning alone nothing new can come.
      else if (change.warning !== undefined) continue
      await attempt(build, io)
      await io.stderr.write('Waiting for changes; Ctrl-C ends it\n')
    }
  } catch (error) {
    // Nothing else ends it.
    if (!isOver(error, io.signal)) throw error
  }
  return exitCodes.ok
}

/** Whoever was following a build has said that it was left. */
function isOver(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error instanceof Failed || isInterrupt(error, signal))
}

/** What is wrong is told, and the next change is tried: it may be what puts it right. */
async function attempt(
  build: () => Promise<number>,
  { signal, stderr }: WatchingContext['io'],
): Promise<void> {
  try {
    await build()
  } catch (error) {
    if (signal.aborted || error instanceof BrokenPipe) throw error
    // Of what has failed so, all has been printed.
    if (!(error instanceof Failed)) await stderr.write(errorText(error))
  }
}

function watchedFolders({ sources }: AskedFor & { kind: 'set' }, cwd: string): Watched[] {
  return sources.flatMap((source) => {
    const isFile = source.name !== '-' && !/^https?:\/\//.test(source.name)
    const file = resolve(cwd, source.name)
    const base = isFile ? dirname(file) : cwd
    return decodeManifest(source).documents.flatMap(({ value }) =>
      watchedOf(value, base).map((found) => ({
        ...found,
        besides: [...found.besides, ...(isFile ? [file] : [])],
      })),
    )
  })
}

function watchedOf(value: unknown, base: string): Watched[] {
  const build = isPlainObject(value) ? buildWritten(value) : undefined
  if (build?.path === undefined) return []
  const root = resolve(base, build.path)
  const own = resolve(root, build.dockerfile)
  return [{ root, build, besides: [own, ...ownIgnoreFile(own)] }]
}

/** Neither: the beginning. */
interface Change {
  /** Of the first file that changed. */
  readonly path?: string
  readonly warning?: string
}

/** What changed while nobody waited is one change. */
class Changes {
  #change: Change = {}
  #ended = false
  #wake = Promise.withResolvers<void>()

  note(path: string): void {
    this.#tell({ path, ...this.#change })
  }

  warn(warning: string): void {
    this.#tell({ warning, ...this.#change })
  }

  end(): void {
    this.#ended = true
    this.#wake.resolve()
  }

  /** Undefined: it is over. */
  async next(): Promise<Change | undefined> {
    await this.#wake.promise
    this.#wake = Promise.withResolvers<void>()
    const change = this.#change
    this.#change = {}
    return this.#ended ? undefined : change
  }

  #tell(change: Change): void {
    this.#change = change
    this.#wake.resolve()
  }
}
