import { readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import test, { type ExecutionContext } from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { openInProcessStorage } from './inprocess.ts'
import { copyDatabase, inspectDatabase, repairDatabase } from './sqliteinspect.ts'
import { SqliteLog } from './sqlitelog.ts'

/** With a history, a deletion, a key that came again, and some of it compacted. */
async function makeStore(t: ExecutionContext, compactTo: number): Promise<string> {
  const path = join(await makeTempDir(t, 'inspect'), 'cove.db')
  const storage = openInProcessStorage({ path, keepRevisions: 1000 })
  await storage.create('/a', '1')
  await storage.update('/a', '2', 1)
  await storage.delete('/a', 2)
  await storage.create('/b', '3')
  await storage.create('/a', '4')
  await storage.update('/b', '5', 4)
  await storage.delete('/a', 5)
  await storage.create('/c', '6')
  await storage.compact(compactTo)
  await storage.close()
  return path
}

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

for (let compactTo = 0; compactTo <= 8; compactTo++) {
  test(`a store compacted up to ${compactTo} is clean, and looking at it changes nothing`, async (t) => {
    const path = await makeStore(t, compactTo)
    const before = await readFile(path)
    const { findings, revision, compacted, records } = inspectDatabase(path)
    t.deepEqual(findings, [])
    t.deepEqual([revision, compacted], [8, compactTo])
    t.deepEqual(
      records.map(({ key, value }) => key + value),
      ['/b5', '/c6'],
    )
    t.deepEqual(await readFile(path), before)
  })
}

const damages: readonly [sql: string, what: RegExp][] = [
  ['DELETE FROM log WHERE revision = 8', /a key without any change: \/c/],
  [`DELETE FROM keys WHERE key = '/b'`, /a change of a key that is not there: 4/],
  ['UPDATE log SET previous = 99 WHERE revision = 8', /not after the one before it: 8/],
  ['DELETE FROM log WHERE revision = 4', /whose previous one is missing: 6/],
  ['UPDATE log SET previous = 2 WHERE revision = 6', /previous one is of another key: 6/],
  ['UPDATE log SET created = 1 WHERE revision = 6', /a creation of something that was there: 6/],
  ['UPDATE log SET created = 0 WHERE revision = 5', /of something that was not there: 5/],
  [`UPDATE log SET value = 'x' WHERE revision = 7`, /a deletion with a value: 7/],
  ['UPDATE log SET previous = 3 WHERE revision = 6', /several last changes|of another key/],
]

for (const [sql, what] of damages) {
  test(`it is found that somebody did: ${sql}`, async (t) => {
    const path = await makeStore(t, 0)
    change(path, sql)
    const found = inspectDatabase(path).findings.map((finding) => finding.what)
    t.true(
      found.some((each) => what.test(each)),
      found.join('; '),
    )
  })
}

test('what is safe to mend is mended', async (t) => {
  const path = await makeStore(t, 8)
  change(path, `INSERT INTO keys (key) VALUES ('/nothing')`)
  t.deepEqual(inspectDatabase(path).findings, [
    { what: 'a key without any change: /nothing', repairable: true },
  ])
  repairDatabase(path)
  t.deepEqual(inspectDatabase(path).findings, [])
})

test('a store that a server has open is not looked at', async (t) => {
  const path = await makeStore(t, 0)
  const storage = openInProcessStorage({ path })
  t.teardown(() => storage.close())
  for (const look of [
    () => inspectDatabase(path),
    () => repairDatabase(path),
    () => copyDatabase(path, `${path}.copy`),
  ])
    t.true(isReason(t.throws(look), 'InUse'))
})

test('a file that is cut off is not taken for a store', async (t) => {
  const path = await makeStore(t, 0)
  change(path, 'PRAGMA journal_mode = DELETE')
  await truncate(path, 8192)
  t.throws(() => inspectDatabase(path), { message: /malformed/ })
})

test('a store set to a later revision is clean, and goes on from there', async (t) => {
  const path = await makeStore(t, 3)
  const log = SqliteLog.open({ path })
  log.jumpTo(1_000_000)
  log.close()
  const { findings, revision, compacted, records } = inspectDatabase(path)
  t.deepEqual(findings, [])
  t.deepEqual([revision, compacted, records.length], [1_000_000, 1_000_000, 2])
  const storage = openInProcessStorage({ path })
  t.teardown(() => storage.close())
  t.true(isReason(await t.throwsAsync(storage.list('', { revision: 8 })), 'Expired'))
  t.deepEqual(await storage.update('/b', 'x', 6), { ok: true, revision: 1_000_001 })
  t.deepEqual(await storage.create('/a', 'y'), { ok: true, revision: 1_000_002 })
})
