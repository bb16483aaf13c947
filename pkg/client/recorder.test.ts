import test, { type ExecutionContext } from 'ava'
import { type LogFields, silentLogger, systemRandom } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import { startTestServer, type TestServer } from '#test/helpers/apiserver.ts'
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

/** As if the server could not be reached while the gate is closed. */
function gated({ transport }: Pick<TestServer, 'transport'>, gate: { open: boolean }): Transport {
  return async (request) => {
    if (!gate.open) throw new StatusError('ServiceUnavailable', 'away')
    return await transport(request)
  }
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
    self: { apiVersion: 'cove.run/v1', kind: 'Node', metadata: { name: 'n1' } },
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

test('events wait for a server that is away, with their own times; what happens again meanwhile counts up', async (t) => {
  const server = await serve(t)
  const gate = { open: false }
  const { recorder, warnings } = start(t, { clock: server.clock, transport: gated(server, gate) })
  recorder.record(note('first'))
  recorder.record(note('again'))
  await server.clock.advance(120_000)
  recorder.record(note('again'))
  await server.clock.advance(3_600_000)
  t.is(recorder.backlog().length, 2)
  t.deepEqual(await eventsOf(server), [])
  gate.open = true
  for (let turn = 0; turn < 100 && (await eventsOf(server)).length < 2; turn++)
    await server.clock.advance(1000)
  const events = await eventsOf(server)
  const started = Date.parse(events[0]?.firstTimestamp ?? '')
  const told = events.map(({ message, count, firstTimestamp = '', lastTimestamp = '' }) =>
    [message, count, Date.parse(firstTimestamp) - started, Date.parse(lastTimestamp) - started].join(' '),
  )
  t.deepEqual(told.toSorted(), ['again 2 0 120000', 'first 1 0 0'])
  t.deepEqual(warnings, [])
  t.deepEqual(recorder.backlog(), [])
})

test('many different events of one reason about one object become one while they wait', async (t) => {
  const server = await serve(t)
  const gate = { open: false }
  const { recorder } = start(t, { clock: server.clock, transport: gated(server, gate) })
  for (let turn = 0; turn < 100; turn++) recorder.record(note(`run ${turn}`))
  recorder.record(note('another object', 'api'))
  t.is(recorder.backlog().length, 13)
  gate.open = true
  await server.clock.advance(20_000)
  const events = await until(server, (all) => all.length === 13)
  const all = events.find(({ message = '' }) => message.startsWith('(combined'))
  t.is(all?.message, '(combined from similar events): run 99')
  t.is(
    events.reduce((sum, { count = 0 }) => sum + count, 0),
    101,
  )
})

test('a backlog is taken up by the next run of the program', async (t) => {
  const server = await serve(t)
  const first = start(t, { clock: server.clock, transport: gated(server, { open: false }) })
  first.recorder.record(note())
  first.recorder.record(note())
  await first.stop()
  const backlog = JSON.parse(JSON.stringify(first.recorder.backlog()))
  await server.clock.advance(60_000)
  const second = start(t, server)
  second.recorder.restore(backlog)
  second.recorder.record(note())
  const events = await until(server, ([event]) => event?.count === 3)
  t.is(Date.parse(events[0]?.lastTimestamp ?? '') - Date.parse(events[0]?.firstTimestamp ?? ''), 60_000)
})

test('recording holds nobody up: of too many the oldest go, and log and event say how many', async (t) => {
  const server = await serve(t)
  const gate = { open: false }
  const { recorder, warnings } = start(t, { clock: server.clock, transport: gated(server, gate) })
  for (let turn = 0; turn <= 1010; turn++) recorder.record(note('it started', `c${turn}`))
  t.is(recorder.backlog().length, 1000)
  t.is(recorder.backlog()[0]?.involvedObject.name, 'c11')
  gate.open = true
  await server.clock.advance(1000)
  const about = 'events dropped: there were more than the server could be told'
  const events = await until(server, (all) => all.some(({ reason }) => reason === 'EventsDropped'))
  t.deepEqual(warnings, [[about, { count: 11 }]])
  t.like(
    events.find(({ reason }) => reason === 'EventsDropped'),
    { message: `11 ${about}`, involvedObject: { kind: 'Node', name: 'n1' } },
  )
})

test('an event that the server refuses is logged, and the next one is written', async (t) => {
  const server = await serve(t)
  const { recorder, warnings } = start(t, server)
  const { object, ...rest } = note('elsewhere')
  const metadata = { ...object.metadata, namespace: 'nowhere' }
  recorder.record({ ...rest, object: { ...object, metadata } })
  recorder.record(note('here'))
  const events = await until(server, (all) => all.length === 1)
  t.is(events[0]?.message, 'here')
  t.is(warnings[0]?.[0], 'event not written')
})
