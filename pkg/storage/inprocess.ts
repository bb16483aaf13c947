/**
 * The same log in memory on the calling thread, for simulations and tests: no thread, no timer, no clock, so it runs
 * in step with a manual clock. Answers come in the turn of the event loop in which they were asked.
 */
import { LogServer } from './logserver.ts'
import { LogStorage } from './logstorage.ts'
import type { FileStorage } from './port.ts'
import { defaultKeepRevisions, defaultMaxUnread } from './sqlite.ts'
import { SqliteLog } from './sqlitelog.ts'

export interface InProcessOptions {
  /** Default `:memory:`. */
  readonly path?: string
  readonly keepRevisions?: number
  readonly maxBytes?: number
  readonly maxUnread?: number
}

export function openInProcessStorage(options: InProcessOptions = {}): FileStorage {
  const path = options.path ?? ':memory:'
  const log = SqliteLog.open(options.maxBytes === undefined ? { path } : { path, maxBytes: options.maxBytes })
  const server = new LogServer(log, { keepRevisions: options.keepRevisions ?? defaultKeepRevisions })
  const storage: LogStorage = new LogStorage(
    {
      post(batch) {
        storage.deliver(server.handle([batch]))
        server.tidyBusy()
      },
      ended: async () => {},
    },
    { maxUnread: options.maxUnread ?? defaultMaxUnread },
  )
  return storage
}
