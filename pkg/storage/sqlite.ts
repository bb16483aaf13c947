/**
 * Storage on one SQLite file, for one process: this is the main thread's side, sqlite.worker.ts the other. The
 * thread is started by the caller, because where its code comes from differs between the sources and the single
 * executable.
 */
import type { Worker, WorkerOptions } from 'node:worker_threads'
import { atEndOfTurn, type Logger, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import { type Batch, errorOf, type Failure, type Reply } from './logprotocol.ts'
import { LogStorage } from './logstorage.ts'
import type { FileStorage } from './port.ts'

export const defaultKeepRevisions = 10_000
export const defaultMaxUnread = 10_000

/** A worker that runs sqlite.worker.ts; the options carry its workerData. */
export type StartWorker = (options: WorkerOptions) => Worker

export interface SqliteOptions {
  /** A file in a directory that exists, or `:memory:`. */
  readonly path: string
  readonly startWorker: StartWorker
  /** Automatic compaction keeps about this many revisions; default 10 000. */
  readonly keepRevisions?: number
  /** Writes that would make the database larger fail with NoSpace; absent: only the disk sets a limit. */
  readonly maxBytes?: number
  /** A watch with more changes unread than this is cut; default 10 000. */
  readonly maxUnread?: number
  readonly log?: Logger
}

/** What sqlite.worker.ts is started with. */
export interface WorkerData {
  readonly path: string
  readonly keepRevisions: number
  readonly maxBytes: number | undefined
}

export type ToWorker = Batch
export type FromWorker =
  | { readonly type: 'opened' }
  | { readonly type: 'unusable'; readonly failure: Failure }
  | { readonly type: 'reply'; readonly reply: Reply }
  /** Housekeeping failed; it is tried again later. */
  | { readonly type: 'trouble'; readonly failure: Failure }

/**
 * Fails with InUse when another process has the file open, with InternalError when the file is no cove database or
 * one of an unknown schema version.
 */
export async function openSqliteStorage(options: SqliteOptions): Promise<FileStorage> {
  const workerData: WorkerData = {
    path: options.path,
    keepRevisions: options.keepRevisions ?? defaultKeepRevisions,
    maxBytes: options.maxBytes,
  }
  const worker = options.startWorker({ workerData })
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
  const channel = { post: gathering((batch) => worker.postMessage(batch)), ended: () => exited }
  const storage = new LogStorage(channel, { maxUnread: options.maxUnread ?? defaultMaxUnread })
  const log = options.log ?? silentLogger
  await new Promise<void>((resolve, reject) => {
    worker.on('message', (message: FromWorker) => {
      if (message.type === 'reply') storage.deliver(message.reply)
      else if (message.type === 'opened') resolve()
      else if (message.type === 'unusable') reject(errorOf(message.failure))
      else log.warn('storage housekeeping failed', { ...message.failure })
    })
    const gone = (why: string, cause?: unknown) => {
      const error = new StatusError('ServiceUnavailable', `the storage thread ${why}`, {}, { cause })
      storage.fail(error)
      reject(error)
    }
    worker.once('error', (error) => gone(`failed: ${messageOf(error)}`, error))
    worker.once('exit', () => gone('has ended'))
  })
  return storage
}

/**
 * Each connection is read in a moment of its own, so requests that came together ask one after the other: what they ask
 * goes over together. Waking the thread for each would cost more than all else that is done for it here.
 */
function gathering(post: (batch: Batch) => void): (batch: Batch) => void {
  let waiting: Batch[] = []
  const send = () => {
    const batches = waiting
    waiting = []
    const writes = batches.flatMap((batch) => batch.writes)
    post({ writes, calls: batches.flatMap((batch) => batch.calls) })
  }
  return (batch) => {
    if (waiting.length === 0) atEndOfTurn(send)
    waiting.push(batch)
  }
}
