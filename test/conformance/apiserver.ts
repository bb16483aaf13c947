/**
 * What the API promises on the level of HTTP, as tests over a transport: in process, or a wire. Time rules run where
 * the server's clock can be moved, counting rules where its counters can be read.
 */
import type { ExecutionContext, TestFn } from 'ava'
import type { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import type { CacheStats } from '#pkg/apiserver/cache.ts'
import { deleting } from './apiserver.deleting.ts'
import { patching } from './apiserver.patching.ts'
import { reading } from './apiserver.reading.ts'
import { relating } from './apiserver.relating.ts'
import { watching } from './apiserver.watching.ts'
import { writing } from './apiserver.writing.ts'

export interface Opened {
  readonly transport: Transport
  /** Absent: the server runs on the real clock. */
  readonly clock?: ManualClock
  /** Absent: the server is elsewhere. */
  readonly stats?: () => CacheStats
}

export interface OpenOptions {
  /** Changes per kind that a watch can start from. */
  readonly window?: number
}

/** A fresh, empty server that has the namespace `default`. */
export type OpenApi = (t: ExecutionContext, options?: OpenOptions) => Promise<Opened>

export function apiServerSuite(test: TestFn, name: string, open: OpenApi): void {
  writing(test, name, open)
  patching(test, name, open)
  deleting(test, name, open)
  relating(test, name, open)
  reading(test, name, open)
  watching(test, name, open)
}
