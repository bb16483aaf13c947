/** Work on many things at once, a bounded number at a time, with results in order. */
import { errorText, Failed } from './errors.ts'
import type { Io } from './io.ts'

export const requestLimit = 16

/** Starts in order; yields in order, each result as soon as it and all before it are there. Stops at the first error. */
export async function* inOrder<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = []
  let next = 0
  const startMore = () => {
    while (next < items.length && running.length < limit) {
      const started = work(items[next++] as T)
      // Its error is thrown when its turn comes; until then it is nobody's.
      started.catch(() => undefined)
      running.push(started)
    }
  }
  for (startMore(); running.length > 0; startMore()) {
    const head = running.shift()
    if (head !== undefined) yield await head
  }
}

export async function mapInOrder<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  return Array.fromAsync(inOrder(items, limit, work))
}

/** Prints a line for each that succeeded and the error of each that did not. Throws Failed for the latter, at the end. */
export async function tellEach<T>(
  results: readonly PromiseSettledResult<T>[],
  io: Io,
  line: (value: T, index: number) => string | number | undefined,
): Promise<void> {
  let failed = false
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') await io.stdout.write(`${line(result.value, index)}\n`)
    else {
      if (io.signal.aborted) throw result.reason
      failed = true
      await io.stderr.write(errorText(result.reason))
    }
  }
  if (failed) throw new Failed()
}
