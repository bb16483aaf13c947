/** How the tests of the API get a server. */
import type { ExecutionContext } from 'ava'
import type { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import type { CacheStats } from '#pkg/apiserver/cache/cache.ts'

export interface Opened {
  readonly transport: Transport
  /** Absent: the server runs on the real clock. */
  readonly clock?: ManualClock
  /** What was there before the last change can be read no more. */
  readonly forget: () => Promise<void>
  /** Absent: the server is elsewhere. */
  readonly stats?: () => CacheStats
}

export interface OpenOptions {
  /** Changes per kind that a watch can start from. */
  readonly window?: number
}

/** A fresh, empty server that has the namespace `default`. */
export type OpenApi = (t: ExecutionContext, options?: OpenOptions) => Promise<Opened>
