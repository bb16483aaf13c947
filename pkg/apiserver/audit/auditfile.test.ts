import { appendFile, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Logger, ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { AuditFile, type AuditFileOptions } from './auditfile.ts'
import type { AuditEvent } from './auditrecord.ts'

function event(auditID: string): AuditEvent {
  return {
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: 'Metadata',
    auditID,
    stage: 'ResponseComplete',
    requestURI: '/',
    verb: 'get',
    user: {},
    responseStatus: { metadata: {}, code: 200 },
    requestReceivedTimestamp: '',
    stageTimestamp: '',
  }
}

async function openFile(t: ExecutionContext, options: Partial<AuditFileOptions> = {}) {
  const path = join(await makeTempDir(t, 'audit'), 'audit.log')
  const clock = new ManualClock()
  const file = new AuditFile({ path, clock, log: silentLogger, ...options })
  t.teardown(() => file.close())
  return { path, clock, file }
}

async function idsIn(path: string): Promise<string[]> {
  const lines = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line).auditID)
}

test('records are in the file within a second, one in a line, for its owner only', async (t) => {
  const { path, clock, file } = await openFile(t)
  file.write(event('a'))
  file.write(event('b'))
  await clock.advance(1000)
  const ids = await eventually(async () => {
    const found = await idsIn(path)
    if (found.length < 2) throw new Error(`${found.length} records`)
    return found
  })
  t.deepEqual(ids, ['a', 'b'])
  t.is((await stat(path)).mode & 0o777, 0o600)
})

test('closing writes what waits, and a new start goes on in the same file', async (t) => {
  const { path, clock, file } = await openFile(t)
  file.write(event('a'))
  await file.close()
  await appendFile(path, '{"cut off')
  const again = new AuditFile({ path, clock, log: silentLogger })
  again.write(event('b'))
  await again.close()
  const lines = (await readFile(path, 'utf8')).split('\n')
  t.deepEqual(
    [JSON.parse(lines[0] ?? '').auditID, lines[1], JSON.parse(lines[2] ?? '').auditID],
    ['a', '{"cut off', 'b'],
  )
})

test('the disk it takes is bounded', async (t) => {
  const { path, file } = await openFile(t, { maxBytes: 2000, keep: 2 })
  for (let index = 0; index < 100; index++) {
    file.write(event(`${index}`))
    await file.flush()
  }
  t.deepEqual((await readdir(dirname(path))).sort(), ['audit.log', 'audit.log.1', 'audit.log.2'])
  const ids = [...(await idsIn(`${path}.2`)), ...(await idsIn(`${path}.1`)), ...(await idsIn(path))].map(
    Number,
  )
  t.deepEqual(
    ids,
    Array.from({ length: ids.length }, (_, index) => 100 - ids.length + index),
  )
  for (const name of ['audit.log', 'audit.log.1', 'audit.log.2'])
    t.true((await stat(join(dirname(path), name))).size <= 2000)
})

test('a full disk loses records, counts them and warns once, and nobody else notices', async (t) => {
  const warnings: unknown[] = []
  const log: Logger = { ...silentLogger, warn: (_message, fields) => warnings.push(fields) }
  const { file } = await openFile(t, { path: '/dev/full', log })
  for (let index = 0; index < 3; index++) {
    file.write(event(`${index}`))
    await file.flush()
  }
  t.is(file.lost, 3)
  t.is(warnings.length, 1)
  t.regex(JSON.stringify(warnings[0]), /ENOSPC/)
})

test('records that pile up faster than they can be written are lost, not held for ever', async (t) => {
  const { file } = await openFile(t)
  const large = event('x'.repeat(1024 * 1024))
  for (let index = 0; index < 20; index++) file.write(large)
  t.true(file.lost >= 12, `${file.lost}`)
})
