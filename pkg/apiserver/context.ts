/** What every verb works with, and what it gives back. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Storage } from '#pkg/storage/port.ts'
import type { Cache } from './cache.ts'
import type { ContainerIndex } from './containerindex.ts'
import type { KeyedLock } from './lock.ts'

export interface Context {
  readonly storage: Storage
  readonly cache: Cache
  readonly containers: ContainerIndex
  /** By storage key. */
  readonly locks: KeyedLock
  readonly ambient: Ambient
  readonly kinds: readonly Kind[]
}

/** One object, as text with its revision in it. */
export interface Written {
  readonly status: 200 | 201
  readonly text: string
  readonly warnings: readonly string[]
}
