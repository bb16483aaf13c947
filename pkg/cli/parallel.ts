/** Work on many things at once, a bounded number at a time, with results in order. */

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
