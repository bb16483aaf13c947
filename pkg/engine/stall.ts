/** Gives up on work that stands still, however long the whole of it takes. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'

export interface StallOptions {
  readonly clock: Clock
  /** How long nothing may move, in ms. */
  readonly stallMs: number
  /** Ends the work besides. */
  readonly signal: AbortSignal
  /** What the work fails with; given the wait in words. */
  readonly toError: (waited: string) => Error
}

/** Call `moved` whenever something did, and `end` when the work is over. */
export interface StallWatch {
  readonly signal: AbortSignal
  moved(): void
  end(): void
}

export function watchStall({ clock, stallMs, signal, toError }: StallOptions): StallWatch {
  const stalled = new AbortController()
  let last = clock.now()
  let cancel = clock.after(stallMs, check)
  function check(): void {
    const left = last + stallMs - clock.now()
    if (left > 0) cancel = clock.after(left, check)
    else stalled.abort(toError(inWords(stallMs)))
  }
  return {
    signal: AbortSignal.any([signal, stalled.signal]),
    moved: () => {
      last = clock.now()
    },
    end: () => cancel(),
  }
}

/** `3m0s`. */
function inWords(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  const minutes = Math.floor(seconds / 60)
  return `${minutes > 0 ? `${minutes}m` : ''}${seconds % 60}s`
}
