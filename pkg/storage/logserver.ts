/**
 * Beside the database: answers batches from logstorage.ts and keeps the log small. Everything asked at once is
 * written in one transaction, so one sync serves all; housekeeping comes in pieces of a few milliseconds, so that
 * whoever asks next never waits long. Synchronous and without timers: its owner says when there is time.
 */
import { isReason, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { type Answer, type Batch, type Call, failureOf, type Reply, type Write } from './logprotocol.ts'
import type { SqliteLog } from './sqlitelog.ts'

export interface ServerOptions {
  /** Compaction keeps about this many revisions behind the current one. */
  readonly keepRevisions: number
}

/** Revisions forgotten in one go: 2 to 4 ms. */
const slice = 256
/** Pages given back in one go. */
const vacuumPages = 128
/** Free pages that are worth giving back: new rows use them otherwise. */
const sparePages = 256
/** A WAL of this many pages is checkpointed although writers wait: 8 MiB. */
const busyWalPages = 2048
/** A WAL of this many pages is checkpointed when nobody waits. */
const idleWalPages = 256

export class LogServer {
  readonly #log: SqliteLog
  readonly #keepRevisions: number
  /** The last write found no room: history is worth less than going on, so all of it is forgotten. */
  #full = false
  #closed = false

  constructor(log: SqliteLog, options: ServerOptions) {
    this.#log = log
    this.#keepRevisions = options.keepRevisions
  }

  get closed(): boolean {
    return this.#closed
  }

  handle(batches: readonly Batch[]): Reply {
    const writes = this.#write(batches.flatMap((batch) => batch.writes))
    const calls = batches.flatMap((batch) => batch.calls).map((call) => this.#answer(call))
    return { writes, calls }
  }

  /** What cannot be put off while writers keep coming: falling behind in compaction, and a WAL without bounds. */
  tidyBusy(): void {
    if (this.#closed) return
    if (this.#target() - this.#log.compacted >= slice) this.#log.compactSlice(this.#target(), slice)
    if (this.#log.walPages() >= busyWalPages) this.#log.checkpoint()
  }

  /** One piece of work while nobody waits; false when there is none left. Throws StatusErrors. */
  tidyIdle(): boolean {
    if (this.#closed) return false
    if (this.#target() > this.#log.compacted) {
      this.#log.compactSlice(this.#target(), slice)
      return true
    }
    const { total, free } = this.#log.pages()
    if (free > sparePages && free > total / 4) {
      this.#log.vacuumSlice(vacuumPages)
      return true
    }
    if (this.#log.walPages() >= idleWalPages) this.#log.checkpoint()
    return false
  }

  #target(): number {
    return this.#full ? this.#log.current : this.#log.current - this.#keepRevisions
  }

  #write(writes: readonly Write[]): Reply['writes'] {
    if (writes.length === 0) return []
    try {
      const outcomes = this.#log.apply(writes)
      this.#full = false
      return outcomes
    } catch (error) {
      this.#full = isReason(error, 'NoSpace')
      return { count: writes.length, failure: failureOf(statusOf(error)) }
    }
  }

  #answer(call: Call): Answer {
    try {
      return this.#ask(call)
    } catch (error) {
      return { op: 'failed', failure: failureOf(statusOf(error)) }
    }
  }

  #ask(call: Call): Answer {
    const log = this.#log
    switch (call.op) {
      case 'get':
        return { op: 'get', record: log.get(call.key) }
      case 'list':
        return { op: 'list', list: log.list(call.prefix, call.options) }
      case 'since':
        return { op: 'since', page: log.since(call.prefix, call.after) }
      case 'revisions':
        return { op: 'revisions', current: log.current, compacted: log.compacted }
      case 'compact':
        return { op: 'compact', done: log.compactSlice(call.revision, slice) }
      case 'copy':
        log.copyTo(call.path)
        return { op: 'copy' }
      case 'scrub':
        log.scrub()
        return { op: 'scrub' }
      case 'close':
        this.#closed = true
        log.close()
        return { op: 'close' }
    }
  }
}

export function statusOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error
  return new StatusError('InternalError', messageOf(error), {}, { cause: error })
}
