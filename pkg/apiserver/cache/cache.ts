/**
 * What the API answers reads from: all objects of all kinds, fed by one watch of the storage. Lists and watches
 * reuse the texts it holds; an object is encoded once per change, however many watch. Writers wait until their
 * own write has come back this way, so everybody reads their writes.
 */
import { type Ambient, sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { ListResult, Storage, StoredEvent, StoredRecord } from '#pkg/storage/port.ts'
import { registryPrefix, storagePrefix } from './encoded.ts'
import { type Indexer, KindCache, type KindReader } from './kindcache.ts'
import { ViewCache } from './viewcache.ts'

export interface CacheOptions {
  readonly storage: Storage
  readonly kinds: readonly Kind[]
  readonly ambient: Ambient
  /** Changes per kind that are remembered at most, for watches to start from; default 2048. */
  readonly window?: number
  readonly index?: Indexer
}

export interface CacheStats {
  readonly revision: number
  readonly objects: number
  readonly watchers: number
  /** Changes taken from the storage. */
  readonly changes: number
  /** Times a change was turned into bytes for watchers. */
  readonly encodes: number
}

interface Waiter {
  readonly revision: number
  readonly resolve: () => void
  readonly reject: (error: StatusError) => void
}

export const defaultWindow = 2048
const pageSize = 1000
const retryMs = 1000
/** How long a reader waits for a revision that is not here yet. */
const patienceMs = 3000

export class Cache {
  readonly #storage: Storage
  readonly #ambient: Ambient
  readonly #kinds = new Map<string, KindCache>()
  readonly #views = new Map<string, ViewCache>()
  #revision = 0
  /** Somebody has begun to fill it. */
  #begun = false
  #listed = false
  #following = false
  #changes = 0
  #encodes = 0
  #waiters: Waiter[] = []

  constructor({ storage, kinds, ambient, window = defaultWindow, index = () => {} }: CacheOptions) {
    this.#storage = storage
    this.#ambient = ambient
    const onEncode = () => {
      this.#encodes++
    }
    const onUnreadable = (key: string, error: unknown) =>
      ambient.log.error('a stored object cannot be read', { key, error: messageOf(error) })
    for (const kind of kinds.filter(({ viewOf }) => viewOf === undefined)) {
      this.#kinds.set(storagePrefix(kind), new KindCache(kind, { window, index, onEncode, onUnreadable }))
    }
    for (const kind of kinds) this.#addView(kind, { onEncode, onUnreadable })
  }

  /** Everything up to here is in the cache. */
  get revision(): number {
    return this.#revision
  }

  /** Throws ServiceUnavailable while changes of the storage do not come in. */
  mustFollow(): void {
    if (!this.#following) throw new StatusError('ServiceUnavailable', 'the cache has lost the storage')
  }

  of(kind: Pick<Kind, 'group' | 'plural' | 'kind'>): KindReader {
    const prefix = storagePrefix(kind)
    const cache = this.#kinds.get(prefix) ?? this.#views.get(prefix)
    if (cache === undefined) throw new StatusError('InternalError', `no cache of kind ${kind.kind}`)
    return cache
  }

  all(): Iterable<KindCache> {
    return this.#kinds.values()
  }

  /** Reads the storage; from then on `run` follows it. Fails when the storage cannot be read. */
  async fill(): Promise<void> {
    const fresh = !this.#begun
    this.#begun = true
    const records: StoredRecord[] = []
    let revision = 0
    for await (const page of this.#pages()) {
      revision = page.revision
      // The first time nobody looks on, and what has been taken can go.
      if (fresh) this.#load(page.records)
      else records.push(...page.records)
    }
    const byPrefix = Map.groupBy(records, ({ key }) => prefixOf(key))
    for (const cache of this.#kinds.values()) {
      if (fresh) cache.window.reset(revision)
      else cache.replace(byPrefix.get(cache.prefix) ?? [], revision)
    }
    this.#moveTo(revision)
    this.#listed = true
  }

  /** Follows the storage until the signal aborts. Goes on where it was after a failure; lists again when it must. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#follow(signal)
      if (!signal.aborted) await pause(this.#ambient, signal)
    }
    this.#failWaiters('the server is stopping; the change may be stored')
    for (const { watchers } of this.#kinds.values()) for (const watcher of watchers) watcher.end()
  }

  /** Resolves when the cache shows `revision`. Fails with Timeout when it lost the storage meanwhile. */
  shows(revision: number): Promise<void> {
    return revision <= this.#revision ? Promise.resolve() : this.#wait(revision).promise
  }

  /** For a reader that wants at least `revision`: waits a little, then fails as Kubernetes does. */
  async atLeast(revision: number, signal: AbortSignal): Promise<void> {
    if (revision <= this.#revision) return
    const patience = new AbortController()
    const late = sleep(this.#ambient.clock, patienceMs, AbortSignal.any([signal, patience.signal]))
    const { waiter, promise } = this.#wait(revision)
    try {
      await Promise.race([promise, late.catch(rethrowUnless(patience.signal))])
    } finally {
      patience.abort()
      this.#waiters = this.#waiters.filter((other) => other !== waiter)
    }
    if (revision <= this.#revision) return
    const message = `Too large resource version: ${revision}, current: ${this.#revision}`
    const cause = {
      reason: 'ResourceVersionTooLarge' as const,
      message: 'Too large resource version',
      field: '',
    }
    throw new StatusError('Timeout', message, { causes: [cause], retryAfterSeconds: 1 })
  }

  stats(): CacheStats {
    let objects = 0
    let watchers = 0
    for (const cache of this.#kinds.values()) {
      objects += cache.size
      watchers += cache.watchers.size
    }
    return { revision: this.#revision, objects, watchers, changes: this.#changes, encodes: this.#encodes }
  }

  /** Until the signal aborts or the storage fails. */
  async #follow(signal: AbortSignal): Promise<void> {
    try {
      if (!this.#listed) await this.fill()
      const changes = this.#storage.watch(registryPrefix, this.#revision, signal)
      this.#following = true
      for await (const events of changes) this.#apply(events)
    } catch (error) {
      if (!signal.aborted) this.#lost(error)
    } finally {
      this.#following = false
    }
  }

  /** Everything as of one revision. */
  async *#pages(): AsyncGenerator<ListResult> {
    const options = { limit: pageSize, uncounted: true } as const
    let page = await this.#storage.list(registryPrefix, options)
    yield page
    const { revision } = page
    while (page.remaining > 0) {
      const after = page.records.at(-1)?.key ?? ''
      page = await this.#storage.list(registryPrefix, { ...options, revision, after })
      yield page
    }
  }

  #load(records: readonly StoredRecord[]): void {
    for (const record of records) this.#kinds.get(prefixOf(record.key))?.load(record)
  }

  #addView(
    kind: Kind,
    options: Pick<ConstructorParameters<typeof ViewCache>[2], 'onEncode' | 'onUnreadable'>,
  ) {
    const { viewOf } = kind
    const source = viewOf && this.#kinds.get(storagePrefix(viewOf.source))
    if (viewOf === undefined || source === undefined) return
    this.#views.set(storagePrefix(kind), new ViewCache(kind, source, { ...options, viewOf }))
  }

  #wait(revision: number): { waiter: Waiter; promise: Promise<void> } {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiter: Waiter = { revision, resolve, reject }
    this.#waiters.push(waiter)
    return { waiter, promise }
  }

  #apply(events: readonly StoredEvent[]): void {
    for (const event of events) {
      this.#changes++
      this.#kinds.get(prefixOf(event.record.key))?.apply(event)
    }
    const last = events.at(-1)
    if (last !== undefined) this.#moveTo(last.record.revision)
  }

  #moveTo(revision: number): void {
    this.#revision = revision
    const [shown, waiting] = [[] as Waiter[], [] as Waiter[]]
    for (const waiter of this.#waiters) (waiter.revision <= revision ? shown : waiting).push(waiter)
    this.#waiters = waiting
    for (const waiter of shown) waiter.resolve()
  }

  #lost(error: unknown): void {
    // Expired: changes are gone. Timeout: the store is behind us, so it was set back.
    if (isReason(error, 'Expired') || isReason(error, 'Timeout')) this.#listed = false
    this.#ambient.log.warn('the cache lost its watch of the storage', { error: messageOf(error) })
    this.#failWaiters('the change is stored, but the server cannot show it yet; read before trying again')
  }

  #failWaiters(why: string): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(new StatusError('Timeout', why))
  }
}

/** `/registry/GROUP/PLURAL/` of a key. */
function prefixOf(key: string): string {
  const plural = key.indexOf('/', registryPrefix.length) + 1
  return key.slice(0, key.indexOf('/', plural) + 1)
}

async function pause({ clock }: Ambient, signal: AbortSignal): Promise<void> {
  await sleep(clock, retryMs, signal).catch(rethrowUnless(signal))
}

/** Ignores a wait that ended because we ended it. */
function rethrowUnless(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
