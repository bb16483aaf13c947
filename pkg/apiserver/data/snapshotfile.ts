/**
 * The format of a snapshot, one file: the line `cove-snapshot 1`, the manifest as one line of JSON, the bytes of the
 * parts in the manifest's order, and the line `sha256 HEX` over everything before it. The manifest says the size and
 * the hash of each part, the last line proves that nothing was cut off or changed, the manifest included.
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { badRequest, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'

export const snapshotVersion = 1
/** The name of the part that is the store. */
export const databasePart = 'cove.db'

export interface Part {
  /** A path within the data directory: `cove.db`, `pki/NAME`. */
  readonly name: string
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

export interface Manifest {
  readonly version: number
  /** RFC 3339. */
  readonly created: string
  /** The version of Cove that made it. */
  readonly program: string
  readonly schemaVersion: number
  /** Of the store's last change. */
  readonly revision: number
  /** How many objects it holds, by GROUP/PLURAL. */
  readonly objects: Readonly<Record<string, number>>
  /** Ids of the keys that its values are sealed with. */
  readonly sealedWith: readonly string[]
  /** Whether certificates and keys are among the parts. */
  readonly withKeys: boolean
  readonly parts: readonly Part[]
}

export type PartSource = Part & ({ readonly content: Uint8Array } | { readonly path: string })

const magic = 'cove-snapshot'
const longestManifest = 1024 * 1024
const trailerBytes = 'sha256 '.length + 64 + 1

export async function* writeSnapshot(
  manifest: Manifest,
  sources: readonly PartSource[],
): AsyncGenerator<Uint8Array, undefined> {
  const hash = createHash('sha256')
  const counted = (bytes: Uint8Array) => {
    hash.update(bytes)
    return bytes
  }
  yield counted(Buffer.from(`${magic} ${snapshotVersion}\n${JSON.stringify(manifest)}\n`))
  for (const source of sources) {
    if ('content' in source) yield counted(source.content)
    else for await (const chunk of createReadStream(source.path)) yield counted(chunk)
  }
  yield Buffer.from(`sha256 ${hash.digest('hex')}\n`)
  return undefined
}

export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path)) hash.update(chunk)
  return hash.digest('hex')
}

/** Where the bytes of a part go. */
export type Sink = (part: Part, chunk: Uint8Array) => Promise<void>

/**
 * Reads a snapshot to its end and hands every part's bytes to `sink`. Throws BadRequest when the file is none, is of
 * an unknown version, is cut off or was changed; what the sink got before that is worth nothing.
 */
export async function readSnapshot(path: string, sink: Sink): Promise<Manifest> {
  await using file = await open(path, 'r')
  const hash = createHash('sha256')
  const { manifest, start } = await readHead(file, path)
  const end = start + manifest.parts.reduce((sum, part) => sum + part.bytes, 0)
  const { size } = await file.stat()
  if (size !== end + trailerBytes)
    throw broken(path, `it has ${size} bytes and should have ${end + trailerBytes}`)
  hash.update(await readAt(file, 0, start))
  let at = start
  for (const part of manifest.parts) {
    await readPart({ file, path, part, at, hash, sink })
    at += part.bytes
  }
  const trailer = (await readAt(file, end, trailerBytes)).toString('latin1')
  if (trailer !== `sha256 ${hash.digest('hex')}\n`)
    throw broken(path, 'its last line does not fit its content')
  return manifest
}

interface Reading {
  readonly file: FileHandle
  readonly path: string
  readonly part: Part
  readonly at: number
  readonly hash: Hash
  readonly sink: Sink
}

const chunkBytes = 256 * 1024

async function readPart({ file, path, part, at, hash, sink }: Reading): Promise<void> {
  const own = createHash('sha256')
  for (let done = 0; done < part.bytes; ) {
    const chunk = await readAt(file, at + done, Math.min(chunkBytes, part.bytes - done))
    if (chunk.length === 0) throw broken(path, `${part.name} is cut off`)
    hash.update(chunk)
    own.update(chunk)
    await sink(part, chunk)
    done += chunk.length
  }
  if (own.digest('hex') !== part.sha256) throw broken(path, `the hash of ${part.name} does not fit`)
}

async function readHead(file: FileHandle, path: string): Promise<{ manifest: Manifest; start: number }> {
  const head = await readAt(file, 0, longestManifest)
  const first = head.indexOf('\n')
  const second = head.indexOf('\n', first + 1)
  const words = head.subarray(0, Math.max(0, first)).toString('latin1').split(' ')
  if (words[0] !== magic) throw badRequest(`${path} is not a cove snapshot`)
  if (words[1] !== String(snapshotVersion)) {
    const message = `${path} is a snapshot of version ${words[1]}; this cove knows version ${snapshotVersion}: use a newer cove`
    throw badRequest(message)
  }
  if (second < 0) throw broken(path, 'its manifest is cut off')
  return { manifest: parseManifest(head.subarray(first + 1, second).toString(), path), start: second + 1 }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  const { bytesRead } = await file.read(buffer, 0, length, position)
  return buffer.subarray(0, bytesRead)
}

function parseManifest(text: string, path: string): Manifest {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw broken(path, 'its manifest is not JSON', error)
  }
  if (!isManifest(value)) throw broken(path, 'its manifest is not complete')
  return value
}

function isManifest(value: unknown): value is Manifest {
  if (!isPlainObject(value)) return false
  const { version, created, program, schemaVersion, revision, objects, sealedWith, withKeys, parts } = value
  return (
    [version, schemaVersion, revision].every(Number.isSafeInteger) &&
    typeof created === 'string' &&
    typeof program === 'string' &&
    isPlainObject(objects) &&
    Array.isArray(sealedWith) &&
    typeof withKeys === 'boolean' &&
    Array.isArray(parts) &&
    parts.every(isPart) &&
    parts.filter(({ name }) => name === databasePart).length === 1
  )
}

/** A name leads nowhere but into the data directory. */
function isPart(value: unknown): value is Part {
  if (!isPlainObject(value)) return false
  const { name, bytes, sha256 } = value
  const isName = typeof name === 'string' && (name === databasePart || /^pki\/[\w-][\w.-]*$/.test(name))
  return isName && Number.isSafeInteger(bytes) && Number(bytes) >= 0 && typeof sha256 === 'string'
}

function broken(path: string, why: string, cause?: unknown): StatusError {
  return new StatusError('BadRequest', `the snapshot ${path} is damaged: ${why}`, {}, { cause })
}
