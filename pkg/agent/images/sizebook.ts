/**
 * How much of each image's layers it shares with others. Engines add that up slowly, so they are asked beside the passes, when
 * images came or went, and not often.
 */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { Engine, ObservedImage } from '#pkg/engine/port.ts'
import type { ImageSizes } from '../world.ts'

/** ms: so that what comes together is asked about together; and between two questions. */
const settle = 2_000
const rest = 60_000

export interface SizeBookOptions {
  readonly engine: Pick<Engine, 'diskUsage'>
  readonly ambient: Ambient
  readonly onChange: () => void
}

export class SizeBook {
  readonly #options: SizeBookOptions
  readonly #abort = new AbortController()
  #sizes: ReadonlyMap<string, ImageSizes> = new Map()
  /** Ids of the images that were asked about last. */
  #asked = ''
  #notBefore = 0
  #cancel: (() => void) | undefined
  #job: Promise<void> = Promise.resolve()

  constructor(options: SizeBookOptions) {
    this.#options = options
  }

  sizes(): ReadonlyMap<string, ImageSizes> {
    return this.#sizes
  }

  /** These are the images of the engine now. */
  sync(images: readonly Pick<ObservedImage, 'id'>[]): void {
    const ids = images
      .map(({ id }) => id)
      .sort()
      .join()
    if (ids === this.#asked || this.#abort.signal.aborted) return
    this.#asked = ids
    const { clock } = this.#options.ambient
    const wait = Math.min(rest, Math.max(settle, this.#notBefore - clock.now()))
    this.#cancel ??= clock.after(wait, () => {
      this.#cancel = undefined
      this.#job = this.#ask()
    })
  }

  /** Resolves when nothing is under way any more. */
  async close(): Promise<void> {
    this.#cancel?.()
    this.#abort.abort()
    await this.#job
  }

  async #ask(): Promise<void> {
    const { engine, ambient, onChange } = this.#options
    this.#notBefore = ambient.clock.now() + rest
    try {
      const { images } = await engine.diskUsage(this.#abort.signal)
      this.#sizes = new Map(
        images
          .filter(({ sharedBytes }) => sharedBytes >= 0)
          .map(({ id, sizeBytes, sharedBytes }) => [
            id,
            { shared: sharedBytes, unique: Math.max(0, sizeBytes - sharedBytes) },
          ]),
      )
      onChange()
    } catch (error) {
      // Asked again when images come or go: nothing waits for it.
      if (!this.#abort.signal.aborted)
        ambient.log.info('the engine does not tell of its disk', { error: messageOf(error) })
    }
  }
}
