/** When somebody last asked the engine to end a container, by its events: such an end is no crash of the program. */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { EngineEvent, ObservedContainer } from '#pkg/engine/port.ts'

export class EndBook {
  readonly #clock: Clock
  /** By id of the container; ms since the epoch, by the engine's clock as far as it tells. */
  readonly #asked = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  noteEvent({ type, action, id, at = this.#clock.now() }: EngineEvent): void {
    // `docker stop` is one or two kills and, when the container has ended, a stop.
    if (type === 'container' && (action === 'kill' || action === 'stop')) this.#asked.set(id, at)
  }

  /** Forgets containers that are no more. */
  sync(containers: readonly ObservedContainer[]): void {
    const there = new Set(containers.map(({ id }) => id))
    for (const id of this.#asked.keys()) if (!there.has(id)) this.#asked.delete(id)
  }

  snapshot(): ReadonlyMap<string, number> {
    return new Map(this.#asked)
  }
}
