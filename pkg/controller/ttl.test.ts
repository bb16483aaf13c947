/** What is due, and the controller against the API. */
import test from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { container, now } from '#test/helpers/world.ts'
import { planTtl } from './ttl.plan.ts'
import { TtlController } from './ttl.ts'

function ended(
  name: string,
  spec: Record<string, unknown>,
  status: ContainerStatus = {},
  metadata = {},
): Container {
  return {
    ...container(name, { restartPolicy: 'Never', ...spec }, { metadata }),
    status: { phase: 'Succeeded', finishedAt: timestamp(now - 60_000), observedGeneration: 1, ...status },
  }
}

test('what has been finished for as long as it is kept is due, and the next one is looked forward to', (t) => {
  const { expired, next } = planTtl(
    [
      ended('at-once', { ttlSecondsAfterFinished: 0 }),
      ended('just-now', { ttlSecondsAfterFinished: 60 }),
      ended('failed', { ttlSecondsAfterFinished: 0 }, { phase: 'Failed' }),
      ended('later', { ttlSecondsAfterFinished: 90 }),
      ended('much-later', { ttlSecondsAfterFinished: 900 }),
      ended('kept', {}),
    ],
    now,
  )
  t.deepEqual(
    expired.map(({ metadata }) => metadata.name),
    ['at-once', 'just-now', 'failed'],
  )
  t.is(next, now + 30_000)
})

test('what runs, may run again, or goes already is not due', (t) => {
  const spec = { ttlSecondsAfterFinished: 0 }
  const { expired, next } = planTtl(
    [
      ended('running', spec, { phase: 'Running' }),
      ended('between-two-runs', { ...spec, restartPolicy: 'OnFailure' }, { phase: 'Failed' }),
      ended('changed-since', spec, {}, { generation: 2 }),
      ended('on-its-way', spec, {}, { deletionTimestamp: timestamp(now) }),
      { ...container('never-ran', { restartPolicy: 'Never', ...spec }), status: { phase: 'Succeeded' } },
    ],
    now,
  )
  t.deepEqual(expired, [])
  t.is(next, undefined)
})

test('the controller deletes a finished Container when its time is over, and no other', async (t) => {
  const { server, transport, clock, close } = await startTestServer()
  t.teardown(() => close())
  const ambient: Ambient = { clock, random: seededRandom(2), log: silentLogger }
  const client = new Client(transport, 'test')
  const abort = new AbortController()
  const never = new AbortController().signal
  await ask(transport, 'POST /api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } },
  })
  for (const [name, ttlSecondsAfterFinished] of [
    ['soon', 10],
    ['kept', undefined],
  ] as const) {
    const spec = { image: 'app:1', restartPolicy: 'Never', ttlSecondsAfterFinished }
    const body = { apiVersion: 'cove.run/v1', kind: 'Container', metadata: { name, namespace: 'a' }, spec }
    await ask(transport, 'POST /apis/cove.run/v1/namespaces/a/containers', { body })
  }
  const names = async () =>
    (await client.list(containerKind, {}, never)).items.map(({ metadata }) => metadata.name)
  const settle = async () => {
    let [quiet, revision] = [0, -1]
    while (quiet < 4) {
      await clock.advance(100)
      quiet = revision === server.cache.revision ? quiet + 1 : 0
      revision = server.cache.revision
    }
  }
  const running = new TtlController({ client, ambient }).run(abort.signal)
  const status = { phase: 'Succeeded', finishedAt: timestamp(clock.now()), observedGeneration: 1 }
  for (const name of ['soon', 'kept'])
    await client.patch(containerKind, { namespace: 'a', name, subresource: 'status' }, { status }, never)
  await settle()
  t.deepEqual((await names()).sort(), ['kept', 'soon'])
  await clock.advance(10_000)
  await settle()
  t.deepEqual(await names(), ['kept'])
  abort.abort()
  await running
})
