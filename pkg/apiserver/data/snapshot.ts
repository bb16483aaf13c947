/**
 * Makes a snapshot of a data directory: the store as of one moment, and the certificates and keys without which it
 * cannot be served again. Consistent while the server writes: the store is copied first and the keys read after it,
 * and whoever calls sees to it that no key goes in between.
 */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { diskError } from '#pkg/apimachinery/files.ts'
import { sealedWith } from '#pkg/storage/envelope.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import { outlineDatabase } from '#pkg/storage/sqliteinspect.ts'
import { registryPrefix } from '../cache/encoded.ts'
import {
  databasePart,
  hashFile,
  type Manifest,
  type PartSource,
  snapshotVersion,
  writeSnapshot,
} from './snapshotfile.ts'

export interface SnapshotOptions {
  /** The data directory; the copy lies in it until the snapshot is written. */
  readonly dataDir: string
  /** Writes the store into a new file. */
  readonly copyTo: (path: string) => Promise<void>
  /** False: certificates and keys are left out. */
  readonly withKeys: boolean
  /** RFC 3339. */
  readonly created: string
  readonly program: string
}

export interface Snapshot {
  readonly manifest: Manifest
  /** To be read once, to its end; or `discard`. */
  readonly chunks: AsyncIterable<Uint8Array>
  discard(): Promise<void>
}

const workPrefix = '.snapshot-'

/** Throws what `copyTo` throws: NoSpace, or InternalError when the store is damaged. */
export async function makeSnapshot(options: SnapshotOptions): Promise<Snapshot> {
  const { dataDir, copyTo, withKeys, created, program } = options
  const work = await mkdtemp(join(dataDir, workPrefix)).catch((error: unknown) => {
    throw diskError(error, 'the snapshot cannot be made')
  })
  const discard = () => rm(work, { recursive: true, force: true })
  try {
    const path = join(work, databasePart)
    await copyTo(path)
    const { schemaVersion, revision, records } = outlineDatabase(path)
    const database = {
      name: databasePart,
      path,
      bytes: (await stat(path)).size,
      sha256: await hashFile(path),
    }
    const sources: PartSource[] = [database, ...(withKeys ? await pkiParts(join(dataDir, 'pki')) : [])]
    const manifest: Manifest = {
      version: snapshotVersion,
      created,
      program,
      schemaVersion,
      revision,
      objects: countObjects(records),
      sealedWith: sealingKeys(records),
      withKeys,
      parts: sources.map(({ name, bytes, sha256 }) => ({ name, bytes, sha256 })),
    }
    return { manifest, chunks: thenDiscarded(writeSnapshot(manifest, sources), discard), discard }
  } catch (error) {
    await discard()
    throw error
  }
}

/** What a snapshot left behind that a kill broke off. To be called while nobody makes one. */
export async function removeLeftOvers(dataDir: string): Promise<void> {
  const names = (await readdir(dataDir)).filter((name) => name.startsWith(workPrefix))
  for (const name of names) await rm(join(dataDir, name), { recursive: true, force: true })
}

export function countObjects(records: readonly StoredRecord[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { key } of records) {
    const [group = '', plural = ''] = key.slice(registryPrefix.length).split('/')
    const name = `${group}/${plural}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

/** Ids, sorted. */
export function sealingKeys(records: readonly StoredRecord[]): string[] {
  const ids = records.flatMap(({ value }) => sealedWith(value) ?? [])
  return [...new Set(ids)].sort()
}

async function pkiParts(dir: string): Promise<PartSource[]> {
  const entries = await readdir(dir, { withFileTypes: true })
  // What is about to become another file by a rename is not one yet.
  const names = entries
    .filter((entry) => entry.isFile() && !entry.name.endsWith('.new'))
    .map(({ name }) => name)
  return await Promise.all(
    names.sort().map(async (name) => {
      const content = await readFile(join(dir, name))
      const sha256 = createHash('sha256').update(content).digest('hex')
      return { name: `pki/${name}`, content, bytes: content.length, sha256 }
    }),
  )
}

async function* thenDiscarded(
  chunks: AsyncIterable<Uint8Array>,
  discard: () => Promise<void>,
): AsyncGenerator<Uint8Array, undefined> {
  try {
    yield* chunks
  } finally {
    await discard()
  }
  return undefined
}
