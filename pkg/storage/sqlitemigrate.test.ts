import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { openInProcessStorage } from './inprocess.ts'
import { checkSchemaVersion, type Migration, migrate, readSchemaVersion } from './sqlitemigrate.ts'
import { applicationId } from './sqliteschema.ts'

/** A store as the first schema left it: without the table `about`. */
async function makeFirst(t: ExecutionContext): Promise<string> {
  const path = join(await makeTempDir(t, 'migrate'), 'cove.db')
  const storage = openInProcessStorage({ path })
  await storage.create('/a', 'kept')
  await storage.close()
  const database = new DatabaseSync(path)
  database.exec('DROP TABLE about; PRAGMA user_version = 1')
  database.close()
  return path
}

test('a store of an older schema is brought up and keeps what it holds', async (t) => {
  const path = await makeFirst(t)
  const storage = openInProcessStorage({ path })
  t.deepEqual(await storage.get('/a'), { key: '/a', value: 'kept', revision: 1 })
  await storage.close()
  const database = new DatabaseSync(path)
  t.is(database.prepare('PRAGMA user_version').get()?.['user_version'], 2)
  t.is(database.prepare(`SELECT value FROM about WHERE name = 'needs'`).get()?.['value'], '0.1.0')
  database.close()
})

/** Made up: versions that never were. */
const steps: readonly Migration[] = [
  { to: 2, needs: '9.2.0', sql: 'UPDATE things SET size = size * 2' },
  {
    to: 1,
    needs: '9.1.0',
    sql: 'CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT); ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 4',
  },
]

function versionZero(t: ExecutionContext): DatabaseSync {
  const database = new DatabaseSync(':memory:')
  t.teardown(() => database.close())
  database.exec(`CREATE TABLE things (name TEXT); INSERT INTO things VALUES ('one')`)
  database.exec(`PRAGMA application_id = ${applicationId}`)
  return database
}

test('steps are taken in their order', (t) => {
  const database = versionZero(t)
  const found = readSchemaVersion(database, 'x')
  t.deepEqual(found, { fresh: false, version: 0 })
  checkSchemaVersion(database, 'x', { version: 0, target: 2, migrations: steps })
  t.true(migrate(database, 0, steps))
  t.is(database.prepare('SELECT size FROM things').get()?.['size'], 8)
  t.is(readSchemaVersion(database, 'x').version, 2)
  t.false(migrate(database, 2, steps))
})

test('a step that fails leaves everything as it was', (t) => {
  const database = versionZero(t)
  const failing = [...steps, { to: 3, needs: '9.3.0', sql: 'DROP TABLE nowhere' }]
  t.throws(() => migrate(database, 0, failing), { message: /nowhere/ })
  t.is(readSchemaVersion(database, 'x').version, 0)
  t.throws(() => database.prepare('SELECT size FROM things'), { message: /size/ })
})

test('a schema that no step leads from is refused, and the file is as it was', async (t) => {
  const path = await makeFirst(t)
  const database = new DatabaseSync(path)
  database.exec('PRAGMA user_version = 0')
  database.close()
  const before = await readFile(path)
  t.throws(() => openInProcessStorage({ path }), {
    message: /schema version 0, which this cove no longer knows/,
  })
  t.deepEqual(await readFile(path), before)
})
