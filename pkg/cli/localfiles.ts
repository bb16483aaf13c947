/**
 * Files beside manifests that objects are made of: `path` in a manifest becomes the digest of the file's content here,
 * before anything is compared or sent, so that the same file is the same object for whoever applies it. Sending them:
 * uploading.ts.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { type LocalPath, localPathsOf, withUploads } from '#pkg/apis/uploads.ts'
import { type ManifestDocument, placeOf } from '#pkg/manifest/decode.ts'
import type { Problem } from '#pkg/manifest/place.ts'

export interface LocalFile {
  /** As the manifest names it. */
  readonly path: string
  readonly absolute: string
  /** `sha256:` and 64 hex digits. */
  readonly digest: string
  readonly bytes: number
}

export interface Resolved {
  /** With digests in place of paths, in the same order. */
  readonly documents: readonly ManifestDocument[]
  /** Of the documents that name some. */
  readonly files: ReadonlyMap<ManifestDocument, readonly LocalFile[]>
  readonly problems: readonly Problem[]
}

/** Reads every file once to its end. A file that cannot be read is a problem of its field. */
export async function resolveFiles(
  documents: readonly ManifestDocument[],
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<Resolved> {
  const files = new Map<ManifestDocument, readonly LocalFile[]>()
  const problems: Problem[] = []
  const resolved: ManifestDocument[] = []
  for (const document of documents) {
    const paths = isPlainObject(document.value) ? localPathsOf(document.value) : []
    const found = new Map<string, LocalFile>()
    for (const local of paths) {
      const file = await readLocal(local, document, { cwd, signal })
      if ('message' in file) problems.push({ place: placeOf(document, local.field), ...file })
      else found.set(local.field, file)
    }
    const next = found.size === 0 ? document : withDigests(document, found)
    if (found.size > 0) files.set(next, [...found.values()])
    resolved.push(next)
  }
  return { documents: resolved, files, problems }
}

function withDigests(document: ManifestDocument, found: ReadonlyMap<string, LocalFile>): ManifestDocument {
  const digests = new Map([...found].map(([field, { digest }]) => [field, digest]))
  const value = isPlainObject(document.value) ? withUploads(document.value, digests) : document.value
  return { ...document, value }
}

async function readLocal(
  { field, path }: LocalPath,
  { source }: ManifestDocument,
  { cwd, signal }: { readonly cwd: string; readonly signal: AbortSignal },
): Promise<LocalFile | Pick<Problem, 'field' | 'message'>> {
  // Whoever serves a manifest is not to choose among the files of whoever applies it.
  if (/^https?:\/\//.test(source.file))
    return { field, message: 'names a file here, which a manifest from elsewhere may not' }
  const base = source.file === '-' ? cwd : dirname(resolve(cwd, source.file))
  const absolute = resolve(base, path)
  try {
    const found = await stat(absolute)
    if (!found.isFile()) return { field, message: `"${absolute}" is no file` }
    const { digest, bytes } = await digestOf(absolute, signal)
    return { path, absolute, digest, bytes }
  } catch (error) {
    signal.throwIfAborted()
    return { field, message: `cannot read "${absolute}": ${whyNot(error)}` }
  }
}

async function digestOf(path: string, signal: AbortSignal): Promise<Pick<LocalFile, 'digest' | 'bytes'>> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 ** 2, signal })) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes }
}

function whyNot(error: unknown): string {
  const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  return missing ? 'there is no such file' : messageOf(error)
}
