/** What every verb works with, and what it gives back. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import type { Storage } from '#pkg/storage/port.ts'
import type { Cache } from './cache.ts'
import type { ContainerIndex } from './containerindex.ts'
import type { KeyedLock } from './lock.ts'
import type { Validating } from './objects.ts'
import type { RequestOptions } from './options.ts'

export interface Context {
  readonly storage: Storage
  readonly cache: Cache
  readonly containers: ContainerIndex
  /** By storage key. */
  readonly locks: KeyedLock
  readonly ambient: Ambient
  readonly kinds: readonly Kind[]
  /** Asks the rules of the schemas; keeps what it has compiled. */
  readonly rules: RuleChecker
}

/** What a request's options and the server's own checker make of a write. */
export function validating({ rules }: Context, { fieldValidation }: RequestOptions): Validating {
  return { fieldValidation, rules }
}

/** One object, as text with its revision in it. */
export interface Written {
  readonly status: 200 | 201
  readonly text: string
  readonly warnings: readonly string[]
}
