/** Logs of builds on the disk: bounded, followed while they grow, whole after a kill. */
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { BuildLogs, interruptedMessage, type LogReading } from './buildlogs.ts'

const build = '6a1f'
const signal = new AbortController().signal
const plain = { follow: false, timestamps: false, signal }

async function makeLogs(t: ExecutionContext) {
  const directory = await makeTempDir(t, 'logs')
  const clock = new ManualClock(Date.parse('2026-01-01T00:00:00Z'))
  const open = () => new BuildLogs(directory, clock)
  return { directory, clock, open, logs: open() }
}

async function read(logs: BuildLogs, reading: Partial<LogReading> = {}): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await logs.read(build, { ...plain, ...reading })) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function lost(error: Error): never {
  throw error
}

test('what was written is read, by attempt, the newest first, and its last lines', async (t) => {
  const { logs } = await makeLogs(t)
  for (const attempt of [1, 2]) {
    const writer = logs.begin(build, attempt, lost)
    writer.line(`attempt ${attempt}: because`)
    writer.line('two\nthree')
    writer.end('Succeeded')
  }
  t.is(await read(logs), 'attempt 2: because\ntwo\nthree\n')
  t.is(await read(logs, { attempt: 1, tailLines: 1 }), 'three\n')
  t.is(await read(logs, { tailLines: 0 }), '')
  t.is(await read(logs, { tailLines: 1, timestamps: true }), '2026-01-01T00:00:00.000Z three\n')
  await t.throwsAsync(read(logs, { attempt: 3 }), { message: /no log of attempt 3 of the Build/ })
})

test('a reader that follows sees each line, and the end', async (t) => {
  const { logs } = await makeLogs(t)
  const writer = logs.begin(build, 1, lost)
  writer.line('one')
  const reading = read(logs, { follow: true })
  writer.line('two')
  await new Promise((resolve) => setImmediate(resolve))
  writer.line('three')
  writer.end('Succeeded')
  t.is(await reading, 'one\ntwo\nthree\n')
})

test('a reader misses nothing that is written as one file of a log ends and the next begins', async (t) => {
  for (let turns = 0; turns < 24; turns++) {
    const { logs } = await makeLogs(t)
    const writer = logs.begin(build, 1, lost)
    const reading = (await logs.read(build, { ...plain, follow: true }))[Symbol.asyncIterator]()
    const chunks: Uint8Array[] = []
    writer.line('one')
    for (let next = await reading.next(); next.done !== true; next = await reading.next()) {
      chunks.push(next.value)
      if (chunks.length > 1) continue
      // Wherever the reader is between looking at this file and looking for further ones.
      const waiting = reading.next()
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
      for (const letter of ['a', 'b', 'c']) writer.line(letter.repeat(600 * 1024))
      writer.end('Succeeded')
      const { value } = await waiting
      if (value !== undefined) chunks.push(value)
    }
    t.deepEqual(
      Buffer.concat(chunks)
        .toString()
        .split('\n')
        .map((line) => `${line.slice(0, 3)} ${line.length}`),
      ['one 3', 'aaa 614400', 'bbb 614400', 'ccc 614400', ' 0'],
    )
  }
})

test('a reader that goes away ends', async (t) => {
  const { logs } = await makeLogs(t)
  const writer = logs.begin(build, 1, lost)
  writer.line('one')
  const leaving = new AbortController()
  const reading = read(logs, { follow: true, signal: leaving.signal })
  leaving.abort()
  t.regex(await reading, /^(one\n)?$/)
  writer.end('Canceled')
})

test('of a long log the beginning and the end are kept', async (t) => {
  const { logs, directory } = await makeLogs(t)
  const writer = logs.begin(build, 1, lost)
  const long = 'x'.repeat(1000)
  for (let line = 0; line < 15_000; line++) writer.line(`${line} ${long}`)
  writer.end('Succeeded')
  const lines = (await read(logs)).trimEnd().split('\n')
  t.regex(lines[0] ?? '', /^0 x/)
  t.regex(lines.at(-1) ?? '', /^14999 x/)
  t.is(lines.filter((line) => line.includes('is not kept')).length, 1)
  t.true(lines.length > 9000 && lines.length < 11_000)
  t.is((await readdir(join(directory, build))).length, 11)
})

test('a log that nobody has ended is ended at the next start, and says so', async (t) => {
  const { logs, open } = await makeLogs(t)
  const ended = logs.begin(build, 1, lost)
  ended.line('attempt 1: it is not built yet')
  ended.end('Failed')
  logs.begin(build, 2, lost).line('attempt 2: args: V was 1, is 2')
  const next = open()
  const recalled = await next.recall()
  t.deepEqual(recalled.get(build), {
    attempt: 2,
    interrupted: true,
    startedAt: '2026-01-01T00:00:00.000Z',
    cause: 'args: V was 1, is 2',
  })
  t.is(await read(next, { follow: true }), `attempt 2: args: V was 1, is 2\n\n${interruptedMessage}\n`)
  t.false((await open().recall()).get(build)?.interrupted)
})

test('only so many logs are kept, and none of a Build that is no more', async (t) => {
  const { logs, directory } = await makeLogs(t)
  for (const attempt of [1, 2, 10]) logs.begin(build, attempt, lost).end('Succeeded')
  await logs.trim(build, 2)
  await t.throwsAsync(read(logs, { attempt: 1 }))
  t.is(await read(logs, { attempt: 2 }), '')
  await logs.sweep(new Set(['other']))
  t.deepEqual(await readdir(directory), [])
})

test('a log that cannot be kept is told once, and whoever writes it goes on', async (t) => {
  const { logs, directory } = await makeLogs(t)
  const told: Error[] = []
  const writer = logs.begin(build, 1, (error) => told.push(error))
  await rm(directory, { recursive: true })
  const long = 'x'.repeat(1024 ** 2)
  for (let line = 0; line < 3; line++) writer.line(long)
  writer.end('Succeeded')
  t.is(told.length, 1)
  t.regex(told[0]?.message ?? '', /the log of a build cannot be written/)
})
