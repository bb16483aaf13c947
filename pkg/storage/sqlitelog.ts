/**
 * The log on one SQLite database: synchronous, for one caller, the only importer of node:sqlite. It runs in a worker
 * thread behind logserver.ts, or on the calling thread in memory. Every method throws StatusErrors.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync, type SQLOutputValue, type StatementSync } from 'node:sqlite'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Page, Write, WriteOutcome } from './logprotocol.ts'
import type { ListOptions, ListResult, StoredEvent, StoredRecord } from './port.ts'
import { translate, translateOpening } from './sqliteerrors.ts'
import { checkSchemaVersion, migrate, readSchemaVersion } from './sqlitemigrate.ts'
import { createTables, endOfPrefix, migrations, schemaVersion, sql, startOfPage } from './sqliteschema.ts'

export interface LogOptions {
  /** A file, or `:memory:`. */
  readonly path: string
  /** Writes that would make the database larger fail with NoSpace. */
  readonly maxBytes?: number
}

type Row = Record<string, SQLOutputValue>
type Statements = { readonly [name in keyof typeof sql]: StatementSync }

/** Beyond `maxBytes` for deletions alone: a full store must let things go. */
const reservedPages = 256
const backlogPage = 1000
const cacheKiB = 32 * 1024
/** The WAL file is cut back to this when it starts over; below it, its blocks are used again. */
const walFileBytes = 32 * 1024 * 1024

export class SqliteLog {
  readonly #db: DatabaseSync
  readonly #statements: Statements
  readonly #maxPages: number | undefined
  #current: number
  #compacted: number

  private constructor(db: DatabaseSync, options: LogOptions) {
    this.#db = db
    this.#maxPages =
      options.maxBytes === undefined
        ? undefined
        : Math.max(1, Math.floor(options.maxBytes / this.#pragma('page_size', 'page_size')))
    this.#limitPages(0)
    this.#statements = prepareAll(db)
    this.#current = Number(this.#statements.current.get()?.['revision'])
    this.#compacted = Number(this.#statements.compacted.get()?.['value'])
  }

  /** Throws InUse when another process has the file open, InternalError when it holds something unknown. */
  static open(options: LogOptions): SqliteLog {
    let db: DatabaseSync | undefined
    try {
      if (options.path !== ':memory:' && !existsSync(options.path)) makePrivate(options.path)
      db = new DatabaseSync(options.path)
      setUp(db, options.path)
      return new SqliteLog(db, options)
    } catch (error) {
      db?.close()
      throw translateOpening(error, options.path)
    }
  }

  get current(): number {
    return this.#current
  }

  get compacted(): number {
    return this.#compacted
  }

  /** All in one transaction, durable on return. A lost race is an outcome; when this throws, nothing was written. */
  apply(writes: readonly Write[]): WriteOutcome[] {
    const deletions = writes.every((write) => write.kind === 'delete')
    if (!deletions) return this.#apply(writes)
    this.#limitPages(reservedPages)
    try {
      return this.#apply(writes)
    } finally {
      this.#limitPages(0)
    }
  }

  #apply(writes: readonly Write[]): WriteOutcome[] {
    let revision = this.#current
    const outcomes = this.#transaction('write', () =>
      writes.map((write) => {
        const outcome = this.#write(write, revision + 1)
        if (outcome.revision !== 0) revision = outcome.revision
        return outcome
      }),
    )
    this.#current = revision
    return outcomes
  }

  get(key: string): StoredRecord | undefined {
    return this.#reading('get', () => this.#last(key))
  }

  list(prefix: string, options: ListOptions): ListResult {
    const at = this.#known(options.revision ?? this.#current)
    return this.#reading('list', () => {
      const range = { from: startOfPage(prefix, options.after), upto: endOfPrefix(prefix), at }
      const limit = options.limit === undefined || options.limit === 0 ? -1 : options.limit
      if (options.uncounted === true && limit > 0) return { revision: at, ...this.#uncounted(range, limit) }
      const records = this.#statements.list.all({ ...range, limit }).map(recordOf)
      const last = records.at(-1)
      if (last === undefined || records.length !== limit) return { revision: at, records, remaining: 0 }
      const rest = this.#statements.count.get({ ...range, from: startOfPage(prefix, last.key) })
      return { revision: at, records, remaining: Number(rest?.['records']) }
    })
  }

  /** One row beyond the page tells whether there is more. */
  #uncounted(range: { from: string; upto: string | Uint8Array; at: number }, limit: number) {
    const rows = this.#statements.list.all({ ...range, limit: limit + 1 })
    return { records: rows.slice(0, limit).map(recordOf), remaining: rows.length > limit ? 1 : 0 }
  }

  /** The next changes after a revision, oldest first. */
  since(prefix: string, after: number): Page {
    this.#known(after)
    return this.#reading('watch', () => {
      const range = { after, from: prefix, upto: endOfPrefix(prefix), limit: backlogPage }
      const events = this.#statements.since.all(range).map(eventOf)
      const last = events.length < backlogPage
      return { events, last, upTo: last ? this.#current : (events.at(-1)?.record.revision ?? this.#current) }
    })
  }

  /**
   * Forgets what was superseded or deleted in the next `size` revisions up to `target`; returns whether that is
   * reached. Not synced by itself: a power failure may bring forgotten rows back, all of them together with the
   * mark, and the next write's sync makes it durable.
   */
  compactSlice(target: number, size: number): boolean {
    const from = this.#compacted
    const upto = Math.min(from + size, target, this.#current)
    if (upto <= from) return true
    this.#unsynced(() =>
      this.#transaction('compact', () => {
        // Superseded rows first: a deletion must not go before what it deletes, else that would live again.
        this.#statements.forgetSuperseded.run(from, upto)
        this.#statements.forgetKeys.run(from, upto)
        this.#statements.forgetDeletions.run(from, upto)
        this.#statements.setCompacted.run(upto)
      }),
    )
    this.#compacted = upto
    return upto >= Math.min(target, this.#current)
  }

  /** Gives `pages` free pages back to the file system. */
  vacuumSlice(pages: number): void {
    this.#reading('vacuum', () => this.#unsynced(() => this.#db.exec(`PRAGMA incremental_vacuum(${pages})`)))
  }

  pages(): { total: number; free: number } {
    return this.#reading('count pages', () => ({
      total: this.#pragma('page_count', 'page_count'),
      free: this.#pragma('freelist_count', 'freelist_count'),
    }))
  }

  /** Pages in the WAL that are not in the database file yet. */
  walPages(): number {
    return this.#reading('measure the WAL', () => {
      const row = this.#statements.walPages.get()
      return Math.max(0, Number(row?.['log'])) - Math.max(0, Number(row?.['checkpointed']))
    })
  }

  /** Copies the WAL into the database file; the next write then starts the WAL over. */
  checkpoint(): void {
    this.#reading('checkpoint', () => this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)'))
  }

  /** Everything as of now in one new file of its own, without a WAL, for its owner only. */
  copyTo(path: string): void {
    this.#reading(`copy to ${path}`, () => {
      makePrivate(path)
      this.#db.prepare('VACUUM INTO ?').run(path)
    })
  }

  /** Writes the file anew, so that nothing deleted is left in free pages or in the WAL. */
  scrub(): void {
    this.#reading('scrub', () => this.#db.exec('VACUUM; PRAGMA wal_checkpoint(TRUNCATE)'))
  }

  /**
   * Forgets all history and goes on from `revision`, above the current one, as if everything before were compacted:
   * a store that was set back must not give out a revision again that somebody has seen with other content.
   */
  jumpTo(revision: number): void {
    if (revision < this.#current) throw new StatusError('BadRequest', `revision ${revision} lies in the past`)
    while (!this.compactSlice(this.#current, Number.MAX_SAFE_INTEGER));
    this.#transaction('set the revision', () => this.#statements.setCompacted.run(revision))
    this.#compacted = revision
    this.#current = revision
  }

  close(): void {
    try {
      this.#reading('checkpoint', () => this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)'))
    } finally {
      this.#db.close()
    }
  }

  #write(write: Write, revision: number): WriteOutcome {
    if (write.kind === 'create') return this.#create(write, revision)
    const { key, kind, expected, value } = write
    const deleted = kind === 'delete' ? 1 : 0
    const id = this.#statements.expected.get(expected, key)?.['id']
    if (id === undefined) return this.#lost(key)
    // A deletion goes without the last value, which stands in the row before it: it must fit where nothing else does.
    const { changes } = this.#statements.append.run(revision, expected, 0, deleted, id, value)
    if (changes !== 1) return this.#lost(key)
    if (kind === 'update') return { revision }
    return { revision, value: String(this.#statements.value.get(expected)?.['value']) }
  }

  #create({ key, value }: Write, revision: number): WriteOutcome {
    const last = this.#statements.lastRevision.get(key)
    if (last !== undefined && last['deleted'] === 0) return this.#lost(key)
    const id = last?.['id'] ?? this.#statements.addKey.get(key)?.['id'] ?? null
    this.#statements.append.run(revision, last?.['revision'] ?? 0, 1, 0, id, value)
    return { revision }
  }

  #lost(key: string): WriteOutcome {
    return { revision: 0, current: this.#last(key) }
  }

  #last(key: string): StoredRecord | undefined {
    const row = this.#statements.last.get(key)
    if (row === undefined || row['deleted'] === 1) return undefined
    return { key, value: String(row['value']), revision: Number(row['revision']) }
  }

  #known(revision: number): number {
    if (revision < this.#compacted) {
      throw new StatusError(
        'Expired',
        `revision ${revision} has been compacted: the oldest is ${this.#compacted}`,
      )
    }
    if (revision > this.#current) throw tooLarge(revision, this.#current)
    return revision
  }

  #transaction<T>(doing: string, work: () => T): T {
    try {
      this.#statements.begin.run()
      const result = work()
      this.#statements.commit.run()
      return result
    } catch (error) {
      // Some failures (a full disk, an I/O error) have rolled back already.
      if (this.#db.isTransaction) this.#statements.rollback.run()
      throw translate(error, doing)
    }
  }

  #reading<T>(doing: string, work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw translate(error, doing)
    }
  }

  #unsynced(work: () => void): void {
    this.#db.exec('PRAGMA synchronous = NORMAL')
    try {
      work()
    } finally {
      this.#db.exec('PRAGMA synchronous = FULL')
    }
  }

  #limitPages(more: number): void {
    if (this.#maxPages !== undefined) this.#db.exec(`PRAGMA max_page_count = ${this.#maxPages + more}`)
  }

  #pragma(name: string, column: string): number {
    return Number(this.#db.prepare(`PRAGMA ${name}`).get()?.[column])
  }
}

/**
 * Secrets live here: the file is made for its owner only, and SQLite gives the WAL the same mode. Never done to a
 * file that exists: closing any descriptor of it would drop the lock that this process may hold on it.
 */
function makePrivate(path: string): void {
  closeSync(openSync(path, 'wx', 0o600))
}

function setUp(db: DatabaseSync, path: string): void {
  // Exclusive before the first read: the lock is taken then, kept until close, and the WAL needs no shared memory.
  db.exec('PRAGMA locking_mode = EXCLUSIVE')
  const { fresh, version } = readSchemaVersion(db, path)
  if (!fresh) checkSchemaVersion(db, path, { version, target: schemaVersion, migrations })
  if (fresh) db.exec('PRAGMA auto_vacuum = INCREMENTAL')
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA journal_size_limit = ${walFileBytes};
    PRAGMA cache_size = -${cacheKiB};
    PRAGMA temp_store = MEMORY`)
  if (fresh) db.exec(`BEGIN EXCLUSIVE; ${createTables} COMMIT`)
  else migrate(db, version, migrations)
}

function prepareAll(db: DatabaseSync): Statements {
  const prepare = (text: string) => db.prepare(text)
  return {
    begin: prepare(sql.begin),
    commit: prepare(sql.commit),
    rollback: prepare(sql.rollback),
    current: prepare(sql.current),
    compacted: prepare(sql.compacted),
    last: prepare(sql.last),
    lastRevision: prepare(sql.lastRevision),
    addKey: prepare(sql.addKey),
    expected: prepare(sql.expected),
    append: prepare(sql.append),
    value: prepare(sql.value),
    list: prepare(sql.list),
    count: prepare(sql.count),
    since: prepare(sql.since),
    forgetSuperseded: prepare(sql.forgetSuperseded),
    forgetKeys: prepare(sql.forgetKeys),
    forgetDeletions: prepare(sql.forgetDeletions),
    setCompacted: prepare(sql.setCompacted),
    walPages: prepare(sql.walPages),
  }
}

/** Worded and coded as Kubernetes does for a resourceVersion from the future. */
function tooLarge(revision: number, current: number): StatusError {
  const message = `Too large resource version: ${revision}, current: ${current}`
  return new StatusError('Timeout', message, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version', field: '' }],
    retryAfterSeconds: 1,
  })
}

function recordOf(row: Row): StoredRecord {
  return { key: String(row['key']), value: String(row['value']), revision: Number(row['revision']) }
}

function eventOf(row: Row): StoredEvent {
  const record = recordOf(row)
  return row['deleted'] === 1
    ? { type: 'delete', record }
    : { type: 'put', record, created: row['created'] === 1 }
}
