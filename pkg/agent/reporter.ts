/**
 * Writes statuses home: only what changed, one write of an object at a time, and always the newest. Nobody waits for it:
 * while the server is away statuses replace each other here, and the last one is written when it answers.
 */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { diffMergePatch } from '#pkg/apimachinery/patch.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Client } from '#pkg/client/rest.ts'
import { mayTakeLater } from '#pkg/client/serverlink.ts'
import { makeSlots, type Slots } from '#pkg/plan/execute.ts'

type Json = Record<string, unknown>

/** The status that an object should have. */
interface Wish {
  readonly key: string
  readonly kind: string
  /** That of the API's copy. */
  readonly before: Json
  readonly next: Json
  readonly send: (patch: Json, signal: AbortSignal) => Promise<unknown>
  readonly onWritten: () => void
}

const writesAtOnce = 16
const backoff = { first: 500, most: 10_000 }

export class Reporter {
  readonly #client: Client
  readonly #ambient: Ambient
  readonly #slots: Slots = makeSlots(writesAtOnce)
  /** By uid: what was last written, newer than the local copy of the API may show. */
  readonly #written = new Map<string, Json>()
  /** By uid: what is to be written. */
  readonly #wishes = new Map<string, Wish>()
  /** By uid: writes under way. */
  readonly #jobs = new Map<string, Promise<void>>()
  #signal: AbortSignal | undefined
  #failures = 0
  /** While the server does not answer: ends the pause before everything is tried again. */
  #rest: AbortController | undefined
  #resting: Promise<void> = Promise.resolve()

  constructor(client: Client, ambient: Ambient) {
    this.#client = client
    this.#ambient = ambient
  }

  /** Forgets what was written, so that the next comparison is with the API's own copy. */
  resync(): void {
    this.#written.clear()
  }

  /** From now on the object's status should be this one. Written soon when it is another one now, which is told then. */
  report<T extends KubeObject>(kind: Kind<T>, object: T, status: object, onWritten = () => {}): void {
    const { uid = '', namespace, name } = object.metadata
    const target = { name, subresource: 'status' as const, ...(namespace !== undefined && { namespace }) }
    this.#wishes.set(uid, {
      key: objectKey(object.metadata),
      kind: kind.kind,
      before: { ...(object.status ?? {}) },
      next: { ...status },
      onWritten,
      send: (patch, signal) => this.#client.patch(kind, target, { status: patch }, signal),
    })
    this.#begin(uid)
  }

  /** Writes until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#beginAll()
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    await Promise.all([...this.#jobs.values(), this.#resting])
  }

  /** The server is back: what waits is not to wait any longer. */
  retryNow(): void {
    this.#rest?.abort()
  }

  #beginAll(): void {
    for (const uid of [...this.#wishes.keys()]) this.#begin(uid)
  }

  #begin(uid: string): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted || this.#rest !== undefined || this.#jobs.has(uid)) return
    if (this.#patchOf(uid) === undefined) return
    const job = this.#write(uid, signal).finally(() => {
      this.#jobs.delete(uid)
      this.#begin(uid)
    })
    this.#jobs.set(uid, job)
  }

  /** What is to be sent; a wish that has come true is forgotten. */
  #patchOf(uid: string): Json | undefined {
    const wish = this.#wishes.get(uid)
    if (wish === undefined) return undefined
    const patch = diffMergePatch(this.#written.get(uid) ?? wish.before, wish.next)
    if (patch === undefined) this.#wishes.delete(uid)
    return patch
  }

  async #write(uid: string, signal: AbortSignal): Promise<void> {
    const free = await this.#slots.take()
    const wish = this.#wishes.get(uid)
    try {
      const patch = this.#patchOf(uid)
      if (wish === undefined || patch === undefined || signal.aborted || this.#rest !== undefined) return
      await wish.send(patch, signal)
      this.#written.set(uid, wish.next)
      wish.onWritten()
      this.#failures = 0
      if (this.#wishes.get(uid) === wish) this.#wishes.delete(uid)
    } catch (error) {
      if (wish !== undefined && !signal.aborted) this.#fail(uid, wish, error)
    } finally {
      free()
    }
  }

  #fail(uid: string, { key, kind }: Wish, error: unknown): void {
    // Whether it was written all the same is not known.
    this.#written.delete(uid)
    const later = mayTakeLater(error)
    if (later) this.#pauseAll()
    else this.#wishes.delete(uid)
    if (isReason(error, 'NotFound')) return
    const fields = { kind, key, error: messageOf(error) }
    if (later) this.#ambient.log.debug('status not written yet', fields)
    else this.#ambient.log.warn('status not written', fields)
  }

  #pauseAll(): void {
    const signal = this.#signal
    if (this.#rest !== undefined || signal === undefined) return
    const rest = new AbortController()
    this.#rest = rest
    const { clock, random } = this.#ambient
    const most = Math.min(backoff.most, backoff.first * 2 ** this.#failures++)
    const delay = most * (0.75 + random.next() / 2)
    this.#resting = pause(clock, delay, AbortSignal.any([signal, rest.signal])).then(() => {
      this.#rest = undefined
      this.#beginAll()
    })
  }
}
