import test from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import { Client } from '#pkg/client/rest.ts'
import { startTestServer } from '#test/helpers/apiserver.ts'
import { expireEvents, isExpired } from './expiry.ts'

const hour = 3_600_000

function event(name: string, lastTimestamp: string): Event {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { namespace: 'default', name },
    involvedObject: { kind: 'Container', namespace: 'default', name: 'web' },
    lastTimestamp,
  }
}

test('an event is forgotten an hour after it last happened; one without a time never', (t) => {
  const now = Date.parse('2026-01-01T12:00:00Z')
  t.false(isExpired(event('a', timestamp(now - hour)), now))
  t.true(isExpired(event('a', timestamp(now - hour - 1000)), now))
  const { lastTimestamp: _, ...bare } = event('a', '')
  t.false(isExpired(bare, now))
  const created = { ...bare, metadata: { ...bare.metadata, creationTimestamp: timestamp(now - 2 * hour) } }
  t.true(isExpired(created, now))
})

test('old events go from the store, young ones stay until their time', async (t) => {
  const server = await startTestServer()
  t.teardown(() => server.close())
  const client = new Client(server.transport, 'test')
  const controller = new AbortController()
  const { signal } = controller
  const { clock } = server
  await client.create(eventKind, event('old', timestamp(clock.now() - 2 * hour)), signal)
  await client.create(eventKind, event('young', timestamp(clock.now())), signal)
  const ambient: Ambient = { clock, random: seededRandom(1), log: silentLogger }
  const running = expireEvents({ client, ambient }, signal)
  const names = async () =>
    (await client.list(eventKind, {}, signal)).items.map(({ metadata }) => metadata.name)
  for (let turn = 0; turn < 1000 && (await names()).length > 1; turn++) await clock.advance(0)
  t.deepEqual(await names(), ['young'])
  for (let turn = 0; turn < 1000 && (await names()).length > 0; turn++) await clock.advance(300_000)
  t.deepEqual(await names(), [])
  controller.abort()
  await running
})
