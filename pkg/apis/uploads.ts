/**
 * Files that people have uploaded to the server, and which objects name them: what a node that holds such an object may
 * fetch, and what is kept of them. Pure.
 */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

/** `sha256:` of the bytes of a file; `tree:` of the files in a tar archive, by names, modes and contents. */
export const uploadDigestPattern = /^(?:sha256|tree):[0-9a-f]{64}$/

/**
 * Where an object can say that it is made of a file: as `upload`, by its digest, or as `path` in manifests, which whoever
 * sends them turns into `upload`. A kind that takes files gets a line here.
 */
const places: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'cove.run/Image': [
    ['spec', 'source', 'archive'],
    ['spec', 'source', 'rootfs'],
  ],
  'cove.run/Build': [['spec', 'context']],
}

/** Whether objects of the kind can name uploads. */
export function takesUploads({ group, kind }: { readonly group: string; readonly kind: string }): boolean {
  return Object.hasOwn(places, `${group}/${kind}`)
}

interface Naming {
  readonly apiVersion?: unknown
  readonly kind?: unknown
}

/** Digests, `sha256:` and 64 hex digits, that the object names; in its own namespace. */
export function uploadsOf(object: Naming): string[] {
  const found = filesOf(object).map(({ file }) => file['upload'])
  return [...new Set(found.flatMap((value) => (isDigest(value) ? [value] : [])))]
}

export interface LocalPath {
  /** Field of the object: `spec.source.archive.path`. */
  readonly field: string
  /** As it is written. */
  readonly path: string
}

/** Files beside the manifest that the object is to be made of. */
export function localPathsOf(object: Naming): LocalPath[] {
  return filesOf(object).flatMap(({ place, file: { path } }) =>
    typeof path === 'string' && path !== '' ? [{ field: [...place, 'path'].join('.'), path }] : [],
  )
}

/**
 * The object with each of its paths replaced by the digest that stands for it, by field. A path that stands beside
 * another place for the file stays, for whoever checks the object to say so.
 */
export function withUploads<T extends Naming>(object: T, digests: ReadonlyMap<string, string>): T {
  const changed = structuredClone(object)
  for (const { place, file } of filesOf(changed)) {
    const digest = digests.get([...place, 'path'].join('.'))
    if (digest === undefined || 'upload' in file || 'url' in file) continue
    delete file['path']
    file['upload'] = digest
  }
  return changed
}

interface File {
  readonly place: readonly string[]
  readonly file: Record<string, unknown>
}

function filesOf(object: Naming): File[] {
  const { apiVersion, kind } = object
  if (typeof apiVersion !== 'string' || typeof kind !== 'string') return []
  const key = `${apiVersion.split('/')[0]}/${kind}`
  if (!Object.hasOwn(places, key)) return []
  return (places[key] ?? []).flatMap((place) => {
    const file = valueAt(object, place)
    return isPlainObject(file) ? [{ place, file }] : []
  })
}

function isDigest(value: unknown): value is string {
  return typeof value === 'string' && uploadDigestPattern.test(value)
}

function valueAt(object: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((inside, field) => (isPlainObject(inside) ? inside[field] : undefined), object)
}
