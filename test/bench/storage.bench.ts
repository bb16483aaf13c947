/**
 * Durable writes of single objects by 64 writers, against what the disk itself can sync one after the other: above
 * 1 is what group commit earns. Latencies are those of a writer while all the others write. Beside it etcd, whose
 * counterpart the store is: values of the same size, as many writers, each asked as the API server would ask it.
 */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Storage } from '#pkg/storage/port.ts'
import { startSourceWorker } from '#pkg/storage/sourceworker.ts'
import { openSqliteStorage } from '#pkg/storage/sqlite.ts'
import { withEtcd } from './etcd.ts'
import type { Report } from './report.ts'

const runMs = 3_000
const value = 'x'.repeat(1024)

export async function run(report: Report): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'cove-bench-'))
  try {
    const before = syncRate(directory)
    const storage = await openSqliteStorage({
      path: join(directory, 'cove.db'),
      startWorker: startSourceWorker,
    })
    await hammer(storage, 64, 500)
    const many = await hammer(storage, 64, runMs)
    const one = await hammer(storage, 1, 1_000)
    const group = await groupSize(storage)
    await storage.close()
    const baseline = (before + syncRate(directory)) / 2
    const rates = (name: string, rate: number) =>
      report({ name, value: rate, unit: '1/s', baseline, ratio: rate / baseline })
    report({ name: 'storage: 4 KiB write and fdatasync, one after the other', value: baseline, unit: '1/s' })
    rates('storage: durable writes, 64 writers', many.rate)
    rates('storage: durable writes, 1 writer', one.rate)
    const etcd = await etcdRate()
    report({ name: 'storage: durable puts of etcd, 64 writers', value: etcd, unit: '1/s' })
    report({
      name: 'storage: durable writes, 64 writers, beside etcd',
      value: many.rate,
      unit: '1/s',
      baseline: etcd,
      ratio: many.rate / etcd,
    })
    report({ name: 'storage: writes per commit, 64 writers', value: group, unit: 'writes' })
    report({ name: 'storage: write latency p50, 64 writers', value: many.p50, unit: 'ms' })
    report({ name: 'storage: write latency p99, 64 writers', value: many.p99, unit: 'ms' })
    report({ name: 'storage: write latency max, 64 writers', value: many.max, unit: 'ms' })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

/** Each writer puts its own key again and again, as ours do. */
async function etcdRate(): Promise<number> {
  let rate = 0
  await withEtcd(async ({ put }) => {
    const writes = async (ms: number) => {
      const start = performance.now()
      let done = 0
      const write = async (writer: number) => {
        for (; performance.now() - start < ms; done++) await put(`/bench/${writer}`, value)
      }
      await Promise.all(Array.from({ length: 64 }, (_, writer) => write(writer)))
      return done / ((performance.now() - start) / 1000)
    }
    await writes(500)
    rate = await writes(runMs)
  })
  return rate
}

/** Within blocks that the file already has: the disk at its best, without the file system growing a file. */
function syncRate(directory: string): number {
  const file = openSync(join(directory, 'sync'), 'w')
  const blocks = 1024
  const block = Buffer.alloc(4096, 1)
  writeSync(file, Buffer.alloc(blocks * block.length, 2))
  fdatasyncSync(file)
  const start = performance.now()
  let syncs = 0
  for (; performance.now() - start < 1_000; syncs++) {
    writeSync(file, block, 0, block.length, (syncs % blocks) * block.length)
    fdatasyncSync(file)
  }
  const seconds = (performance.now() - start) / 1000
  closeSync(file)
  return syncs / seconds
}

interface Hammered {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

async function hammer(storage: Storage, writers: number, ms: number): Promise<Hammered> {
  const latencies: number[] = []
  const start = performance.now()
  const write = async (writer: number) => {
    const key = `/registry/cove.run/containers/default/bench-${writer}`
    let expected = (await storage.get(key))?.revision
    while (performance.now() - start < ms) {
      const asked = performance.now()
      const result = await (expected === undefined
        ? storage.create(key, value)
        : storage.update(key, value, expected))
      if (!result.ok) throw new Error(`somebody else wrote ${key}`)
      expected = result.revision
      latencies.push(performance.now() - asked)
    }
  }
  await Promise.all(Array.from({ length: writers }, (_, writer) => write(writer)))
  const seconds = (performance.now() - start) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor((latencies.length - 1) * share)] ?? Number.NaN
  return { rate: latencies.length / seconds, p50: at(0.5), p99: at(0.99), max: at(1) }
}

/** Live batches of a watch are commits. */
async function groupSize(storage: Storage): Promise<number> {
  const abort = new AbortController()
  const { current } = await storage.revisions()
  let commits = 0
  let writes = 0
  const watching = (async () => {
    for await (const batch of storage.watch('', current, abort.signal)) {
      commits++
      writes += batch.length
    }
  })()
  await hammer(storage, 64, 500)
  abort.abort()
  await watching
  return writes / commits
}
