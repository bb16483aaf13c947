/** What lies in the data directory, opened for serving: the store with sealed Secrets, and the audit log. Wiring only. */
import { mkdir, statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type { Ambient } from '#pkg/apimachinery/ambient.ts'
import { messageOf } from '#pkg/apimachinery/errors.ts'
import type { AuditSink } from '#pkg/apiserver/audit/audit.ts'
import { AuditFile } from '#pkg/apiserver/audit/auditfile.ts'
import { maintenance } from '#pkg/apiserver/data/maintenance.ts'
import { keysFile, SecretStore } from '#pkg/apiserver/data/secretstore.ts'
import { removeLeftOvers } from '#pkg/apiserver/data/snapshot.ts'
import { Uploads } from '#pkg/apiserver/data/uploads.ts'
import type { Check } from '#pkg/apiserver/documents/health.ts'
import type { Surface } from '#pkg/apiserver/http/answer.ts'
import type { Storage } from '#pkg/storage/port.ts'
import { gaugeRoom } from '#pkg/storage/roomgauge.ts'
import { openSqliteStorage, type StartWorker } from '#pkg/storage/sqlite.ts'

export interface DataOptions {
  readonly dataDir: string
  readonly startWorker: StartWorker
  readonly ambient: Ambient
  readonly program: string
  /** A path; "-": standard output; "off". Absent: `audit.log` in the data directory. */
  readonly auditLog?: string | undefined
  /** Of one file that is uploaded; absent: 10 GiB. */
  readonly maxUploadBytes?: number | undefined
}

const usualUploadBytes = 10 * 1024 ** 3

export interface Data {
  readonly storage: Storage
  readonly surfaces: readonly Surface[]
  readonly audit: AuditSink | undefined
  readonly uploads: Uploads
  /** Of `/readyz`, by name. */
  readonly checks: Readonly<Record<string, Check>>
  close(): Promise<void>
}

/** The store in its directory. */
export const databaseFile = 'cove.db'

/** Throws InUse when another server has the directory: the store's lock is taken before anything is written. */
export async function openData(options: DataOptions): Promise<Data> {
  const { dataDir, startWorker, ambient, program } = options
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  const opened = await openSqliteStorage({ path: join(dataDir, databaseFile), startWorker, log: ambient.log })
  const { storage: raw, check } = gaugeRoom(opened, async () => {
    const { bavail, bsize } = await statfs(dataDir)
    return bavail * bsize
  })
  try {
    const pkiDir = join(dataDir, 'pki')
    await mkdir(pkiDir, { recursive: true, mode: 0o700 })
    await removeLeftOvers(dataDir)
    const secrets = await SecretStore.open({ storage: raw, path: join(pkiDir, keysFile), ambient })
    await settle(secrets, ambient)
    const maxBytes = options.maxUploadBytes ?? usualUploadBytes
    const uploads = await Uploads.open({ dataDir, maxBytes, ...ambient })
    const audit = openAudit(options)
    return {
      storage: secrets.storage,
      checks: { 'storage-room': check },
      surfaces: [maintenance({ secrets, dataDir, program, ambient })],
      audit: audit?.sink,
      uploads,
      async close() {
        await audit?.close()
        await raw.close()
      },
    }
  } catch (error) {
    await raw.close()
    throw error
  }
}

/** A full disk, or a value that does not open, is no reason not to serve the rest. */
async function settle(secrets: SecretStore, { log }: Ambient): Promise<void> {
  try {
    const { rewritten, unreadable } = await secrets.settle()
    if (rewritten > 0) log.info('Secrets sealed with the current key', { rewritten })
    for (const error of unreadable) log.error('a Secret cannot be opened', { error: messageOf(error) })
  } catch (error) {
    log.error('Secrets could not be sealed with the current key', { error: messageOf(error) })
  }
}

function openAudit({ dataDir, auditLog, ambient }: DataOptions) {
  if (auditLog === 'off') return undefined
  const { clock, log } = ambient
  if (auditLog === '-') {
    // A reader that went away is no reason to stop serving.
    process.stdout.on('error', (error) =>
      log.warn('the audit log cannot be written', { error: messageOf(error) }),
    )
    const sink: AuditSink = { write: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`) }
    return { sink, close: async () => {} }
  }
  const sink = new AuditFile({ path: auditLog ?? join(dataDir, 'audit.log'), clock, log })
  return { sink, close: () => sink.close() }
}
