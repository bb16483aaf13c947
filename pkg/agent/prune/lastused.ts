/**
 * When each image was last used on this node: when a container of it last existed, or it was pulled or given a name.
 * Engines do not tell. An image that is seen for the first time counts as used then. The book is kept on the disk, so that
 * a restart forgets nothing; a lost or damaged one makes all images as if used now, which keeps them longer, never shorter.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { EngineEvent, ObservedContainer, ObservedImage } from '#pkg/engine/port.ts'
import { decodeBook, encodeBook } from './lastused.text.ts'

export interface UseStore {
  /** For messages. */
  readonly path: string
  /** Undefined when there is none. */
  load(): Promise<string | undefined>
  /** All of it or nothing. */
  save(text: string): Promise<void>
}

interface Options {
  readonly ambient: Pick<Ambient, 'clock' | 'log'>
  /** Absent: nothing outlives the run. */
  readonly store?: UseStore
}

/** Not written more often; ms. */
const saveEvery = 600_000
/**
 * Passes come every half minute: with more between two of them the clock was set, or the machine has slept. A machine without
 * a clock of its own begins in 1970 and learns the time later. ms.
 */
const jump = 3_600_000
/** By these the engine tells that somebody has to do with an image. */
const uses: ReadonlySet<string> = new Set(['pull', 'tag', 'load', 'import', 'push', 'save'])

export class LastUsed {
  readonly #options: Options
  readonly #book = new Map<string, number>()
  /** Of the last look: who is meant when the engine says a name. */
  #images: readonly ObservedImage[] = []
  /** By what name the engine said that images were used, and when, since the last look. */
  readonly #told = new Map<string, number>()
  #savedAt = Number.NEGATIVE_INFINITY
  #syncedAt: number | undefined
  #saving: Promise<void> | undefined
  #stale = false

  constructor(options: Options) {
    this.#options = options
  }

  /** Takes up the book of an earlier run. */
  async recall(): Promise<void> {
    const { ambient, store } = this.#options
    try {
      const text = await store?.load()
      if (text === undefined) return
      const now = ambient.clock.now()
      // A clock that was put back makes nothing young for ever.
      for (const [id, at] of decodeBook(text)) this.#book.set(id, Math.min(at, now))
    } catch (error) {
      const message = 'when images were last used is not known any more: all count as used now'
      ambient.log.warn(message, { path: store?.path, error: messageOf(error) })
    }
  }

  /** ms since the epoch; of an image that was never seen, now. */
  of(image: string): number {
    return this.#book.get(image) ?? this.#options.ambient.clock.now()
  }

  noteEvent({ type, action, id, name, at }: EngineEvent): void {
    if (type !== 'image' || !uses.has(action)) return
    const when = Math.min(at ?? Number.POSITIVE_INFINITY, this.#options.ambient.clock.now())
    for (const told of [id, name]) this.#told.set(told, when)
  }

  /** What the engine holds now. */
  sync(images: readonly ObservedImage[], containers: readonly Pick<ObservedContainer, 'imageID'>[]): void {
    const now = this.#options.ambient.clock.now()
    this.#leap(now)
    for (const { imageID } of containers) this.#use(imageID, now)
    if (images === this.#images && this.#told.size === 0) return
    for (const { id, references, digests } of images) {
      if (!this.#book.has(id)) this.#use(id, now)
      for (const name of [id, ...references, ...digests]) this.#use(id, this.#told.get(name) ?? 0)
    }
    this.#told.clear()
    this.#images = images
    const held = new Set([...images.map(({ id }) => id), ...containers.map(({ imageID }) => imageID)])
    for (const id of this.#book.keys()) if (!held.has(id)) this.#book.delete(id)
  }

  /** Writes it down if that was not done lately; waits for nothing. */
  keep(): void {
    const age = this.#options.ambient.clock.now() - this.#savedAt
    if (this.#saving !== undefined || !this.#stale || (age >= 0 && age < saveEvery)) return
    this.#saving = this.#save().finally(() => {
      this.#saving = undefined
    })
  }

  /** Writes it down, at the end of the run. */
  async close(): Promise<void> {
    await this.#saving
    if (this.#stale) await this.#save()
  }

  /** Time in which nobody could look, or that never was, makes nothing older. */
  #leap(now: number): void {
    const leapt = now - (this.#syncedAt ?? now)
    this.#syncedAt = now
    if (leapt <= jump) return
    for (const [image, at] of this.#book) this.#use(image, at + leapt)
  }

  #use(image: string, at: number): void {
    const before = this.#book.get(image)
    if (before !== undefined && before >= at) return
    this.#book.set(image, at)
    this.#stale = true
  }

  async #save(): Promise<void> {
    const { ambient, store } = this.#options
    this.#savedAt = ambient.clock.now()
    this.#stale = false
    try {
      await store?.save(encodeBook(this.#book))
    } catch (error) {
      // A full disk among others: what was pruned by then makes room, and it is tried again.
      this.#stale = true
      const message = 'when images were last used cannot be written down'
      ambient.log.warn(message, { path: store?.path, error: messageOf(error) })
    }
  }
}
