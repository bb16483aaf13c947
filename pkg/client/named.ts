/**
 * Local copies of single objects, asked for by their names: for who may read some objects of a kind and not all. Which
 * ones comes and goes. Each is kept by a list and a watch of its own, up to a bound: a watch is a connection. Beyond
 * that objects are read when they are first wanted, and again now and then.
 */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { Informer, sameRevision, withoutManagers } from './informer.ts'
import type { Client } from './rest.ts'

export interface NamedObjectsOptions<T extends KubeObject> {
  readonly client: Client
  readonly kind: Kind<T>
  readonly ambient: Ambient
  /** The copy of what is under this key changed, or it is now known that there is none. */
  readonly onChange: (key: string) => void
  /** Watches at once; default 64. */
  readonly mostWatches?: number
}

interface Wanted<T extends KubeObject> {
  readonly namespace: string
  readonly name: string
  readonly stop: AbortController
  /** Else it is read now and then. */
  readonly watched: boolean
  object: T | undefined
  /** Whether `object` is what the server said, and be it that there is none or that it may not be read. */
  answered: boolean
}

const defaultMost = 64
const readEveryMs = 30_000

export class NamedObjects<T extends KubeObject> {
  readonly #options: NamedObjectsOptions<T>
  readonly #wanted = new Map<string, Wanted<T>>()
  readonly #running = new Set<Promise<void>>()
  #watches = 0
  #ended = false

  constructor(options: NamedObjectsOptions<T>) {
    this.#options = options
  }

  /** Undefined when there is none, it may not be read, or it is not known yet. */
  get(key: string): T | undefined {
    return this.#wanted.get(key)?.object
  }

  *list(): Generator<T> {
    for (const { object } of this.#wanted.values()) if (object !== undefined) yield object
  }

  /** Whether it is wanted and the server has not answered yet. */
  isLoading(key: string): boolean {
    return this.#wanted.get(key)?.answered === false
  }

  /** From now on these (`namespace/name`), and no others. */
  want(keys: ReadonlySet<string>): void {
    if (this.#ended) return
    for (const key of this.#wanted.keys()) if (!keys.has(key)) this.#drop(key)
    // What was only read now and then is watched as soon as there is room.
    for (const [key, { watched }] of this.#wanted) if (!watched && this.#hasRoom()) this.#drop(key)
    for (const key of keys) if (!this.#wanted.has(key)) this.#add(key)
  }

  /** Resolves when the signal has aborted and nothing is asked any more. */
  async run(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    this.#ended = true
    for (const { stop } of this.#wanted.values()) stop.abort()
    await Promise.all(this.#running)
  }

  #hasRoom(): boolean {
    return this.#watches < (this.#options.mostWatches ?? defaultMost)
  }

  #drop(key: string): void {
    const wanted = this.#wanted.get(key)
    this.#wanted.delete(key)
    if (wanted?.watched === true) this.#watches--
    wanted?.stop.abort()
  }

  #add(key: string): void {
    const [namespace = '', name = ''] = key.split('/')
    const watched = this.#hasRoom()
    const stop = new AbortController()
    const wanted: Wanted<T> = { namespace, name, stop, watched, object: undefined, answered: false }
    if (watched) this.#watches++
    this.#wanted.set(key, wanted)
    const running = watched ? this.#watch(key, wanted) : this.#readForever(key, wanted)
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  #watch(key: string, wanted: Wanted<T>): Promise<void> {
    const { client, kind, ambient } = this.#options
    const { namespace, name, stop } = wanted
    const informer = new Informer<T>({
      client,
      kind,
      ambient,
      select: { namespace, fieldSelector: `metadata.name=${name}` },
      onChange: () => this.#learn(key, wanted, informer.get(key)),
      onTurn: (error) => {
        if (error === undefined) this.#learn(key, wanted, informer.get(key))
        else this.#fail(key, wanted, error)
      },
    })
    return informer.run(stop.signal)
  }

  async #readForever(key: string, wanted: Wanted<T>): Promise<void> {
    const { client, kind, ambient } = this.#options
    const { signal } = wanted.stop
    while (!signal.aborted) {
      try {
        this.#learn(key, wanted, withoutManagers(await client.get(kind, wanted, signal)))
      } catch (error) {
        if (signal.aborted) return
        if (!isReason(error, 'NotFound'))
          ambient.log.warn('object not read', { kind: kind.plural, key, error: messageOf(error) })
        this.#fail(key, wanted, error)
      }
      await pause(ambient.clock, readEveryMs * (0.75 + ambient.random.next() / 2), signal)
    }
  }

  #learn(key: string, wanted: Wanted<T>, object: T | undefined): void {
    const same = wanted.answered && sameRevision(wanted.object, object)
    wanted.object = object
    wanted.answered = true
    if (!same && this.#wanted.get(key) === wanted) this.#options.onChange(key)
  }

  /** A refusal is an answer; a server that cannot be reached, or cannot answer now, has said nothing. */
  #fail(key: string, wanted: Wanted<T>, error: unknown): void {
    if (isReason(error, 'NotFound') || isReason(error, 'Forbidden')) this.#learn(key, wanted, undefined)
    else if (isReason(error, 'InternalError') && !wanted.answered) this.#learn(key, wanted, undefined)
  }
}
