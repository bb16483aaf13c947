/** The event stream of a simulated engine: each subscriber gets what happens after it subscribed, in order. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { EngineEvent } from './port.ts'

/** A reader this far behind is cut off, as a real engine's connection would break. */
const longestQueue = 10_000

interface Subscriber {
  readonly queue: EngineEvent[]
  failure: StatusError | undefined
  wake: () => void
}

export class SimEvents {
  readonly #subscribers = new Set<Subscriber>()

  emit(event: EngineEvent): void {
    for (const subscriber of this.#subscribers) {
      subscriber.queue.push(event)
      if (subscriber.queue.length > longestQueue) this.#fail(subscriber)
      subscriber.wake()
    }
  }

  /** All streams end with EngineUnavailable. */
  break(): void {
    for (const subscriber of this.#subscribers) {
      this.#fail(subscriber)
      subscriber.wake()
    }
  }

  subscribe(signal: AbortSignal): AsyncIterable<EngineEvent> {
    const subscriber: Subscriber = { queue: [], failure: undefined, wake: () => undefined }
    const unsubscribe = () => {
      this.#subscribers.delete(subscriber)
      subscriber.wake()
    }
    if (!signal.aborted) this.#subscribers.add(subscriber)
    signal.addEventListener('abort', unsubscribe, { once: true })
    return read(subscriber, signal, () => {
      signal.removeEventListener('abort', unsubscribe)
      unsubscribe()
    })
  }

  #fail(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber)
    subscriber.failure = new StatusError('EngineUnavailable', 'the stream of events ended')
  }
}

async function* read(
  subscriber: Subscriber,
  signal: AbortSignal,
  close: () => void,
): AsyncGenerator<EngineEvent> {
  try {
    while (!signal.aborted) {
      const event = subscriber.queue.shift()
      if (event !== undefined) yield event
      else if (subscriber.failure !== undefined) throw subscriber.failure
      else await new Promise<void>((resolve) => (subscriber.wake = resolve))
    }
  } finally {
    close()
  }
}
