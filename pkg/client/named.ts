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
  /** Whether it said so to this run. */
  confirmed: boolean
  /** The server is back: a pause after a failure is over. */
  retryNow: () => void
}

const defaultMost = 64
const readEveryMs = 30_000

export class NamedObjects<T extends KubeObject> {
  readonly #options: NamedObjectsOptions<T>
  readonly #wanted = new Map<string, Wanted<T>>()
  readonly #running = new Set<Promise<void>>()
  /** What was answered before, of what is not asked for yet; undefined: that there is none. */
  readonly #before = new Map<string, T | undefined>()
  #watches = 0
  #ended = false

  constructor(options: NamedObjectsOptions<T>) {
    this.#options = options
  }

  /** Undefined when there is none, it may not be read, or it is not known yet. */
  get(key: string): T | undefined {
    return this.#wanted.get(key)?.object
  }

  /** What the server has answered, by key; undefined: that there is none. */
  answers(): Map<string, T | undefined> {
    const answered = [...this.#wanted].filter(([, wanted]) => wanted.answered)
    return new Map(answered.map(([key, { object }]) => [key, object]))
  }

  /** What an earlier run was answered, which counts until the server answers anew; before `run`. */
  seed(answers: ReadonlyMap<string, T | undefined>): void {
    for (const [key, object] of answers) this.#before.set(key, object)
  }

  retryNow(): void {
    for (const { retryNow } of this.#wanted.values()) retryNow()
  }

  *list(): Generator<T> {
    for (const { object } of this.#wanted.values()) if (object !== undefined) yield object
  }

  /** Whether it is wanted and the server has not answered yet. */
  isLoading(key: string): boolean {
    return this.#wanted.get(key)?.answered === false
  }

  /** Whether it is wanted and known from an earlier run only. */
  isOld(key: string): boolean {
    const wanted = this.#wanted.get(key)
    return wanted?.answered === true && !wanted.confirmed
  }

  /** From now on these (`namespace/name`), and no others. */
  want(keys: ReadonlySet<string>): void {
    if (this.#ended) return
    for (const key of this.#wanted.keys()) if (!keys.has(key)) this.#drop(key)
    // What was only read now and then is watched as soon as there is room.
    for (const [key, { watched, answered, object }] of this.#wanted) {
      if (watched || !this.#hasRoom()) continue
      if (answered) this.#before.set(key, object)
      this.#drop(key)
    }
    for (const key of keys) if (!this.#wanted.has(key)) this.#add(key)
    // An answer is good for the object as it was wanted then.
    this.#before.clear()
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
    const object = this.#before.get(key)
    const answered = this.#before.has(key)
    const wanted: Wanted<T> = {
      namespace,
      name,
      stop,
      watched,
      object,
      answered,
      confirmed: false,
      retryNow: () => {},
    }
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
    if (wanted.object !== undefined) informer.seed([wanted.object])
    wanted.retryNow = () => informer.retryNow()
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
        if (isReason(error, 'NotFound')) this.#learn(key, wanted, undefined)
        else {
          ambient.log.warn('object not read', { kind: kind.plural, key, error: messageOf(error) })
          this.#fail(key, wanted, error)
        }
      }
      const rest = new AbortController()
      wanted.retryNow = () => rest.abort()
      const until = AbortSignal.any([signal, rest.signal])
      await pause(ambient.clock, readEveryMs * (0.75 + ambient.random.next() / 2), until)
    }
  }

  #learn(key: string, wanted: Wanted<T>, object: T | undefined): void {
    const same = wanted.confirmed && sameRevision(wanted.object, object)
    wanted.object = object
    wanted.answered = true
    wanted.confirmed = true
    if (!same && this.#wanted.get(key) === wanted) this.#options.onChange(key)
  }

  /**
   * A refusal is an answer; a server that cannot be reached, or cannot answer now, has said nothing. Who was let in before
   * and is refused now has not been told that the object is gone: what is in hand stays until whoever wants it lets go.
   */
  #fail(key: string, wanted: Wanted<T>, error: unknown): void {
    if (isReason(error, 'Forbidden')) this.#learn(key, wanted, wanted.object)
    else if (isReason(error, 'InternalError') && !wanted.confirmed) this.#learn(key, wanted, wanted.object)
  }
}
