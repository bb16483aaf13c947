/** The cache between a storage that fails and watchers that must not miss anything. */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { silentLogger } from '#pkg/apimachinery/ambient.ts'
import type { Status } from '#pkg/apimachinery/errors.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { openWatch } from '#test/helpers/apievents.ts'
import { ask, startTestServer, type TestServerOptions } from '#test/helpers/apiserver.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeFaulty } from '#test/helpers/faulty-storage.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } })

async function start(t: ExecutionContext, options: TestServerOptions = {}) {
  const started = await startTestServer(options)
  t.teardown(started.close)
  const create = (name: string) => ask(started.transport, `POST ${configMaps}`, { body: configMap(name) })
  return { ...started, create }
}

test('a lost watch of the storage goes on where it was: nobody misses or repeats a change', async (t) => {
  const storage = makeFaulty(openInProcessStorage(), [
    { on: 'watch', effect: { do: 'cut', afterBatches: 3, reason: 'ServiceUnavailable' } },
  ])
  const { transport, clock, create } = await start(t, { storage })
  const watch = await openWatch(transport, `${configMaps}?watch=true`)
  t.is((await create('a')).status, 201)
  const late = create('b')
  await clock.advance(2_000)
  await late
  t.is((await create('c')).status, 201)
  t.deepEqual(await watch.short(3), ['ADDED a', 'ADDED b', 'ADDED c'])
  t.is(storage.calls('list'), 1)
  watch.close()
})

test('a storage that has forgotten is listed again; watchers are cut, and what they list is complete', async (t) => {
  const storage = makeFaulty(openInProcessStorage(), [
    { on: 'watch', effect: { do: 'cut', afterBatches: 3, reason: 'Expired' } },
  ])
  const { transport, clock, create, server } = await start(t, { storage })
  await create('a')
  const watch = await openWatch(transport, `${configMaps}?watch=true`)
  t.deepEqual(await watch.short(1), ['ADDED a'])
  const behind = create('b')
  await storage.create(
    '/registry/core/configmaps/default/c',
    JSON.stringify({ ...configMap('c'), metadata: { name: 'c', namespace: 'default' } }),
  )
  await storage.delete(
    '/registry/core/configmaps/default/a',
    Number((await ask(transport, `GET ${configMaps}/a`)).body.metadata.resourceVersion),
  )
  await clock.advance(2_000)
  await behind
  const cut = await watch.next()
  t.is(cut?.type, 'ERROR')
  t.is(cut?.object.reason, 'Expired')
  t.is(await watch.next(), undefined)
  const { body } = await ask(transport, `GET ${configMaps}`)
  t.deepEqual(
    body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
    ['b', 'c'],
  )
  const old = await ask(transport, `GET ${configMaps}?watch=true&resourceVersion=2`)
  t.is(old.status, 410)
  t.is(server.cache.stats().watchers, 0)
})

test('a write whose outcome the storage does not know is told as such', async (t) => {
  const storage = makeFaulty(openInProcessStorage())
  const { transport, create } = await start(t, { storage })
  storage.inject({ on: 'create', effect: { do: 'failAfter', reason: 'Timeout' } })
  const { status, body }: { status: number; body: Status } = await create('a')
  t.is(status, 504)
  t.is(body.reason, 'Timeout')
  await eventually(async () => assert.equal((await ask(transport, `GET ${configMaps}/a`)).status, 200))
})

test('a host port claimed by a write that failed is free again', async (t) => {
  const storage = makeFaulty(openInProcessStorage())
  const { transport } = await start(t, { storage })
  storage.inject({ on: 'create', effect: { do: 'fail', reason: 'NoSpace' } })
  const create = (name: string) =>
    ask(transport, 'POST /apis/cove.run/v1/namespaces/default/containers', {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Container',
        metadata: { name },
        spec: { image: 'registry.example/a:1', ports: [{ containerPort: 80, hostPort: 80 }] },
      },
    })
  t.is((await create('first')).status, 507)
  t.is((await create('second')).status, 201)
})

test('two servers on one storage lose no update and see each other', async (t) => {
  const storage = openInProcessStorage()
  const one = await start(t, { storage, seed: 1 })
  const two = await start(t, { storage, seed: 2 })
  const watch = await openWatch(two.transport, `${configMaps}?watch=true`)
  await one.create('shared')
  t.deepEqual(await watch.short(1), ['ADDED shared'])
  watch.close()
  const patch = async (writer: number) => {
    const { transport } = writer % 2 === 0 ? one : two
    const patched = await ask(transport, `PATCH ${configMaps}/shared`, {
      body: { data: { [`w${writer}`]: 'x' } },
    })
    t.is(patched.status, 200)
  }
  await Promise.all(Array.from({ length: 32 }, (_, writer) => patch(writer)))
  const { body } = await ask(one.transport, `GET ${configMaps}/shared`)
  t.is(Object.keys(body.data).length, 32)
})

test('a record that is no object is told in the log and hides no other', async (t) => {
  const storage = openInProcessStorage()
  const lines: unknown[] = []
  const log = { ...silentLogger, error: (_message: string, fields?: object) => void lines.push(fields) }
  await storage.create('/registry/core/configmaps/default/bad', '{')
  const { transport, create } = await start(t, { storage, log })
  await storage.create('/registry/core/configmaps/default/worse', 'no')
  t.is((await create('good')).status, 201)
  const { body } = await ask(transport, `GET ${configMaps}`)
  t.is(body.items.length, 1)
  t.deepEqual(lines, [
    {
      key: '/registry/core/configmaps/default/bad',
      error: '/registry/core/configmaps/default/bad is not JSON',
    },
    {
      key: '/registry/core/configmaps/default/worse',
      error: '/registry/core/configmaps/default/worse is not JSON',
    },
  ])
})

test('closing the server ends its watches', async (t) => {
  const { transport, server } = await start(t)
  const watch = await openWatch(transport, `${configMaps}?watch=true`)
  await server.close()
  t.is(await watch.next(), undefined)
})
