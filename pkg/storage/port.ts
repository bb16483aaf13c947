/**
 * The storage port: an append-only log of key/value changes with one global revision, as etcd has it.
 * Promises of every implementation, held by test/conformance/storage.ts:
 * - a write is durable before its promise resolves and before any watcher sees it;
 * - revisions grow by one per change and are never used twice, not even after a crash;
 * - a watcher sees every change after its start revision once, in order, or fails with Expired.
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
  /** As the store was at this revision; absent: now. Throws Expired when it has been compacted away. */
  readonly revision?: number
  /** Only keys greater than this one: where the previous page ended. */
  readonly after?: string
  readonly limit?: number
}

export interface ListResult {
  readonly revision: number
  /** In byte order of their keys. */
  readonly records: readonly StoredRecord[]
  /** How many matching records follow the last one returned. */
  readonly remaining: number
}

export type StoredEvent =
  | { readonly type: 'put'; readonly record: StoredRecord; readonly created: boolean }
  /** `record` holds the last value, with the revision of the deletion. */
  | { readonly type: 'delete'; readonly record: StoredRecord }

export interface Storage {
  /** Fails with the current record when the key exists. */
  create(key: string, value: string): Promise<WriteResult>
  /** Succeeds only when the key's last change is `expected`. */
  update(key: string, value: string, expected: number): Promise<WriteResult>
  delete(key: string, expected: number): Promise<WriteResult>
  get(key: string): Promise<StoredRecord | undefined>
  list(prefix: string, options?: ListOptions): Promise<ListResult>
  /**
   * Changes of keys under `prefix` with a revision above `after`, in batches that were committed together.
   * Throws Expired when `after` lies before the compacted revision. Ends when the signal aborts.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<readonly StoredEvent[]>
  /** The revision of the last change, and the oldest that list and watch still know. */
  revisions(): Promise<{ current: number; compacted: number }>
  /** Forgets values superseded at or before `revision`. Works in small slices so that writers never wait for it. */
  compact(revision: number): Promise<void>
  close(): Promise<void>
}
