/**
 * What the engine tells while a benchmark runs, heard as it happens: asked for afterwards, an engine knows only the
 * last few hundred events of everybody.
 */
import type { RawEngine } from '../helpers/engine.ts'
import { eventually } from '../helpers/eventually.ts'

/** Of a container. */
export interface EngineEvent {
  readonly action: string
  /** Of the engine's clock, since the epoch. */
  readonly ms: number
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** Runs `work` with the list of events of containers from here on, which grows; `filters` are the engine's. */
export async function withEvents<T>(
  engine: RawEngine,
  filters: Readonly<Record<string, readonly string[]>>,
  work: (seen: readonly EngineEvent[]) => Promise<T>,
): Promise<T> {
  const seen: EngineEvent[] = []
  const asked = encodeURIComponent(JSON.stringify({ type: ['container'], ...filters }))
  const stop = await engine.follow(`/events?filters=${asked}`, (line) => {
    if (line.trim() !== '') seen.push(readEvent(line))
  })
  try {
    return await work(seen)
  } finally {
    stop()
  }
}

/** Waits until `find` finds something. */
export async function told<T>(find: () => T | undefined, what: string, timeoutMs = 30_000): Promise<T> {
  return await eventually(
    () => {
      const found = find()
      if (found === undefined) throw new Error(`the engine has not told of ${what}`)
      return found
    },
    { timeoutMs, pauseMs: 5, what },
  )
}

function readEvent(line: string): EngineEvent {
  const { Action, timeNano, Actor } = JSON.parse(line) as {
    Action: string
    timeNano: number
    Actor: { ID: string; Attributes: Record<string, string> }
  }
  const labels = Actor.Attributes
  return { action: Action, ms: timeNano / 1e6, id: Actor.ID, name: labels['name'] ?? '', labels }
}
