import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { UsageSample } from '#pkg/engine/looks.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { linuxMachine } from './machine.ts'
import { UsageBook, usageBetween } from './usage.ts'

const start = Date.parse('2026-01-01T00:00:00Z')
const never = new AbortController().signal

function sample(ms: number, cpuMs: number): UsageSample {
  return {
    at: new Date(start + ms).toISOString(),
    cpuNanoseconds: cpuMs * 1e6,
    memoryBytes: 7,
    memoryLimitBytes: 9,
    networkReceivedBytes: 1,
    networkSentBytes: 2,
    blockReadBytes: 3,
    blockWrittenBytes: 4,
    pids: 5,
  }
}

test('cores in use are processor time by time', (t) => {
  const usage = usageBetween(sample(0, 100), sample(500, 850))
  t.like(usage, { time: '2026-01-01T00:00:00.500Z', windowMs: 500, cpu: 1.5, memoryBytes: 7, pids: 5 })
})

test('between two runs, and within no time, there is no usage', (t) => {
  t.is(usageBetween(sample(0, 100), sample(500, 20)), undefined)
  t.is(usageBetween(sample(0, 100), sample(0, 100)), undefined)
})

/** An engine whose one container uses half a core, and how often it was asked. */
function serve() {
  const clock = new ManualClock()
  const began = clock.now()
  let looks = 0
  let state: 'running' | 'stopped' | 'gone' = 'running'
  const engine = {
    async containerUsage() {
      looks++
      if (state === 'gone') throw new StatusError('NotFound', 'no such container')
      const ms = clock.now() - began
      return state === 'running' ? sample(ms, ms / 2) : undefined
    },
  }
  const book = new UsageBook(engine, clock)
  const become = (next: typeof state) => {
    state = next
  }
  return { clock, book, looks: () => looks, become }
}

test('who asks the first time is told of half a second, who asks again of the time since then', async (t) => {
  const { clock, book, looks } = serve()
  const first = book.usageOf('a', never)
  await clock.advance(500)
  t.like(await first, { windowMs: 500, cpu: 0.5 })
  t.is(looks(), 2)
  t.like(await book.usageOf('a', never), { windowMs: 500 })
  t.is(looks(), 2)
  await clock.advance(2000)
  t.like(await book.usageOf('a', never), { windowMs: 2000, cpu: 0.5 })
  t.is(looks(), 3)
  await clock.advance(60_000)
  const late = book.usageOf('a', never)
  await clock.advance(500)
  t.like(await late, { windowMs: 500 })
})

test('of what does not run or is gone nothing is told', async (t) => {
  const { clock, book, become } = serve()
  become('stopped')
  t.is(await book.usageOf('a', never), undefined)
  become('gone')
  t.is(await book.usageOf('a', never), undefined)
  become('running')
  const first = book.usageOf('a', never)
  become('stopped')
  await clock.advance(500)
  t.is(await first, undefined)
})

test('a machine is read as Linux tells of itself', async (t) => {
  const directory = await makeTempDir(t, 'proc')
  await mkdir(directory, { recursive: true })
  await writeFile(
    join(directory, 'stat'),
    'cpu  10 1 20 1000 50 3 4 2 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 1\n',
  )
  const meminfo = 'MemTotal:       1000 kB\nMemFree:        100 kB\nMemAvailable:    400 kB\n'
  await writeFile(join(directory, 'meminfo'), meminfo)
  t.deepEqual(await linuxMachine(directory)(), { busyMs: 400, memoryBytes: 600 * 1024 })
})
