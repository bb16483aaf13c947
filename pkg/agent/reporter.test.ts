import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { notFound } from '#pkg/apimachinery/errors.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { Client } from '#pkg/client/rest.ts'
import { ScriptedTransport } from '#test/helpers/script.ts'
import { container } from '#test/helpers/world.ts'
import { Reporter } from './reporter.ts'

const web = { ...container('web'), status: { phase: 'Pending' as const, pid: 7 } }
const away = { kind: 'Status', code: 503, reason: 'ServiceUnavailable', message: 'away' }

function make(t: ExecutionContext) {
  const server = new ScriptedTransport()
  const warnings: string[] = []
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const clock = new ManualClock()
  const reporter = new Reporter(new Client(server.transport, 'test'), { clock, random: seededRandom(1), log })
  const stop = new AbortController()
  const running = reporter.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
  })
  const report = (status: object) => reporter.report(containerKind, web, status)
  /** Answers the next request and gives its body. */
  const written = async (code = 200, answer: unknown = web) => {
    const asked = await server.next()
    asked.answer(answer, code)
    await clock.advance(0)
    return JSON.parse(String(asked.request.body))
  }
  return { server, warnings, reporter, report, written, clock }
}

test('only what differs is written, and what is as it should be is not', async (t) => {
  const { report, written, server } = make(t)
  report({ phase: 'Pending', pid: 7 })
  t.is(server.waiting, 0)
  report({ phase: 'Running' })
  t.deepEqual(await written(), { status: { phase: 'Running', pid: null } })
  report({ phase: 'Running' })
  t.is(server.waiting, 0, 'it was written, though the copy of the API does not show it yet')
  report({ phase: 'Running', ip: '1.2.3.4' })
  t.deepEqual(await written(), { status: { ip: '1.2.3.4' } })
})

test('while a write is under way the newest status waits, and those before it are never written', async (t) => {
  const { report, written, server, clock } = make(t)
  report({ phase: 'Starting', pid: 7 })
  const first = await server.next()
  for (const pid of [8, 9, 10]) report({ phase: 'Running', pid })
  await clock.advance(0)
  t.is(server.waiting, 0)
  first.answer(web)
  t.deepEqual(await written(), { status: { phase: 'Running', pid: 10 } })
  // What is taken back while it is on its way is written back.
  report({ phase: 'Starting', pid: 10 })
  const second = await server.next()
  report({ phase: 'Running', pid: 10 })
  second.answer(web)
  t.deepEqual(await written(), { status: { phase: 'Running' } })
  t.is(server.waiting, 0)
})

test('while the server is away statuses replace each other, and the last is written when it answers', async (t) => {
  const { report, written, server, warnings, clock, reporter } = make(t)
  report({ phase: 'Running', pid: 7 })
  await written(503, away)
  report({ phase: 'Failed', pid: 7 })
  t.is(server.waiting, 0)
  await clock.advance(1000)
  await written(503, away)
  report({ phase: 'Running', pid: 9 })
  await clock.advance(0)
  t.is(server.waiting, 0)
  reporter.retryNow()
  t.deepEqual(await written(), { status: { phase: 'Running', pid: 9 } })
  t.deepEqual(warnings, [])
})

test('a status that the server refuses is logged, holds up no other, and is written by the next report', async (t) => {
  const { report, written, warnings, reporter, server } = make(t)
  report({ phase: 'Running', pid: 7 })
  await written(422, { kind: 'Status', code: 422, reason: 'Invalid', message: 'no' })
  t.deepEqual(warnings, ['status not written'])
  t.is(server.waiting, 0)
  reporter.report(containerKind, container('api'), { phase: 'Running' })
  t.deepEqual(await written(), { status: { phase: 'Running' } })
  report({ phase: 'Running', pid: 7 })
  t.deepEqual(await written(), { status: { phase: 'Running' } })
})

test('an object that is gone needs no status', async (t) => {
  const { report, written, warnings, server } = make(t)
  report({ phase: 'Running' })
  await written(404, notFound(containerKind, 'web').toStatus())
  t.deepEqual(warnings, [])
  t.is(server.waiting, 0)
})

test('after a resync the copy of the API counts again', async (t) => {
  const { report, written, reporter } = make(t)
  report({ phase: 'Running', pid: 7 })
  await written()
  reporter.resync()
  report({ phase: 'Running', pid: 7 })
  t.deepEqual(await written(), { status: { phase: 'Running' } })
})
