/**
 * The storage port: an append-only log of key/value changes with one global revision, as etcd has it.
 * Promises of every implementation, held by test/conformance/storage.ts:
 * - a write is durable before its promise resolves and before any watcher sees it;
 * - revisions grow by one per change and are never used twice, not even after a crash;
 * - a watcher sees every change after its start revision once, in order, or fails with Expired;
 * - a write that fails with NoSpace or InternalError has changed nothing a reader or watcher will ever see, unless
 *   the failure says otherwise (Timeout, ServiceUnavailable: the outcome is unknown, read before trying again).
 * Keys and values are well-formed strings (no lone surrogates), else BadRequest. After close() everything fails
 * with ServiceUnavailable.
 */

export interface StoredRecord {
  readonly key: string
  readonly value: string
  /** The revision of the change that wrote this value. */
  readonly revision: number
}

/** A lost race is a result, not an error: the caller gets what is there now. */
export type WriteResult =
  | { readonly ok: true; readonly revision: number }
  | { readonly ok: false; readonly current: StoredRecord | undefined }

export interface ListOptions {
  /**
   * As the store was at this revision; absent: now. Throws Expired when it has been compacted away, and Timeout
   * with the cause ResourceVersionTooLarge when the store has not come that far.
   */
  readonly revision?: number
  /** Only keys greater than this one: where the previous page ended. */
  readonly after?: string
  /** Absent or 0: all of them. */
  readonly limit?: number
  /** Who only wants to know whether there is more spares the store counting all of it, page after page. */
  readonly uncounted?: true
}

export interface ListResult {
  /** What the records are as of: the asked revision, or the store's last. Ask the next page for the same. */
  readonly revision: number
  /** In byte order of their keys (UTF-8). */
  readonly records: readonly StoredRecord[]
  /** How many matching records follow the last one returned; of an uncounted list, 1 when there are any. */
  readonly remaining: number
}

export type StoredEvent =
  | { readonly type: 'put'; readonly record: StoredRecord; readonly created: boolean }
  /** `record` holds the last value, with the revision of the deletion. */
  | { readonly type: 'delete'; readonly record: StoredRecord }

export interface Storage {
  /** Fails with the current record when the key exists. */
  create(key: string, value: string): Promise<WriteResult>
  /** Succeeds only when the key exists and its last change is `expected`. */
  update(key: string, value: string, expected: number): Promise<WriteResult>
  /** As update: only when the key exists and its last change is `expected`. */
  delete(key: string, expected: number): Promise<WriteResult>
  get(key: string): Promise<StoredRecord | undefined>
  list(prefix: string, options?: ListOptions): Promise<ListResult>
  /**
   * Changes of keys under `prefix` with a revision above `after`: first the backlog in pages, then live changes in
   * the batches they were committed in. Throws Expired when `after` lies before the compacted revision, or when the
   * reader falls too far behind; Timeout with the cause ResourceVersionTooLarge when `after` is in the future;
   * ServiceUnavailable when the store closes. Ends, without an error, when the signal aborts.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoredEvent[]>
  /** The revision of the last change, and the oldest that list and watch still know. */
  revisions(): Promise<{ current: number; compacted: number }>
  /**
   * Forgets values superseded, and deletions made, at or before `revision` (at most the current one). Works in small
   * slices so that writers never wait for it.
   */
  compact(revision: number): Promise<void>
  /** Finishes what has been asked, then lets go of the store. May be called twice. */
  close(): Promise<void>
}

/** A store that is a file of this machine. Both calls hold up everything else for as long as they take. */
export interface FileStorage extends Storage {
  /** Writes all of it, as of one moment, into a new file that only the owner may read. Not synced. */
  copyTo(path: string): Promise<void>
  /** Leaves nothing in its files of what was overwritten, deleted or compacted before. */
  scrub(): Promise<void>
}
