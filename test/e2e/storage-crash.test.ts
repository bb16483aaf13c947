/**
 * A process under load is killed one hundred times over the same database. Killing a process keeps what it had handed
 * to the kernel, so this proves recovery, ordering and acknowledgement, not what a power failure would.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { StoredEvent } from '#pkg/storage/port.ts'
import type { Acknowledged } from '#test/helpers/storage-writer.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const rounds = 100

type Child = ChildProcessByStdio<Writable, Readable, null>

/** Started one round ahead, so that the start of Node is not waited for. */
function startWriter(path: string, round: number): Child {
  const script = new URL('../helpers/storage-writer.ts', import.meta.url).pathname
  return spawn(process.execPath, [script, path, `${round}`], { stdio: ['pipe', 'pipe', 'inherit'] })
}

async function runAndKill(child: Child, afterMs: number, onlyWhenWriting: boolean): Promise<Acknowledged[]> {
  const chunks: string[] = []
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => chunks.push(chunk))
  child.stdin.write('go\n')
  const closed = once(child, 'close')
  if (onlyWhenWriting) await Promise.race([once(child.stdout, 'data'), closed])
  await pause(afterMs)
  child.kill('SIGKILL')
  await closed
  if (child.signalCode !== 'SIGKILL')
    throw new Error(`the writer ended by itself with code ${child.exitCode}`)
  // What follows the last line break was cut off by the kill.
  const lines = chunks.join('').split('\n').slice(0, -1)
  return lines.map((line): Acknowledged => JSON.parse(line))
}

/** What the store knows after a kill: its changes since `after`, or since the compaction if that is later. */
async function readBack(path: string, after: number) {
  const storage = openInProcessStorage({ path, keepRevisions: Number.MAX_SAFE_INTEGER })
  try {
    const { current, compacted } = await storage.revisions()
    const from = Math.max(after, compacted)
    const events: StoredEvent[] = []
    if (from < current) {
      for await (const batch of storage.watch('', from, new AbortController().signal)) {
        events.push(...batch)
        if (events.at(-1)?.record.revision === current) break
      }
    }
    return { current, compacted, from, events, records: (await storage.list('')).records }
  } finally {
    await storage.close()
  }
}

function checkIntegrity(t: ExecutionContext, path: string): void {
  const database = new DatabaseSync(path)
  try {
    t.deepEqual(
      database
        .prepare('PRAGMA integrity_check')
        .all()
        .map((row) => row['integrity_check']),
      ['ok'],
    )
  } finally {
    database.close()
  }
}

function checkRound(
  t: ExecutionContext,
  acknowledged: readonly Acknowledged[],
  found: Awaited<ReturnType<typeof readBack>>,
): void {
  const { current, from, events, records } = found
  t.deepEqual(
    events.map((event) => event.record.revision),
    Array.from({ length: current - from }, (_, index) => from + 1 + index),
    'every revision is there once, without a gap',
  )
  const byRevision = new Map(events.map((event) => [event.record.revision, event]))
  const byKey = new Map(records.map((record) => [record.key, record]))
  const lost = acknowledged.filter((ack) => {
    if (ack.revision > current) return true
    if (ack.revision > from) return !isSame(ack, byRevision.get(ack.revision))
    const now = byKey.get(ack.key)
    return now !== undefined && now.revision < ack.revision
  })
  t.deepEqual(lost, [], 'no acknowledged write is lost')
  const puts = events
    .filter((event) => event.type === 'put')
    .map((event) => `${event.record.key} ${event.record.value}`)
  t.is(new Set(puts).size, puts.length, 'no write is there twice')
}

function isSame(ack: Acknowledged, event: StoredEvent | undefined): boolean {
  if (event === undefined || event.record.key !== ack.key) return false
  return ack.value === undefined
    ? event.type === 'delete'
    : event.type === 'put' && event.record.value === ack.value
}

test('one hundred kills under load lose no acknowledged write and make none appear twice', async (t) => {
  t.timeout(180_000)
  const path = join(await makeTempDir(t, 'crash'), 'cove.db')
  const seed = Date.now() >>> 0
  const random = seededRandom(seed)
  t.log(`seed ${seed}`)
  let verified = 0
  let acknowledged = 0
  let next = startWriter(path, 0)
  t.teardown(() => void next.kill('SIGKILL'))
  for (let round = 0; round < rounds; round++) {
    const child = next
    next = startWriter(path, round + 1)
    const acks = await runAndKill(child, random.next() * 150, random.next() < 0.9)
    const found = await readBack(path, verified)
    checkRound(t, acks, found)
    checkIntegrity(t, path)
    t.true(found.current >= verified, 'revisions never go back')
    verified = found.current
    acknowledged += acks.length
  }
  t.log(`${acknowledged} acknowledged writes, ${verified} revisions`)
  t.true(acknowledged > rounds * 64, `${acknowledged} acknowledged writes are too few to prove anything`)
})
