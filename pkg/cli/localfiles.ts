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
import { type BuildWritten, buildWritten, type LocalWorld } from './builds/buildwritten.ts'

export interface LocalFile {
  /** As the manifest names it. */
  readonly path: string
  readonly absolute: string
  /** `sha256:`, or `tree:` of a context, and 64 hex digits. */
  readonly digest: string
  readonly bytes: number
  /** What is sent, where that is not the file itself. */
  readonly open?: (signal: AbortSignal) => AsyncIterable<Uint8Array>
}

export interface Resolved {
  /** With digests in place of paths, in the same order. */
  readonly documents: readonly ManifestDocument[]
  /** Of the documents that name some. */
  readonly files: ReadonlyMap<ManifestDocument, readonly LocalFile[]>
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** Reads every file once to its end. A file that cannot be read is a problem of its field. */
export async function resolveFiles(
  documents: readonly ManifestDocument[],
  world: LocalWorld,
): Promise<Resolved> {
  const files = new Map<ManifestDocument, readonly LocalFile[]>()
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const resolved: ManifestDocument[] = []
  for (const document of documents) {
    const build = isPlainObject(document.value) ? buildWritten(document.value) : undefined
    const found =
      build === undefined ? await filesOf(document, world) : await contextOf(document, build, world)
    const told = ({ field, message }: Told) => ({ place: placeOf(document, field), field, message })
    problems.push(...found.problems.map(told))
    warnings.push(...found.warnings.map(told))
    if (found.files.length > 0) files.set(found.document, found.files)
    resolved.push(found.document)
  }
  return { documents: resolved, files, problems, warnings }
}

interface Told {
  readonly field: string
  readonly message: string
}

interface Found {
  readonly document: ManifestDocument
  readonly files: readonly LocalFile[]
  readonly problems: readonly Told[]
  readonly warnings: readonly Told[]
}

async function filesOf(document: ManifestDocument, world: LocalWorld): Promise<Found> {
  const paths = isPlainObject(document.value) ? localPathsOf(document.value) : []
  const found = new Map<string, LocalFile>()
  const problems: Told[] = []
  for (const local of paths) {
    const file = await readLocal(local, document, world)
    if ('message' in file) problems.push(file)
    else found.set(local.field, file)
  }
  const next = found.size === 0 ? document : withDigests(document, found)
  return { document: next, files: [...found.values()], problems, warnings: [] }
}

const contextField = 'spec.context.path'

async function contextOf(document: ManifestDocument, build: BuildWritten, world: LocalWorld): Promise<Found> {
  const nothing = { document, files: [], warnings: [] }
  const absolute = absoluteOf(build.path, document, world.cwd)
  if (absolute === undefined)
    return { ...nothing, problems: [{ field: contextField, message: fromElsewhere }] }
  // Only Builds need all that contexts and Dockerfiles are read by.
  const { readContext } = await import('./builds/contexts.ts')
  const context = await readContext(absolute, build, world)
  if (!('upload' in context)) return { ...nothing, problems: context }
  const { upload, dockerfile } = context
  return {
    document: withDockerfile(withDigests(document, new Map([[contextField, upload]])), dockerfile),
    files: [upload],
    problems: [],
    warnings: context.warnings.map((message) => ({ field: contextField, message })),
  }
}

function withDockerfile(document: ManifestDocument, dockerfileInline: string): ManifestDocument {
  const { value } = document
  if (!isPlainObject(value) || !isPlainObject(value['spec'])) return document
  return { ...document, value: { ...value, spec: { ...value['spec'], dockerfileInline } } }
}

function withDigests(document: ManifestDocument, found: ReadonlyMap<string, LocalFile>): ManifestDocument {
  const digests = new Map([...found].map(([field, { digest }]) => [field, digest]))
  const value = isPlainObject(document.value) ? withUploads(document.value, digests) : document.value
  return { ...document, value }
}

const fromElsewhere = 'names a file here, which a manifest from elsewhere may not'

/** Undefined: whoever serves a manifest is not to choose among the files of whoever applies it. */
function absoluteOf(path: string, { source }: ManifestDocument, cwd: string): string | undefined {
  if (/^https?:\/\//.test(source.file)) return undefined
  return resolve(source.file === '-' ? cwd : dirname(resolve(cwd, source.file)), path)
}

async function readLocal(
  { field, path }: LocalPath,
  document: ManifestDocument,
  { cwd, signal }: LocalWorld,
): Promise<LocalFile | Told> {
  const absolute = absoluteOf(path, document, cwd)
  if (absolute === undefined) return { field, message: fromElsewhere }
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
