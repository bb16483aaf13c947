/**
 * WATCH: what there is, when asked for, then every change that concerns the selection, in order and without a gap.
 * One JSON document per line; blank lines keep quiet connections alive. A watcher that reads too slowly is cut and
 * has to list again: the server's memory is not the place to wait for it.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { type Change, type Encoding, type EventType, eventText } from '../cache/changes.ts'
import { type Entry, type Filter, matchesEntry } from '../cache/entry.ts'
import type { KindReader, Watcher } from '../cache/kindcache.ts'
import { checkWatchOptions } from '../http/listrules.ts'
import { bookmarkText, encodingOf } from '../http/present.ts'
import type { RequestInfo } from '../http/request.ts'
import type { Context } from './context.ts'
import { filterOf } from './read.ts'

const keepAliveMs = 15_000
/** Every fourth sign of life is a bookmark. */
const bookmarkEvery = 4
/** Changes that may wait for a slow reader, and their bytes. */
export const maxQueue = 4096
export const maxQueueBytes = 32 * 1024 * 1024
/** Whoever takes nothing for so long, not even a sign of life, is gone or stuck. */
export const readerMs = 60_000
/** Objects of the first list that go out in one chunk, and the length that is enough for one. */
const initialChunk = 100
const initialLength = 256 * 1024

type Chunk = Uint8Array | string

/** Throws Expired when the asked revision is too old, Invalid for options that do not go together. */
export async function watch(context: Context, info: RequestInfo, request: ApiRequest): Promise<ApiResponse> {
  checkWatchOptions(info.options)
  const { resourceVersion = 0, sendInitialEvents } = info.options
  if (sendInitialEvents === true) await context.cache.atLeast(resourceVersion, request.signal)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' }
  return { status: 200, headers, body: openStream(context, info, request.signal), readerMs }
}

/** Without a pause from reading the cache to hearing of changes: that is why there is no gap. */
function openStream(
  { cache, ambient, minWatchMs, authorize }: Context,
  info: RequestInfo,
  signal: AbortSignal,
): WatchStream {
  const { resourceVersion = 0, sendInitialEvents, allowWatchBookmarks, timeoutSeconds = 0 } = info.options
  const reader = cache.of(info.kind)
  const filter = filterOf(info)
  const fromNow = sendInitialEvents ?? resourceVersion === 0
  const start = sendInitialEvents === false && resourceVersion === 0 ? cache.revision : resourceVersion
  const missed = fromNow ? [] : reader.since(start, cache.revision)
  return new WatchStream({
    reader,
    filter,
    encoding: encodingOf(info, () => ambient.clock.now()),
    initial: fromNow ? reader.select(filter) : [],
    missed,
    bookmark: (initialEventsEnd) =>
      allowWatchBookmarks
        ? eventText('BOOKMARK', bookmarkText(info, cache.revision, initialEventsEnd))
        : undefined,
    initialEventsEnd: sendInitialEvents === true,
    clock: ambient.clock,
    demandRight: async () => authorize?.(info),
    timeoutMs: timeoutSeconds > 0 ? timeoutSeconds * 1000 : minWatchMs * (1 + ambient.random.next()),
    signal,
  })
}

interface StreamOptions {
  readonly reader: KindReader
  readonly filter: Filter
  readonly encoding: Encoding
  readonly initial: readonly Entry[]
  readonly missed: readonly Change[]
  /** Undefined when the asker wants none. */
  readonly bookmark: (initialEventsEnd: boolean) => string | undefined
  readonly initialEventsEnd: boolean
  /** Throws Forbidden once whoever watches may not watch any more. */
  readonly demandRight: () => Promise<void>
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

class WatchStream implements Watcher, AsyncIterableIterator<Chunk> {
  readonly #options: StreamOptions
  readonly #filtered: boolean
  #initial: readonly Entry[]
  #queue: Chunk[] = []
  #queuedBytes = 0
  #ended = false
  #reader: ((result: IteratorResult<Chunk>) => void) | undefined
  #beats = 0
  #stopWatching: () => void = () => {}
  #cancelBeat: () => void = () => {}
  #cancelTimeout: () => void = () => {}
  readonly #onAbort = () => this.#finish([])

  constructor(options: StreamOptions) {
    this.#options = options
    const { namespace, labelSelector, fieldSelector } = options.filter
    this.#filtered = namespace !== undefined || labelSelector.length + fieldSelector.length > 0
    this.#initial = options.initial
    this.#open()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Chunk>> {
    const value = this.#nextInitial() ?? this.#nextQueued()
    if (value !== undefined) return Promise.resolve({ done: false, value })
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => {
      this.#reader = resolve
    })
  }

  return(): Promise<IteratorResult<Chunk>> {
    this.#finish([])
    return Promise.resolve({ done: true, value: undefined })
  }

  change(change: Change): void {
    const type = this.#typeFor(change)
    if (type === undefined) return
    if (this.#queue.length >= maxQueue || this.#queuedBytes >= maxQueueBytes)
      this.cut('the watch was too slow')
    else this.#push(change.frame(type, this.#options.encoding))
  }

  cut(reason: string): void {
    this.#fail(new StatusError('Expired', `${reason}; list again`))
  }

  #fail(error: unknown): void {
    const told = error instanceof StatusError ? error : new StatusError('InternalError', messageOf(error))
    this.#finish([eventText('ERROR', JSON.stringify(told.toStatus()))])
  }

  end(): void {
    this.#close()
  }

  #open(): void {
    const { signal, reader, missed, initialEventsEnd, bookmark, clock, timeoutMs } = this.#options
    if (signal.aborted) {
      this.#ended = true
      return
    }
    signal.addEventListener('abort', this.#onAbort, { once: true })
    const listed = initialEventsEnd ? bookmark(true) : undefined
    if (listed !== undefined) this.#push(listed)
    for (const change of missed) this.change(change)
    if (this.#ended) return
    this.#stopWatching = reader.watch(this)
    this.#cancelBeat = clock.after(keepAliveMs, () => this.#beat())
    this.#cancelTimeout = clock.after(timeoutMs, () => this.#timeout())
  }

  #nextInitial(): string | undefined {
    if (this.#initial.length === 0) return undefined
    const { encode } = this.#options.encoding
    let chunk = ''
    let taken = 0
    for (const { text } of this.#initial.slice(0, initialChunk)) {
      chunk += eventText('ADDED', encode(text))
      taken++
      if (chunk.length >= initialLength) break
    }
    this.#initial = this.#initial.slice(taken)
    return chunk
  }

  #nextQueued(): Chunk | undefined {
    const chunk = this.#queue.shift()
    this.#queuedBytes -= chunk?.length ?? 0
    return chunk
  }

  /** A change that moves an object into the selection adds it, one that moves it out deletes it. */
  #typeFor({ before, after }: Change): EventType | undefined {
    const wasIn = this.#selects(before)
    if (this.#selects(after)) return wasIn ? 'MODIFIED' : 'ADDED'
    return wasIn ? 'DELETED' : undefined
  }

  #selects(entry: Entry | undefined): boolean {
    return entry !== undefined && (!this.#filtered || matchesEntry(this.#options.filter, entry))
  }

  #push(chunk: Chunk): void {
    const reader = this.#reader
    if (reader === undefined) {
      this.#queue.push(chunk)
      this.#queuedBytes += chunk.length
      return
    }
    this.#reader = undefined
    reader({ done: false, value: chunk })
  }

  #beat(): void {
    this.#beats++
    const bookmark = this.#beats % bookmarkEvery === 0 ? this.#options.bookmark(false) : undefined
    // Whoever has something to read needs no sign of life.
    if (bookmark !== undefined || this.#queue.length === 0) this.#push(bookmark ?? '\n')
    this.#cancelBeat = this.#options.clock.after(keepAliveMs, () => this.#beat())
    this.#options.demandRight().catch((error: unknown) => this.#fail(error))
  }

  #timeout(): void {
    const bookmark = this.#options.bookmark(false)
    if (bookmark !== undefined) this.#push(bookmark)
    this.#close()
  }

  /** Drops what is unread and ends with `last`. */
  #finish(last: Chunk[]): void {
    if (this.#ended) return
    this.#initial = []
    this.#queue = []
    this.#queuedBytes = 0
    for (const chunk of last) this.#push(chunk)
    this.#close()
  }

  /** Takes nothing more; what is queued can still be read. */
  #close(): void {
    this.#ended = true
    this.#stopWatching()
    this.#options.signal.removeEventListener('abort', this.#onAbort)
    this.#cancelBeat()
    this.#cancelTimeout()
    const reader = this.#reader
    this.#reader = undefined
    reader?.({ done: true, value: undefined })
  }
}
