/**
 * Files that people have uploaded to the server, and which objects name them: what a node that holds such an object may
 * fetch, and what is kept of them. Pure.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

export const uploadDigestPattern = /^sha256:[0-9a-f]{64}$/

/** Where an object can name one; a kind that takes files gets a line here. */
const places: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'cove.run/Image': [
    ['spec', 'source', 'archive', 'upload'],
    ['spec', 'source', 'rootfs', 'upload'],
  ],
}

/** Kinds whose objects can name uploads, as `GROUP/KIND`. */
export const kindsWithUploads: readonly string[] = Object.keys(places)

interface Naming {
  readonly apiVersion?: string
  readonly kind?: string
}

/** Digests, `sha256:` and 64 hex digits, that the object names; in its own namespace. */
export function uploadsOf(object: Naming): string[] {
  const [group = ''] = (object.apiVersion ?? '').split('/')
  const found = (places[`${group}/${object.kind ?? ''}`] ?? []).map((path) => valueAt(object, path))
  return [...new Set(found.flatMap((value) => (isDigest(value) ? [value] : [])))]
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && uploadDigestPattern.test(value)
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, field) => (isPlainObject(inside) ? inside[field] : undefined), object)
}
