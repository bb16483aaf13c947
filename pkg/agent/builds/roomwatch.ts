/**
 * Disks that are looked at while something is put on them: a fetch is broken off before it fills the one that the agent
 * itself writes to, and of a step that fails it is known whether the engine's had room left.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'

export interface RoomSight {
  readonly clock: Clock
  /** In a sentence; undefined: there is room, or nobody can tell. Never rejects. */
  readonly whyNone: () => Promise<string | undefined>
}

/** ms. */
const lookEvery = 500
/** What a builder removes of a failed step before it tells of it was there until so shortly before; ms. */
const justBefore = 10_000

/** Throws NoSpace at once when there is no room, and while it works when there is none any more. */
export async function whileThereIsRoom<T>(
  { clock, whyNone }: RoomSight,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const none = new AbortController()
  const look = async () => {
    const why = await whyNone()
    if (why !== undefined) none.abort(new StatusError('NoSpace', why))
  }
  await look()
  none.signal.throwIfAborted()
  const stop = lookAgain(clock, look)
  try {
    return await work(AbortSignal.any([signal, none.signal]))
  } finally {
    stop()
  }
}

export interface RoomMemory {
  /** What a step writes: one that speaks of a full disk is looked at now, for it may be gone before the next look. */
  readonly hear: (text: string) => void
  /** Why there was no room just now. */
  readonly whyNone: () => Promise<string | undefined>
  readonly stop: () => void
}

const speaksOfFullDisk = /no space left on device|disk quota exceeded/i

/** From now on. */
export function rememberRoom({ clock, whyNone }: RoomSight): RoomMemory {
  let last: { readonly why: string; readonly at: number } | undefined
  const look = async () => {
    const why = await whyNone()
    if (why !== undefined) last = { why, at: clock.now() }
  }
  const stop = lookAgain(clock, look)
  let hearing: Promise<void> | undefined
  return {
    hear: (text) => {
      if (speaksOfFullDisk.test(text)) hearing ??= look().then(() => (hearing = undefined))
    },
    whyNone: async () => {
      await look()
      return last !== undefined && clock.now() - last.at <= justBefore ? last.why : undefined
    },
    stop,
  }
}

/** Until what it returns is called. */
function lookAgain(clock: Clock, look: () => Promise<void>): () => void {
  let isOver = false
  let cancel: () => void = () => {}
  const later = () => {
    if (!isOver) cancel = clock.after(lookEvery, () => void look().then(later))
  }
  later()
  return () => {
    isOver = true
    cancel()
  }
}
