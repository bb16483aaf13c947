/** `cove server fsck`: the whole check of a data directory whose server does not run. */
import { join } from 'node:path'
import { kinds } from '#pkg/apis/kinds.ts'
import { checkObjects } from '#pkg/apiserver/data/fsck.ts'
import { keysFile, readKeys } from '#pkg/apiserver/data/secretstore.ts'
import { inspectDatabase, repairDatabase, type StoreFinding } from '#pkg/storage/sqliteinspect.ts'
import { databaseFile } from '../coved/data.ts'
import { openOwner } from './dataowner.ts'
import { saveSnapshot } from './snapshotsave.ts'

export interface FsckOptions {
  readonly dataDir: string
  /** Mends what can be mended without losing anything, after a snapshot of it all. */
  readonly repair: boolean
  readonly print: (line: string) => void
}

/** One line for each finding; 0 without any, 1 with some left. Throws InUse while a server runs. */
export async function fsck({ dataDir, repair, print }: FsckOptions): Promise<number> {
  const path = join(dataDir, databaseFile)
  const { findings, revision, records } = inspectDatabase(path)
  const keys = await readKeys(join(dataDir, 'pki', keysFile))
  const objects = checkObjects(records, { kinds, ...(keys !== undefined && { keys }) })
  for (const finding of findings) print(lineOf(finding))
  for (const { key, what } of objects) print(`${key} ${what}`)
  const repairable = findings.filter((finding) => finding.repairable)
  const left = repair && repairable.length > 0 ? await mend(dataDir, print) : findings
  const total = left.length + objects.length
  print(`${records.length} objects at revision ${revision}: ${total === 0 ? 'clean' : `${total} findings`}`)
  return total === 0 ? 0 : 1
}

async function mend(dataDir: string, print: (line: string) => void): Promise<readonly StoreFinding[]> {
  const path = join(dataDir, databaseFile)
  const stamp = new Date().toISOString().replace(/[-:]|\..*/g, '')
  const file = `${dataDir}.before-fsck-${stamp}.snapshot`
  await saveSnapshot(await openOwner(dataDir), { file, withKeys: true })
  print(`saved as it was: ${file}`)
  repairDatabase(path)
  const { findings } = inspectDatabase(path)
  print('repaired')
  for (const finding of findings) print(`still: ${lineOf(finding)}`)
  return findings
}

function lineOf({ what, repairable }: StoreFinding): string {
  return `store: ${what}${repairable ? ' (repairable)' : ''}`
}
