/**
 * A level-triggered loop: pokes say "look again", never what changed. Passes never overlap, pokes that arrive
 * during a pass lead to one more, and a pass that throws is tried again with growing, jittered pauses.
 */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { isAbort, messageOf } from '#pkg/apimachinery/errors.ts'

export interface LoopOptions {
  readonly name: string
  /** Looks and acts once. May return a time (ms since the epoch) at which to look again without a poke. */
  readonly pass: (signal: AbortSignal) => Promise<number | undefined>
  readonly ambient: Ambient
  /** Pokes within this many ms are one. */
  readonly settleMs?: number
  /** A poke after a rest is acted on at once: only those that come soon after a pass are gathered. */
  readonly isPrompt?: boolean
  /** Pauses after failed passes, in ms. */
  readonly backoff?: { readonly first: number; readonly most: number }
}

export class Loop {
  readonly #options: LoopOptions
  #poked = true
  #wake: () => void = () => {}

  constructor(options: LoopOptions) {
    this.#options = options
  }

  poke(): void {
    this.#poked = true
    this.#wake()
  }

  /** Runs until the signal aborts; the first pass begins at once. */
  async run(signal: AbortSignal): Promise<void> {
    const { ambient } = this.#options
    let failures = 0
    let wakeAt: number | undefined
    let endedAt: number | undefined
    while (!signal.aborted) {
      await this.#untilDue(wakeAt, signal)
      if (signal.aborted) return
      await this.#settle(endedAt, signal)
      if (signal.aborted) return
      this.#poked = false
      const result = await this.#attempt(signal)
      endedAt = ambient.clock.now()
      failures = result.failed ? failures + 1 : 0
      if (result.failed) await pause(ambient.clock, this.#pauseAfter(failures), signal)
      if (result.failed) this.#poked = true
      wakeAt = result.wakeAt
    }
  }

  /** `endedAt`: the last pass; ms since the epoch. */
  async #settle(endedAt: number | undefined, signal: AbortSignal): Promise<void> {
    const { ambient, settleMs = 0, isPrompt = false } = this.#options
    const rested = endedAt === undefined ? Number.POSITIVE_INFINITY : Math.abs(ambient.clock.now() - endedAt)
    if (settleMs === 0 || (isPrompt && rested > settleMs)) return
    await pause(ambient.clock, settleMs, signal)
  }

  async #attempt(signal: AbortSignal): Promise<{ failed: boolean; wakeAt?: number | undefined }> {
    const { name, pass, ambient } = this.#options
    try {
      return { failed: false, wakeAt: await pass(signal) }
    } catch (error) {
      if (!signal.aborted || !isAbort(error))
        ambient.log.warn(`${name}: pass failed`, { error: messageOf(error) })
      return { failed: true }
    }
  }

  #pauseAfter(failures: number): number {
    const { first, most } = this.#options.backoff ?? { first: 500, most: 30_000 }
    const pauseMs = Math.min(most, first * 2 ** (failures - 1))
    return pauseMs * (0.75 + this.#options.ambient.random.next() / 2)
  }

  #untilDue(wakeAt: number | undefined, signal: AbortSignal): Promise<void> {
    if (this.#poked) return Promise.resolve()
    const { clock } = this.#options.ambient
    return new Promise((resolve) => {
      const cancel =
        wakeAt === undefined ? () => {} : clock.after(Math.max(0, wakeAt - clock.now()), () => this.#wake())
      const done = () => {
        cancel()
        signal.removeEventListener('abort', done)
        this.#wake = () => {}
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
    })
  }
}
