/** The SQLite log, behind its thread and on the calling one, against the storage port's promises. */
import { join } from 'node:path'
import test from 'ava'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { storageSuite } from './storage.ts'

storageSuite(test, 'thread', async (t, options = {}) => {
  const path = join(await makeTempDir(t, 'storage'), 'cove.db')
  const open = async () => {
    const storage = await openSqliteStorage({ path, startWorker: startSourceWorker, ...options })
    t.teardown(() => storage.close())
    return storage
  }
  const storage = await open()
  const reopen = async () => {
    await storage.close()
    return open()
  }
  return { storage, reopen }
})

storageSuite(test, 'in process', async (t, options = {}) => {
  const storage = openInProcessStorage(options)
  t.teardown(() => storage.close())
  return { storage }
})
