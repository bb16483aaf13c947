/** What every verb works with, and what it gives back. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { RuleChecker } from '#pkg/apis/rules.ts'
import type { Storage } from '#pkg/storage/port.ts'
import type { Cache } from '../cache/cache.ts'
import type { ApiObject } from '../cache/encoded.ts'
import type { FieldSetMemo } from '../cache/managerstext.ts'
import type { RequestOptions } from '../http/options.ts'
import type { RequestInfo } from '../http/request.ts'
import type { ContainerIndex } from './containerindex.ts'
import type { KeyedLock } from './lock.ts'
import type { Validating } from './objects.ts'
import type { TagClaims } from './tagclaims.ts'

/** An object as somebody wants it stored, and as it is; admitted already in all other respects. */
export interface Write {
  readonly kind: Kind
  readonly object: ApiObject
  /** Absent: a new object. */
  readonly before?: ApiObject
}

/** Throws what the user should hear who may not write that. */
export type Admit = (user: UserInfo, write: Write) => void

export interface Context {
  readonly storage: Storage
  readonly cache: Cache
  readonly containers: ContainerIndex
  readonly tags: TagClaims
  /** Of what is read in order to be written. */
  readonly fieldSets: FieldSetMemo
  /** By storage key. */
  readonly locks: KeyedLock
  readonly ambient: Ambient
  /** A watch that names no time of its own is ended after this many ms, or up to twice as many. */
  readonly minWatchMs: number
  readonly kinds: readonly Kind[]
  /** Asks the rules of the schemas; keeps what it has compiled. */
  readonly rules: RuleChecker
  /** For one request: the last word on a write, before it is stored. Absent: the server writes for itself. */
  readonly admit?: (write: Write) => void
  /** For one request: whether the user may also do what it turns out to need. Throws Forbidden. Absent: yes. */
  readonly authorize?: (info: RequestInfo) => Promise<void>
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
  /** Of a new object. */
  readonly made?: { readonly name: string; readonly uid?: string }
}
