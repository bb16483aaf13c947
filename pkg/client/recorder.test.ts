import test, { type ExecutionContext } from 'ava'
import { type LogFields, silentLogger, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import { startTestServer, type TestServer } from '#test/helpers/apiserver.ts'
import { ScriptedTransport } from '#test/helpers/script.ts'
import { type EventNote, EventRecorder } from './recorder.ts'
import { Client } from './rest.ts'

const signal = new AbortController().signal

function note(message = 'it started', name = 'web'): EventNote {
  const metadata = { namespace: 'default', name, uid: `uid-${name}` }
  return {
    object: { apiVersion: 'cove.run/v1', kind: 'Container', metadata },
    type: 'Normal',
    reason: 'Started',
    message,
  }
}

async function eventsOf({ transport }: TestServer): Promise<readonly Event[]> {
  return (await new Client(transport, 'test').list(eventKind, {}, signal)).items
}

/** A recorder that runs until the test ends or it is stopped. */
function start(t: ExecutionContext, { transport, clock }: Pick<TestServer, 'transport' | 'clock'>) {
  const warnings: (readonly [string, LogFields | undefined])[] = []
  const log = {
    ...silentLogger,
    warn: (message: string, fields?: LogFields) => void warnings.push([message, fields]),
  }
  const controller = new AbortController()
  const recorder = new EventRecorder({
    client: new Client(transport, 'test'),
    ambient: { clock, random: systemRandom(), log },
    source: { component: 'cove-agent', host: 'n1' },
  })
  const running = recorder.run(controller.signal)
  const stop = async () => {
    controller.abort()
    await running
  }
  t.teardown(stop)
  return { recorder, warnings, stop }
}

async function serve(t: ExecutionContext): Promise<TestServer> {
  const server = await startTestServer()
  t.teardown(() => server.close())
  return server
}

async function until(
  server: TestServer,
  done: (events: readonly Event[]) => boolean,
): Promise<readonly Event[]> {
  for (let turn = 0; turn < 1000; turn++) {
    const events = await eventsOf(server)
    if (done(events)) return events
    await server.clock.advance(0)
  }
  throw new Error(`the events stay ${JSON.stringify(await eventsOf(server))}`)
}

test('what happens again counts up instead of piling up; what is different is another event', async (t) => {
  const server = await serve(t)
  const { recorder, warnings } = start(t, server)
  for (let turn = 0; turn < 3; turn++) recorder.record(note())
  recorder.record(note('it started otherwise'))
  const events = await until(server, (all) => all.length === 2)
  t.deepEqual(events.map(({ count }) => count).toSorted(), [1, 3])
  t.like(events[0]?.involvedObject, { kind: 'Container', name: 'web', uid: 'uid-web' })
  t.like(events[0]?.source, { component: 'cove-agent', host: 'n1' })
  t.deepEqual(warnings, [])
})

test('a program that starts again goes on counting', async (t) => {
  const server = await serve(t)
  const first = start(t, server)
  first.recorder.record(note())
  first.recorder.record(note())
  await until(server, ([event]) => event?.count === 2)
  await first.stop()
  const second = start(t, server)
  second.recorder.record(note())
  const events = await until(server, ([event]) => event?.count === 3)
  t.is(events.length, 1)
})

test('an event that was forgotten meanwhile begins anew', async (t) => {
  const server = await serve(t)
  const { recorder } = start(t, server)
  recorder.record(note())
  const [event] = await until(server, (all) => all.length === 1)
  if (event === undefined) throw new Error('no event')
  await new Client(server.transport, 'test').delete(eventKind, event.metadata, signal)
  recorder.record(note())
  t.is((await until(server, (all) => all.length === 1))[0]?.count, 1)
})

test('an object with the longest of names has events too', async (t) => {
  const server = await serve(t)
  const { recorder, warnings } = start(t, server)
  const name = `${'x'.repeat(235)}-${'y'.repeat(17)}`
  recorder.record(note('it started', name))
  const events = await until(server, (all) => all.length === 1 || warnings.length > 0)
  t.is(events[0]?.involvedObject.name, name)
})

test('recording holds nobody up: what comes too fast is dropped, and the log says how much', async (t) => {
  const server = new ScriptedTransport()
  const { clock } = await serve(t)
  const { recorder, warnings } = start(t, { transport: server.transport, clock })
  recorder.record(note('0'))
  const first = await server.next()
  for (let turn = 1; turn <= 1010; turn++) recorder.record(note(String(turn)))
  first.answer({ kind: 'Status', code: 500, reason: 'InternalError', message: 'no' }, 500)
  await server.next()
  t.deepEqual(warnings, [
    ['event not written', { reason: 'Started', message: '0', error: 'no' }],
    ['events dropped: they came faster than they could be written', { count: 10 }],
  ])
})
