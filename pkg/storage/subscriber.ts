/**
 * One watch's queue of live changes between the commit that made them and the reader that takes them. Bounded: a
 * reader that falls too far behind is cut and has to list again, whatever it does with memory is its own affair.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { StoredEvent } from './port.ts'

export class Subscriber {
  readonly #prefix: string
  readonly #maxUnread: number
  #batches: (readonly StoredEvent[])[] = []
  #unread = 0
  #failure: StatusError | undefined
  #wake: () => void = () => {}

  constructor(prefix: string, maxUnread: number) {
    this.#prefix = prefix
    this.#maxUnread = maxUnread
  }

  /** Takes what concerns it of one commit; false when it has been cut and wants no more. */
  push(events: readonly StoredEvent[]): boolean {
    const mine =
      this.#prefix === '' ? events : events.filter((event) => event.record.key.startsWith(this.#prefix))
    if (mine.length === 0) return true
    if (this.#unread + mine.length > this.#maxUnread) {
      this.fail(new StatusError('Expired', `the watch was cut: more than ${this.#maxUnread} changes unread`))
      return false
    }
    this.#batches.push(mine)
    this.#unread += mine.length
    this.#wake()
    return true
  }

  /** What is unread is dropped: the reader has to list again anyway. */
  fail(error: StatusError): void {
    this.#failure = error
    this.#batches = []
    this.#unread = 0
    this.#wake()
  }

  /** Until the signal aborts; throws what the subscriber failed with. */
  async *read(signal: AbortSignal): AsyncGenerator<readonly StoredEvent[]> {
    const onAbort = () => this.#wake()
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) {
        if (this.#failure !== undefined) throw this.#failure
        const batch = this.#batches.shift()
        if (batch === undefined) {
          await new Promise<void>((resolve) => {
            this.#wake = resolve
          })
          continue
        }
        this.#unread -= batch.length
        yield batch
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}
