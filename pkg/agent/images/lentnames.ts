/**
 * Names that images have on the engine only while they are pushed, since an engine pushes by name alone. Which they are is
 * kept on the disk before they are given: an agent that is killed in the middle of a push takes them back when it runs again.
 */
import type { Logger } from '#pkg/apimachinery/ambient.ts'
import { isReason, messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { Engine } from '#pkg/engine/port.ts'

export interface LentStore {
  /** For messages. */
  readonly path: string
  /** Undefined when there is none. */
  load(): Promise<string | undefined>
  /** All of it or nothing. */
  save(text: string): Promise<void>
}

interface Lent {
  /** The id of the image that has the name for now. */
  readonly image: string
  /** The id of the image that had it before and gets it back; absent: none had. */
  readonly before?: string
}

export interface LentNamesOptions {
  readonly engine: Engine
  readonly log: Logger
  /** Absent: nothing outlives the run. */
  readonly store?: LentStore
}

export class LentNames {
  readonly #options: LentNamesOptions
  readonly #lent = new Map<string, Lent>()
  #recalled = false
  #saving: Promise<void> = Promise.resolve()

  constructor(options: LentNamesOptions) {
    this.#options = options
  }

  /** Takes back what an earlier run has lent, once. Throws EngineUnavailable, and is to be called again then. */
  async recall(): Promise<void> {
    if (this.#recalled) return
    const { store, log } = this.#options
    for (const [reference, lent] of await this.#load()) {
      this.#lent.set(reference, lent)
      try {
        if (await this.#isMeant(reference, lent)) await this.takeBack(reference)
        else this.#lent.delete(reference)
      } catch (error) {
        if (isReason(error, 'EngineUnavailable')) throw error
        log.warn('a name that was only for a push stays', { reference, error: messageOf(error) })
      }
    }
    this.#recalled = true
    if (store !== undefined) await this.#save()
  }

  /** Gives the name to the image, to be taken back. */
  async lend(reference: string, lent: Lent): Promise<void> {
    this.#lent.set(reference, lent)
    await this.#save()
    await this.#options.engine.tagImage(lent.image, reference)
  }

  /** To whom it belonged before; a name that is gone already is no failure. */
  async takeBack(reference: string): Promise<void> {
    const { engine } = this.#options
    const lent = this.#lent.get(reference)
    if (lent === undefined) return
    if (lent.before === undefined || !(await this.#isThere(lent.before))) await this.#untag(reference)
    else await engine.tagImage(lent.before, reference)
    this.#lent.delete(reference)
    await this.#save()
  }

  /** Somebody may have given it to another image meanwhile, or taken all others away: then it is no longer just lent. */
  async #isMeant(reference: string, { image }: Lent): Promise<boolean> {
    const images = await this.#options.engine.listImages()
    const details = await this.#options.engine.imageDetails(reference)
    const names = images.find(({ id }) => id === image)?.references ?? []
    return details?.id === image && names.length > 1
  }

  async #isThere(image: string): Promise<boolean> {
    return (await this.#options.engine.imageDetails(image)) !== undefined
  }

  async #untag(reference: string): Promise<void> {
    try {
      await this.#options.engine.removeImage(reference, { force: false })
    } catch (error) {
      if (!isReason(error, 'NotFound') && !isReason(error, 'ImageNotFound')) throw error
    }
  }

  async #load(): Promise<[string, Lent][]> {
    const { store, log } = this.#options
    try {
      return decode((await store?.load()) ?? '{}')
    } catch (error) {
      const message = 'which names were only for a push is not known any more: they stay'
      log.warn(message, { path: store?.path, error: messageOf(error) })
      return []
    }
  }

  /** One after the other; a disk that takes nothing keeps nobody from pushing. */
  async #save(): Promise<void> {
    const { store, log } = this.#options
    if (store === undefined) return
    const write = () => store.save(JSON.stringify(Object.fromEntries(this.#lent)))
    this.#saving = this.#saving.then(write).catch((error: unknown) => {
      const message = 'it cannot be kept which names are only for a push'
      log.warn(message, { path: store.path, error: messageOf(error) })
    })
    await this.#saving
  }
}

function decode(text: string): [string, Lent][] {
  const parsed: unknown = JSON.parse(text)
  if (!isPlainObject(parsed)) throw new Error('it is no map of names')
  return Object.entries(parsed).map(([reference, lent]) => {
    if (!isPlainObject(lent) || typeof lent['image'] !== 'string')
      throw new Error(`${reference} has no image`)
    const { image, before } = lent
    return [reference, { image, ...(typeof before === 'string' && { before }) }]
  })
}
