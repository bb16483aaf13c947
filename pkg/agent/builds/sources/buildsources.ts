/**
 * Where the files of Builds come from, for the agent: what their places have now, what of it lies on the disk, and what
 * registries say of base images. Each pass says what is wanted; planners look at what was found.
 */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Build } from '#pkg/apis/build.ts'
import { EntryRoom } from '#pkg/build/context/entryroom.ts'
import { contextTooLarge } from '#pkg/build/context/normalise.ts'
import type { Client } from '#pkg/client/rest.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import type { CredentialSources } from '../../images/credentials.ts'
import type { OpOf } from '../../ops.ts'
import { type BuildFacts, type ContextMove, moveKey, type StoredContext } from '../port.ts'
import { type RoomSight, whileThereIsRoom } from '../roomwatch.ts'
import { BaseAnswers, type BaseQuestion } from './baseanswers.ts'
import { contextFetch } from './contextfetch.ts'
import { contextKey } from './contextkey.ts'
import { type Bytes, type ContextStore, DiskContextStore } from './contextstore.ts'
import { HostFolders } from './hostfolders.ts'
import { SourcePlaces } from './places.ts'
import type { Programs } from './program.ts'
import { SourceFollower } from './sourcefollower.ts'
import { type Askers, sourceQuestion } from './sourcequestions.ts'

export interface BuildSourcesOptions {
  readonly ambient: Ambient
  readonly client: Client
  /** The agent's own, for this. */
  readonly directory: string
  readonly programs: Omit<Programs, 'clock'>
  /** Absent: bases are not asked about. */
  readonly registry?: RegistryClient
  readonly credentials: CredentialSources
  /** Why there is no room where contexts are kept, in a sentence; never rejects. Absent: nobody looks. */
  readonly whyNoRoom?: (what: string) => Promise<string | undefined>
  /** Something is known that was not. */
  readonly onChange: () => void
}

export interface Wanted {
  readonly builds: Iterable<Build>
  /** One with a digest needs no question. */
  readonly bases: readonly BaseQuestion[]
}

/** Twice what one context of the largest kind takes: what is chosen from is read before it is chosen. */
const bytesForEntries = 1024 ** 3
/** One is of use until its Build is built. */
const mostMoves = 1024

export class BuildSources {
  readonly #credentials: CredentialSources
  readonly #store: ContextStore
  readonly #follower: SourceFollower
  readonly #bases: BaseAnswers | undefined
  readonly #folders: HostFolders
  readonly #places: SourcePlaces
  readonly #asking: string
  readonly #room: RoomSight
  readonly #entryRoom = new EntryRoom(bytesForEntries)
  /** By key: what several Builds want is fetched once. */
  readonly #fetching = new Map<string, Promise<StoredContext>>()
  /** By `moveKey`, the latest ones. */
  readonly #moves = new Map<string, ContextMove | 'unknown'>()

  constructor(options: BuildSourcesOptions) {
    const { ambient, client, directory, registry, credentials, onChange } = options
    const { clock } = ambient
    this.#credentials = credentials
    this.#room = { clock, whyNone: async () => await options.whyNoRoom?.('a context') }
    this.#asking = join(directory, 'asking')
    this.#store = new DiskContextStore(join(directory, 'contexts'), (error) =>
      ambient.log.warn('a context is fetched again after a start', { error: error.message }),
    )
    this.#follower = new SourceFollower({ clock, onAnswer: onChange })
    this.#folders = new HostFolders({
      ambient,
      directory: join(directory, 'stats'),
      onMove: (uid) => this.#follower.poke(uid),
    })
    const programs = { ...options.programs, clock }
    const { secretOf } = credentials
    this.#places = new SourcePlaces({ client, clock, programs, secretOf, directory: this.#asking })
    if (registry !== undefined)
      this.#bases = new BaseAnswers({ clock, registry, credentials, onAnswer: onChange })
  }

  /** What was kept before a start. Once, before all else. */
  async recall(): Promise<void> {
    await rm(this.#asking, { recursive: true, force: true })
    await mkdir(this.#asking, { recursive: true, mode: 0o700 })
    await this.#store.recall()
  }

  /** For a short commit all of a repository may have to be fetched. */
  readonly #askGit: Askers['git'] = (place, signal, before) =>
    whileThereIsRoom(this.#room, signal, (within) => this.#places.askGit(place, within, before))

  /** What is asked from now on, and nothing else. */
  follow({ builds, bases }: Wanted): void {
    const all = [...builds]
    const askers = {
      git: this.#askGit,
      tar: this.#places.askTar.bind(this.#places),
      hostPath: this.#folders.ask.bind(this.#folders),
    }
    const { secretOf } = this.#credentials
    this.#follower.follow(all.flatMap((build) => sourceQuestion(build, askers, secretOf) ?? []))
    this.#folders.watch(all)
    this.#bases?.follow(bases)
  }

  /** What planners look at. */
  facts(): Pick<BuildFacts, 'sources' | 'contexts' | 'moves' | 'bases'> {
    return {
      sources: this.#follower.answers(),
      contexts: this.#store.facts(),
      moves: this.#moves,
      bases: this.#bases?.answers() ?? new Map(),
    }
  }

  /** Asks at once what the Build of that uid comes from. */
  poke(uid: string): void {
    this.#follower.poke(uid)
  }

  /** When the place of a Build, or one of these images, is asked about next, by itself; ms since the epoch. */
  nextAskAt(uid: string, bases: readonly string[] = []): number | undefined {
    const times = [this.#follower.nextAskAt(uid), ...bases.map((each) => this.#bases?.nextAskAt(each))]
    const known = times.filter((time) => time !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  /**
   * `uid`: of the Build, whose place is asked again at once when it has something else by now (Conflict). Throws
   * ContextTooLarge, RefNotFound, InvalidSpec, SourceUnavailable, NoSpace.
   */
  async fetchContext(
    op: OpOf<'fetchContext'>,
    uid: string | undefined,
    signal: AbortSignal,
  ): Promise<StoredContext> {
    try {
      const context = mustFit(await this.#fetchOnce(op, signal), op.maxBytes)
      if (op.before !== undefined) await this.#compare(op.before, context.digest)
      return context
    } catch (error) {
      if (uid !== undefined && isReason(error, 'Conflict')) this.#follower.poke(uid)
      throw error
    }
  }

  async #compare(before: string, after: string): Promise<void> {
    if (before === after) return
    const key = moveKey(before, after)
    const move = await this.#store.compare(before, after)
    this.#moves.delete(key)
    this.#moves.set(key, move ?? 'unknown')
    for (const oldest of this.#moves.keys()) {
      if (this.#moves.size <= mostMoves) break
      this.#moves.delete(oldest)
    }
  }

  /** The archive of a context of `facts`. Throws NotFound when it is gone. */
  async open(digest: string): Promise<Bytes> {
    return await this.#store.open(digest)
  }

  /** Removes contexts that none of these keys leads to. `compared`: digests that others are compared with. */
  async sweep(keep: ReadonlySet<string>, compared: ReadonlySet<string>): Promise<void> {
    await this.#store.sweep(new Set([...keep, ...this.#fetching.keys()]), compared)
  }

  /** Resolves when nothing is asked or watched any more. */
  async close(): Promise<void> {
    this.#folders.close()
    await Promise.all([this.#follower.close(), this.#bases?.close(), this.#store.close()])
  }

  async #fetchOnce(op: OpOf<'fetchContext'>, signal: AbortSignal): Promise<StoredContext> {
    const key = contextKey(op)
    // Whoever comes second waits, and fetches it when the first was broken off.
    for (let first = this.#fetching.get(key); first !== undefined; first = this.#fetching.get(key)) {
      await Promise.race([settled(first), aborted(signal)])
      signal.throwIfAborted()
    }
    const { keep, giveBack } = this.#entryRoom.share()
    const parts = { ...this.#places.parts(this.#folders), keep }
    const fetching = whileThereIsRoom(this.#room, signal, (within) =>
      this.#store.put(key, contextFetch(op, parts, within)).finally(giveBack),
    )
    this.#fetching.set(key, fetching)
    try {
      return await fetching
    } finally {
      this.#fetching.delete(key)
    }
  }
}

async function settled(work: Promise<unknown>): Promise<void> {
  await Promise.allSettled([work])
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** What was fetched for another Build may be more than this one allows. */
function mustFit(context: StoredContext, maxBytes: number): StoredContext {
  if (context.bytes <= maxBytes) return context
  throw contextTooLarge(maxBytes, `${context.bytes} bytes`)
}
