import test from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { notFound } from '#pkg/apimachinery/errors.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { Client } from '#pkg/client/rest.ts'
import { ScriptedTransport } from '#test/helpers/script.ts'
import { container } from '#test/helpers/world.ts'
import { Reporter } from './reporter.ts'

const signal = new AbortController().signal
const web = { ...container('web'), status: { phase: 'Pending' as const, pid: 7 } }

function make() {
  const server = new ScriptedTransport()
  const warnings: string[] = []
  const log = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const ambient = { clock: new ManualClock(), random: seededRandom(1), log }
  const reporter = new Reporter(new Client(server.transport, 'test'), ambient)
  const report = (status: object) => reporter.report(containerKind, web, status, signal)
  /** Reports, answers the one request that this must lead to, and gives its body. */
  const written = async (status: object, code = 200, answer: unknown = web) => {
    const done = report(status)
    const asked = await server.next()
    asked.answer(answer, code)
    await done
    return JSON.parse(String(asked.request.body))
  }
  return { server, warnings, reporter, report, written }
}

test('only what differs is written, and what is as it should be is not', async (t) => {
  const { report, written, server } = make()
  await report({ phase: 'Pending', pid: 7 })
  t.is(server.waiting, 0)
  t.deepEqual(await written({ phase: 'Running' }), { status: { phase: 'Running', pid: null } })
  await report({ phase: 'Running' })
  t.is(server.waiting, 0, 'it was written, though the copy of the API does not show it yet')
  t.deepEqual(await written({ phase: 'Running', ip: '1.2.3.4' }), { status: { ip: '1.2.3.4' } })
})

test('a write that failed is tried again by the next report, and logged', async (t) => {
  const { written, warnings } = make()
  const status = { phase: 'Running', pid: 7 }
  const failure = { kind: 'Status', code: 503, reason: 'ServiceUnavailable', message: 'away' }
  t.deepEqual(await written(status, 503, failure), { status: { phase: 'Running' } })
  t.deepEqual(warnings, ['status not written'])
  t.deepEqual(await written(status), { status: { phase: 'Running' } })
})

test('an object that is gone needs no status', async (t) => {
  const { written, warnings } = make()
  await written({ phase: 'Running' }, 404, notFound(containerKind, 'web').toStatus())
  t.deepEqual(warnings, [])
})

test('after a resync the copy of the API counts again', async (t) => {
  const { written, reporter } = make()
  await written({ phase: 'Running', pid: 7 })
  reporter.resync()
  t.deepEqual(await written({ phase: 'Running', pid: 7 }), { status: { phase: 'Running' } })
})
