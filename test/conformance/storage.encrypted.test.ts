/** Storage that seals its values, all of them or only some, against the storage port's promises. */
import { join } from 'node:path'
import test from 'ava'
import { encrypted } from '#pkg/storage/encrypted.ts'
import { makeKey } from '#pkg/storage/envelope.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { storageSuite } from './storage.ts'

const keys = [makeKey('2026-01-01T00:00:00Z')] as const

storageSuite(test, 'encrypted', async (t, options = {}) => {
  const path = join(await makeTempDir(t, 'encrypted'), 'cove.db')
  const open = async () => {
    const storage = await openSqliteStorage({ path, startWorker: startSourceWorker, ...options })
    t.teardown(() => storage.close())
    return encrypted(storage, { prefixes: [''], keys: () => keys })
  }
  const storage = await open()
  const reopen = async () => {
    await storage.close()
    return open()
  }
  return { storage, reopen }
})

storageSuite(test, 'encrypted in part, in process', async (t, options = {}) => {
  const storage = encrypted(openInProcessStorage(options), { prefixes: ['/a', '/1'], keys: () => keys })
  t.teardown(() => storage.close())
  return { storage }
})
