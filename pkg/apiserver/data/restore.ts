/**
 * Reads snapshots back: `verifySnapshot` says whether one is good without keeping anything of it, `restoreSnapshot`
 * makes a data directory of one. The directory appears whole or not at all. Its store goes on from a revision far
 * above the snapshot's and knows no history, so that everybody who saw later revisions lists anew instead of waiting
 * for changes that will not come: what etcd's restore does with --bump-revision and --mark-compacted.
 */
import { type FileHandle, mkdir, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { badRequest, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import type { Keyring } from '#pkg/storage/envelope.ts'
import { inspectDatabase } from '#pkg/storage/sqliteinspect.ts'
import { SqliteLog } from '#pkg/storage/sqlitelog.ts'
import { checkObjects } from './fsck.ts'
import { keysFile, readKeys } from './secretstore.ts'
import { countObjects, sealingKeys } from './snapshot.ts'
import { databasePart, type Manifest, type Part, readSnapshot } from './snapshotfile.ts'

/** What etcd's own guide recommends: more than any store writes between two snapshots. */
export const defaultBump = 1_000_000_000

export interface Verified {
  readonly manifest: Manifest
  /** What is wrong with the content, one sentence each; empty: the snapshot can be restored as it is. */
  readonly findings: readonly string[]
  /** What is wrong with single objects, as fsck tells it: no reason not to restore. */
  readonly objects: readonly string[]
  /** What a server needs and the snapshot does not hold, one sentence each. */
  readonly missing: readonly string[]
}

export interface Restored extends Verified {
  /** The store's revision now. */
  readonly revision: number
}

/** Throws BadRequest when the file is none, damaged, or of an unknown version. `workDir` exists; nothing is left in it. */
export async function verifySnapshot(
  path: string,
  { workDir, kinds }: { readonly workDir: string; readonly kinds: readonly Kind[] },
): Promise<Verified> {
  const dir = await mkdtemp(join(workDir, '.cove-verify-'))
  try {
    return await look(await extract(path, dir), dir, kinds)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Throws InUse when the directory holds anything, and as verifySnapshot; also BadRequest when the store is damaged. */
export async function restoreSnapshot(
  path: string,
  options: { readonly dataDir: string; readonly bump: number; readonly kinds: readonly Kind[] },
): Promise<Restored> {
  const { dataDir, bump, kinds } = options
  await mustBeEmpty(dataDir)
  const parent = dirname(dataDir)
  await mkdir(parent, { recursive: true, mode: 0o700 })
  const dir = await mkdtemp(`${dataDir}.restoring-`)
  try {
    const verified = await look(await extract(path, dir), dir, kinds)
    const [finding] = verified.findings
    if (finding !== undefined) throw badRequest(`the snapshot ${path} is not good: ${finding}`)
    const revision = verified.manifest.revision + bump
    const log = SqliteLog.open({ path: join(dir, databasePart) })
    try {
      log.jumpTo(revision)
    } finally {
      log.close()
    }
    await syncAll(dir)
    await rename(dir, dataDir)
    await syncPath(parent)
    return { ...verified, revision }
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    throw error
  }
}

async function mustBeEmpty(dataDir: string): Promise<void> {
  let names: string[]
  try {
    names = await readdir(dataDir)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw new StatusError(
      'InternalError',
      `cannot read ${dataDir}: ${messageOf(error)}`,
      {},
      { cause: error },
    )
  }
  if (names.length === 0) return
  const message = `${dataDir} is not empty: a snapshot is restored into a new directory; move this one away first`
  throw new StatusError('InUse', message)
}

/** Each part into its file, for its owner only. */
async function extract(path: string, dir: string): Promise<Manifest> {
  await mkdir(join(dir, 'pki'), { mode: 0o700 })
  const files = new Map<string, FileHandle>()
  const fileOf = async ({ name }: Part) => {
    const known = files.get(name)
    if (known !== undefined) return known
    const made = await open(join(dir, name), 'wx', 0o600)
    files.set(name, made)
    return made
  }
  try {
    return await readSnapshot(path, async (part, chunk) => {
      await (await fileOf(part)).writeFile(chunk)
    })
  } finally {
    for (const file of files.values()) await file.close()
  }
}

async function look(manifest: Manifest, dir: string, kinds: readonly Kind[]): Promise<Verified> {
  const { revision, schemaVersion, findings, records } = inspectDatabase(join(dir, databasePart))
  const keys = await readKeys(join(dir, 'pki', keysFile))
  const differences = [
    ...differing('revision', manifest.revision, revision),
    ...differing('schema version', manifest.schemaVersion, schemaVersion),
    ...differing('objects', JSON.stringify(manifest.objects), JSON.stringify(countObjects(records))),
  ]
  const checked = checkObjects(records, { kinds, ...(keys !== undefined && { keys }) })
  return {
    manifest,
    findings: [...findings.map(({ what }) => what), ...differences],
    objects: checked.map(({ key, what }) => `${key} ${what}`),
    missing: missingParts(manifest, keys, sealingKeys(records)),
  }
}

function differing(what: string, said: unknown, found: unknown): string[] {
  return said === found ? [] : [`its manifest says ${what} ${said}, its store ${found}`]
}

function missingParts(
  { withKeys }: Manifest,
  keys: Keyring | undefined,
  sealing: readonly string[],
): string[] {
  const lost = sealing.filter((id) => keys?.some((key) => key.id === id) !== true)
  return [
    ...(withKeys
      ? []
      : [
          'the certificates: put the old pki directory into it before the server starts, or every agent and client needs a new kubeconfig',
        ]),
    ...(lost.length === 0
      ? []
      : [`the encryption keys ${lost.join(', ')}: without them in pki/${keysFile} Secrets cannot be read`]),
  ]
}

async function syncAll(dir: string): Promise<void> {
  for (const entry of await readdir(dir, { withFileTypes: true, recursive: true }))
    await syncPath(join(entry.parentPath, entry.name))
  await syncPath(dir)
}

async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}
