/**
 * What the storage's two sides say to each other: logstorage.ts on the caller's thread asks, logserver.ts beside
 * the database answers. Plain data that can be posted between threads. Answers come in the order of the questions,
 * so nothing carries an id.
 */
import { type Reason, type StatusDetails, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ListOptions, ListResult, StoredEvent, StoredRecord } from './port.ts'

export type WriteKind = 'create' | 'update' | 'delete'

/** `expected` is 0 for a create; `value` is empty for a delete. */
export interface Write {
  readonly kind: WriteKind
  readonly key: string
  readonly value: string
  readonly expected: number
}

export type WriteOutcome =
  /** `value` is the last one of a deleted key. */
  | { readonly revision: number; readonly value?: string }
  | { readonly revision: 0; readonly current: StoredRecord | undefined }

export type Call =
  | { readonly op: 'get'; readonly key: string }
  | { readonly op: 'list'; readonly prefix: string; readonly options: ListOptions }
  | { readonly op: 'since'; readonly prefix: string; readonly after: number }
  | { readonly op: 'revisions' }
  | { readonly op: 'compact'; readonly revision: number }
  | { readonly op: 'copy'; readonly path: string }
  | { readonly op: 'scrub' }
  | { readonly op: 'close' }

/** Part of a watch's backlog. `last`: nothing was left after `upTo`, the store's revision at that moment. */
export interface Page {
  readonly events: readonly StoredEvent[]
  readonly upTo: number
  readonly last: boolean
}

export type Answer =
  | { readonly op: 'get'; readonly record: StoredRecord | undefined }
  | { readonly op: 'list'; readonly list: ListResult }
  | { readonly op: 'since'; readonly page: Page }
  | { readonly op: 'revisions'; readonly current: number; readonly compacted: number }
  /** One slice was done; `done`: the asked revision is reached. */
  | { readonly op: 'compact'; readonly done: boolean }
  | { readonly op: 'copy' }
  | { readonly op: 'scrub' }
  | { readonly op: 'close' }
  | { readonly op: 'failed'; readonly failure: Failure }

/** Asked in one turn of the caller's event loop. Writes are done before calls are answered. */
export interface Batch {
  readonly writes: readonly Write[]
  readonly calls: readonly Call[]
}

/** One commit, and the calls answered after it. */
export interface Reply {
  readonly writes: readonly WriteOutcome[] | { readonly count: number; readonly failure: Failure }
  readonly calls: readonly Answer[]
}

/** A StatusError between threads: structured cloning would keep neither its class nor its reason. */
export interface Failure {
  readonly reason: Reason
  readonly message: string
  readonly details: StatusDetails
}

export function failureOf(error: StatusError): Failure {
  return { reason: error.reason, message: error.message, details: error.details }
}

export function errorOf(failure: Failure): StatusError {
  return new StatusError(failure.reason, failure.message, failure.details)
}
