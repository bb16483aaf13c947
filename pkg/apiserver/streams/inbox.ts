/**
 * Bytes that come in at their own pace and are read at another. Whoever puts them in asks for room and stops reading
 * its source meanwhile: the server's memory is not the place to wait.
 */

/** Bytes that may wait before the source is held. */
const roomBytes = 256 * 1024

export class Inbox implements AsyncIterableIterator<Uint8Array> {
  #chunks: Uint8Array[] = []
  #bytes = 0
  #ended = false
  #reader: ((result: IteratorResult<Uint8Array>) => void) | undefined
  #waiting: (() => void)[] = []

  /** Ignored after the end, and when it is empty. */
  push(chunk: Uint8Array): void {
    if (this.#ended || chunk.length === 0) return
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      reader({ done: false, value: chunk })
      return
    }
    this.#chunks.push(chunk)
    this.#bytes += chunk.length
  }

  /** Undefined: there is room. Else resolves as soon as there is, or nobody reads any more. */
  room(): Promise<void> | undefined {
    if (this.#bytes <= roomBytes) return undefined
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Nothing more comes; what is there can still be read. */
  end(): void {
    this.#ended = true
    const reader = this.#reader
    this.#reader = undefined
    reader?.({ done: true, value: undefined })
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    const value = this.#chunks.shift()
    if (value === undefined) return this.#nextToCome()
    this.#bytes -= value.length
    if (this.#bytes <= roomBytes) this.#release()
    return Promise.resolve({ done: false, value })
  }

  /** The reader has enough: what is there is dropped, and so is what still comes. */
  return(): Promise<IteratorResult<Uint8Array>> {
    this.end()
    this.#chunks = []
    this.#bytes = 0
    this.#release()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #nextToCome(): Promise<IteratorResult<Uint8Array>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => {
      this.#reader = resolve
    })
  }

  #release(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}

/** Of a source that is only known later. The promise must come to a value. */
export async function* late(
  source: Promise<AsyncIterable<Uint8Array>>,
): AsyncGenerator<Uint8Array, undefined> {
  yield* await source
  return undefined
}

/** Both sources as one, each in its own order. Ends when both have. */
export async function* merged(
  ...sources: readonly AsyncIterable<Uint8Array>[]
): AsyncGenerator<Uint8Array, undefined> {
  const iterators = sources.map((source) => source[Symbol.asyncIterator]())
  const next = async (iterator: AsyncIterator<Uint8Array>) => ({ iterator, result: await iterator.next() })
  const pending = new Map(iterators.map((iterator) => [iterator, next(iterator)]))
  try {
    while (pending.size > 0) {
      const { iterator, result } = await Promise.race(pending.values())
      if (result.done === true) {
        pending.delete(iterator)
        continue
      }
      pending.set(iterator, next(iterator))
      yield result.value
    }
  } finally {
    for (const iterator of pending.keys()) await iterator.return?.()
  }
  return undefined
}
