import { execFile } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import test, { type ExecutionContext } from 'ava'
import { build } from 'esbuild'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import type { Storage } from './port.ts'
import { startSourceWorker } from './sourceworker.ts'
import { openSqliteStorage, type SqliteOptions } from './sqlite.ts'

const MiB = 1024 * 1024

async function databasePath(t: ExecutionContext): Promise<string> {
  return join(await makeTempDir(t, 'sqlite'), 'cove.db')
}

async function open(
  t: ExecutionContext,
  path: string,
  options: Partial<SqliteOptions> = {},
): Promise<Storage> {
  const storage = await openSqliteStorage({ path, startWorker: startSourceWorker, ...options })
  t.teardown(() => storage.close())
  return storage
}

async function refused(t: ExecutionContext, path: string): Promise<StatusError | undefined> {
  return t.throwsAsync(open(t, path), { instanceOf: StatusError })
}

async function rewrite(storage: Storage, key: string, value: string, times: number): Promise<void> {
  let expected = (await storage.get(key))?.revision
  for (let index = 0; index < times; index++) {
    const result = await (expected === undefined
      ? storage.create(key, value)
      : storage.update(key, value, expected))
    if (!result.ok) throw new Error(`lost ${key}`)
    expected = result.revision
  }
}

test('a database in use is refused with a clear error, and taken when it is free again', async (t) => {
  const path = await databasePath(t)
  const storage = await open(t, path)
  const error = await refused(t, path)
  t.is(error?.reason, 'InUse')
  t.is(error?.message, `${path} is used by another cove process`)
  const outside = 'new (require("node:sqlite").DatabaseSync)(process.argv[1]).exec("SELECT * FROM log")'
  await t.throwsAsync(promisify(execFile)(process.execPath, ['-e', outside, path]), {
    message: /database is locked/,
  })
  await storage.close()
  await t.notThrowsAsync(open(t, path))
})

test('a schema version of the future is refused and left as it is', async (t) => {
  const path = await databasePath(t)
  await (await open(t, path)).close()
  const database = new DatabaseSync(path)
  database.exec(`PRAGMA user_version = 7; UPDATE about SET value = '3.4.0' WHERE name = 'needs'`)
  database.close()
  const before = await readFile(path)
  const error = await refused(t, path)
  t.is(error?.reason, 'InternalError')
  t.is(
    error?.message,
    `${path} has schema version 7; this cove knows version 2: it needs cove 3.4.0 or newer`,
  )
  t.deepEqual(await readFile(path), before)
})

test('a foreign database and a file that is none are refused', async (t) => {
  const path = await databasePath(t)
  const database = new DatabaseSync(path)
  database.exec('CREATE TABLE log (revision INTEGER PRIMARY KEY)')
  database.close()
  t.is((await refused(t, path))?.message, `${path} is not a cove database`)
  const text = `${path}.txt`
  await writeFile(text, 'not a database at all, but long enough to be looked at. '.repeat(20))
  t.is((await refused(t, text))?.message, `${text} is not a cove database`)
})

test('a directory that does not exist is an error that names the path', async (t) => {
  const path = join(await databasePath(t), 'deeper', 'cove.db')
  const error = await refused(t, path)
  t.true(error?.message.includes(path), error?.message)
})

test('only its owner may read the database and its WAL', async (t) => {
  const path = await databasePath(t)
  const storage = await open(t, path)
  await storage.create('/a', 'x')
  for (const file of [path, `${path}-wal`]) t.is((await stat(file)).mode & 0o777, 0o600)
})

test('a full store fails the write with NoSpace, stays readable, and makes room by forgetting history', async (t) => {
  const storage = await open(t, await databasePath(t), { maxBytes: MiB })
  await storage.create('/kept', 'before')
  const value = 'x'.repeat(20_000)
  const error = await t.throwsAsync(rewrite(storage, '/big', value, 1_000), { instanceOf: StatusError })
  t.true(isReason(error, 'NoSpace'), error?.message)
  const { current } = await storage.revisions()
  t.is((await storage.get('/kept'))?.value, 'before')
  await eventually(async () => rewrite(storage, '/after', value, 1), { what: 'a write after making room' })
  t.is((await storage.get('/after'))?.revision, current + 1)
  t.is((await storage.get('/big'))?.value, value)
})

test('a store that live values fill stays full, until some are deleted', async (t) => {
  const storage = await open(t, await databasePath(t), { maxBytes: MiB })
  const value = 'x'.repeat(100_000)
  const fill = async () => {
    for (let index = 0; index < 20; index++) await rewrite(storage, `/${index}`, value, 1)
  }
  t.true(isReason(await t.throwsAsync(fill()), 'NoSpace'))
  t.true(isReason(await t.throwsAsync(rewrite(storage, '/more', value, 1)), 'NoSpace'))
  const first = await storage.get('/0')
  t.true((await storage.delete('/0', first?.revision ?? 0)).ok)
  await eventually(() => rewrite(storage, '/more', value, 1), { what: 'a write after a deletion' })
})

test('nobody compacts, and size stays bounded', async (t) => {
  const path = await databasePath(t)
  const storage = await open(t, path, { keepRevisions: 100 })
  const value = 'x'.repeat(2_000)
  const writers = Array.from({ length: 20 }, (_, id) => rewrite(storage, `/${id}`, value, 500))
  await Promise.all(writers)
  const { current, compacted } = await storage.revisions()
  t.true(current - compacted < 1_000, `${current - compacted} revisions kept under load`)
  await eventually(async () => {
    const idle = await storage.revisions()
    if (idle.current - idle.compacted !== 100)
      throw new Error(`${idle.current - idle.compacted} revisions kept`)
  })
  await storage.close()
  const { size } = await stat(path)
  t.true(size < 4 * MiB, `${size} bytes for 40 KB of values after 20 MB of writes`)
})

test('the file shrinks after much has been deleted, and the WAL stays bounded', async (t) => {
  const path = await databasePath(t)
  const storage = await open(t, path, { keepRevisions: 10 })
  const keys = Array.from({ length: 2_000 }, (_, index) => `/${index}`)
  const created = await Promise.all(keys.map((key) => storage.create(key, 'x'.repeat(10_000))))
  await eventually(async () => {
    const { size } = await stat(path)
    if (size < 19 * MiB) throw new Error(`${size} bytes, not checkpointed yet`)
  })
  for (let first = 0; first < keys.length; first += 100) {
    await Promise.all(
      keys.slice(first, first + 100).map((key, index) => {
        const result = created[first + index]
        return storage.delete(key, result?.ok ? result.revision : 0)
      }),
    )
  }
  await eventually(
    async () => {
      const { size } = await stat(path)
      if (size > 3 * MiB) throw new Error(`${size} bytes`)
    },
    { timeoutMs: 20_000, what: 'shrinking' },
  )
  const wal = await stat(`${path}-wal`)
  t.true(wal.size < 64 * MiB, `${wal.size} bytes of WAL`)
})

test('a thread that dies fails what is open and what comes, and loses nothing that was answered', async (t) => {
  const path = await databasePath(t)
  const workers: Worker[] = []
  const storage = await open(t, path, {
    startWorker: (options) => {
      const worker = startSourceWorker(options)
      workers.push(worker)
      return worker
    },
  })
  await storage.create('/a', 'x')
  const watching = (async () => {
    for await (const _ of storage.watch('/', 1, new AbortController().signal)) t.fail('nothing was written')
  })()
  await Promise.all([workers[0]?.terminate(), t.throwsAsync(watching, { message: /thread has ended/ })])
  t.true(isReason(await t.throwsAsync(storage.create('/b', 'x')), 'ServiceUnavailable'))
  t.is((await (await open(t, path)).get('/a'))?.value, 'x')
})

test('the thread runs from one bundled string, as in the single executable', async (t) => {
  const { outputFiles } = await build({
    entryPoints: [new URL('./sqlite.worker.ts', import.meta.url).pathname],
    bundle: true,
    platform: 'node',
    format: 'cjs',
    write: false,
    logLevel: 'silent',
  })
  const code = outputFiles[0]?.text ?? ''
  const storage = await open(t, await databasePath(t), {
    startWorker: (options) => new Worker(code, { ...options, eval: true }),
  })
  t.true((await storage.create('/a', 'x')).ok)
  t.is((await storage.get('/a'))?.value, 'x')
})

test('every statement of the hot path finds its rows by an index', async (t) => {
  const path = await databasePath(t)
  await (await open(t, path)).close()
  const { sql } = await import('./sqliteschema.ts')
  const database = new DatabaseSync(path)
  t.teardown(async () => database.close())
  for (const name of ['last', 'lastRevision', 'expected', 'value', 'list', 'count', 'since'] as const) {
    const plan = database
      .prepare(`EXPLAIN QUERY PLAN ${sql[name]}`)
      .all()
      .map((row) => String(row['detail']))
    t.true(
      plan.every((step) => !/^SCAN (?!CONSTANT)/.test(step) && !step.includes('TEMP B-TREE')),
      `${name}: ${plan.join('; ')}`,
    )
  }
})
