/** Everything about files that people upload: put together for serve.ts. */
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { namespaceKind } from '#pkg/apis/core.ts'
import { servedKinds } from '#pkg/apis/kinds.ts'
import { takesUploads, uploadsOf } from '#pkg/apis/uploads.ts'
import type { Cache } from './cache/cache.ts'
import { decodeObject } from './cache/encoded.ts'
import { collectUploads, keyOf } from './data/uploads.collect.ts'
import type { Uploads } from './data/uploads.ts'
import type { Surface } from './http/answer.ts'
import { takesFile, uploadsSurface } from './streams/uploads.ts'

export interface UploadingOptions {
  /** Undefined: none are taken. */
  readonly uploads: Uploads | undefined
  readonly cache: () => Cache
  readonly ambient: Ambient
}

export interface Uploading {
  readonly surfaces: readonly Surface[]
  readonly takesInput: (method: string, path: string) => boolean
  /** Removes what nothing names, until the signal aborts. */
  collect(signal: AbortSignal): Promise<void>
}

export function makeUploading({ uploads, cache, ambient }: UploadingOptions): Uploading {
  if (uploads === undefined) return { surfaces: [], takesInput: () => false, collect: async () => {} }
  const hasNamespace = (name: string) => cache().of(namespaceKind).get(name) !== undefined
  const named = () => namedUploads(cache())
  return {
    surfaces: [uploadsSurface({ uploads, hasNamespace })],
    takesInput: takesFile,
    collect: (signal) => collectUploads({ uploads, named, ambient, signal }),
  }
}

const everything = { labelSelector: [], fieldSelector: [] }

/** Throws ServiceUnavailable while what is stored is not known. */
function namedUploads(cache: Cache): ReadonlySet<string> {
  cache.mustFollow()
  const entries = servedKinds.filter(takesUploads).flatMap((kind) => cache.of(kind).select(everything))
  return new Set(
    entries.flatMap(({ text }) => {
      const object = decodeObject(text)
      const { namespace = '' } = object.metadata
      return uploadsOf(object).map((digest) => keyOf({ namespace, digest }))
    }),
  )
}
