/**
 * A local copy of a kind, kept by list and watch: the only thing controllers and agents read. It heals by
 * itself: an expired revision lists again, any other break is retried with growing, jittered pauses.
 */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Client, ListOptions } from './rest.ts'

/** Objects are shared: nobody may change them. They come without metadata.managedFields. */
export interface Reader<T> {
  /** By `namespace/name`. */
  get(key: string): T | undefined
  list(): Iterable<T>
}

export interface InformerOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly ambient: Ambient
  readonly select?: ListOptions
  /** What of each object is kept, for readers that need little; absent: all of it. Keeps name, uid and resourceVersion. */
  readonly trim?: (object: T) => T
  /** Which objects the copy has, for readers of few; absent: every one. Any other is as if there were none. */
  readonly keep?: (object: T) => boolean
  /** Whether a change that a watch tells is one for onChange; absent: every one is. The copy shows it in any case. */
  readonly matters?: (before: T, after: T) => boolean
  /** Something under this key changed; called after the copy shows it. */
  readonly onChange: (key: string) => void
  /** After each complete list, when the copy is what the server said; and with the error after each failure. */
  readonly onTurn?: (error: unknown) => void
}

/** A whole kind in one text can be larger than all that is kept of it. */
const pageSize = 1000
const backoff = { first: 500, most: 30_000 }
/** A watch that says nothing and ends sooner than this has not worked. */
const shortestWatch = 1000

interface Turn {
  /** Where to go on from; undefined: with a list. */
  readonly revision: string | undefined
  readonly worked: boolean
  readonly error?: unknown
}

export class Informer<T extends KubeObject> implements Reader<T> {
  readonly #options: InformerOptions<T>
  readonly #objects = new Map<string, T>()
  readonly #synced: PromiseWithResolvers<void> = Promise.withResolvers()
  #complete = false
  #rest = new AbortController()

  constructor(options: InformerOptions<T>) {
    this.#options = options
  }

  get(key: string): T | undefined {
    return this.#objects.get(key)
  }

  list(): Iterable<T> {
    return this.#objects.values()
  }

  /** What an earlier run has seen, until the server says what is true now; before `run`. */
  seed(objects: Iterable<T>): void {
    for (const object of objects) this.#objects.set(objectKey(object.metadata), object)
  }

  /** Whether the server has told the whole in this run. */
  isComplete(): boolean {
    return this.#complete
  }

  /** The server is back: a pause after a failure is over. */
  retryNow(): void {
    this.#rest.abort()
  }

  /** Resolves after the first complete list, or when the signal aborts. */
  synced(signal: AbortSignal): Promise<void> {
    if (signal.aborted) this.#synced.resolve()
    signal.addEventListener('abort', () => this.#synced.resolve(), { once: true })
    return this.#synced.promise
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0
    let expiries = 0
    let revision: string | undefined
    while (!signal.aborted) {
      const turn = await this.#turn(revision, signal)
      if (turn.worked) failures = expiries = 0
      if (signal.aborted) return
      revision = turn.revision
      if (turn.error === undefined) continue
      this.#options.onTurn?.(turn.error)
      const expired = isReason(turn.error, 'Expired')
      if (expired) expiries++
      // Whoever answers that can be reached: the failures to get through before are forgiven.
      failures = expired ? expiries : failures + 1
      // The first expiry is the way of the world; the second in a row is a failure like any other.
      if (!expired || expiries > 1) await this.#pause(failures, turn.error, signal)
    }
  }

  /** Lists when there is no revision to go on from, and watches until that ends. */
  async #turn(from: string | undefined, signal: AbortSignal): Promise<Turn> {
    const { clock } = this.#options.ambient
    let began = clock.now()
    let revision = from
    let worked = false
    try {
      revision ??= await this.#list(signal)
      began = clock.now()
      for await (const next of this.#watch(revision, signal)) {
        revision = next
        worked = true
      }
      if (worked || clock.now() - began >= shortestWatch) return { revision, worked: true }
      return { revision, worked, error: new Error('the watch ended at once') }
    } catch (error) {
      worked ||= clock.now() - began >= backoff.most
      return { revision: isReason(error, 'Expired') ? undefined : revision, worked, error }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, kind, select = {}, onChange, trim = asItIs, keep = always } = this.#options
    const found = new Map<string, T>()
    let resourceVersion = ''
    for await (const page of client.pages(kind, select, pageSize, signal)) {
      for (const item of page.items)
        if (keep(item)) found.set(objectKey(item.metadata), trim(withoutManagers(item)))
      resourceVersion = page.resourceVersion
    }
    const changed = [...found.entries()].filter(([key, item]) => !sameRevision(this.#objects.get(key), item))
    const gone = [...this.#objects.keys()].filter((key) => !found.has(key))
    for (const key of gone) this.#objects.delete(key)
    for (const [key, item] of changed) this.#objects.set(key, item)
    this.#complete = true
    this.#synced.resolve()
    for (const key of [...gone, ...changed.map(([name]) => name)]) onChange(key)
    this.#options.onTurn?.(undefined)
    return resourceVersion
  }

  /** Yields the revision up to which the copy is complete. */
  async *#watch(from: string, signal: AbortSignal): AsyncGenerator<string> {
    const {
      client,
      kind,
      select = {},
      onChange,
      ambient,
      trim = asItIs,
      keep = always,
      matters = always,
    } = this.#options
    // A bounded watch cannot hang for good on a connection that died silently.
    const timeoutSeconds = 300 + Math.floor(ambient.random.next() * 300)
    for await (const event of client.watch(
      kind,
      { ...select, resourceVersion: from, timeoutSeconds },
      signal,
    )) {
      if (event.type === 'BOOKMARK') {
        yield event.resourceVersion
        continue
      }
      const key = objectKey(event.object.metadata)
      const before = this.#objects.get(key)
      const gone = event.type === 'DELETED' || !keep(event.object)
      const after = gone ? undefined : trim(withoutManagers(event.object))
      if (after === undefined) this.#objects.delete(key)
      else this.#objects.set(key, after)
      const unknown = before === undefined && after === undefined
      if (!unknown && (before === undefined || after === undefined || matters(before, after))) onChange(key)
      yield event.object.metadata.resourceVersion ?? from
    }
  }

  async #pause(failures: number, error: unknown, signal: AbortSignal): Promise<void> {
    const { ambient, kind } = this.#options
    const most = Math.min(backoff.most, backoff.first * 2 ** (failures - 1))
    ambient.log.warn('watch broken', { kind: kind.plural, failures, error: messageOf(error) })
    this.#rest = new AbortController()
    const until = AbortSignal.any([signal, this.#rest.signal])
    await pause(ambient.clock, most * (0.75 + ambient.random.next() / 2), until)
  }
}

/**
 * Who manages which field is half of an object, and nobody here decides by it. A write that leaves it out keeps it.
 */
export function withoutManagers<T extends KubeObject>(object: T): T {
  // The object has just been decoded: nobody else has it yet.
  delete object.metadata.managedFields
  return object
}

function asItIs<T>(object: T): T {
  return object
}

function always(): boolean {
  return true
}

export function sameRevision(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  return (
    before?.metadata.resourceVersion === after?.metadata.resourceVersion &&
    before?.metadata.uid === after?.metadata.uid
  )
}
