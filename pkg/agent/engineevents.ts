/** The engine's events for as long as the agent works, begun anew when they break off. They are hints, and may be lost. */
import { type Ambient, pause } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { Engine, EngineEvent } from '#pkg/engine/port.ts'

export interface EventsOptions {
  readonly engine: Pick<Engine, 'events'>
  readonly ambient: Ambient
  /** From now on events count: a look that follows leaves no gap. */
  readonly onBegin: () => void
  readonly onEvent: (event: EngineEvent) => void
}

const longestPause = 15_000

export async function followEngineEvents(
  { engine, ambient, onBegin, onEvent }: EventsOptions,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const events = engine.events(signal)
      onBegin()
      for await (const event of events) {
        failures = 0
        onEvent(event)
      }
    } catch (error) {
      if (signal.aborted) return
      ambient.log.info('engine events broken off', { error: messageOf(error) })
    }
    await pause(ambient.clock, Math.min(longestPause, 250 * 2 ** failures), signal)
  }
}
