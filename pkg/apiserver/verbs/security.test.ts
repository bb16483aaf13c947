import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const containers = '/apis/cove.run/v1/namespaces/default/containers'

test('a stricter level looks at no more than it has time for, and shows no more than can be read', async (t) => {
  const { storage, transport, server, close } = await startTestServer()
  t.teardown(close)
  const stored = (name: string) =>
    JSON.stringify({
      apiVersion: 'cove.run/v1',
      kind: 'Container',
      metadata: { name, namespace: 'default', uid: name },
      spec: { image: 'a:1', networkMode: 'host' },
    })
  for (let index = 0; index < 3002; index++) {
    const name = `c${String(index).padStart(4, '0')}`
    const result = await storage.create(`/registry/cove.run/containers/default/${name}`, stored(name))
    if (result.ok && index === 3001) await server.cache.shows(result.revision)
  }
  t.is((await ask(transport, `GET ${containers}?limit=1`)).body.metadata.remainingItemCount, 3001)
  const { status, headers } = await ask(transport, 'PATCH /api/v1/namespaces/default', {
    body: { metadata: { labels: { 'cove.run/enforce': 'baseline' } } },
  })
  t.is(status, 200)
  const warnings = (headers['warning'] ?? '').split('", 299 - "')
  t.is(warnings.length, 3)
  t.regex(warnings[1] ?? '', /^c0000, c0001, .*, c0019 and 2980 more: host network$/)
  t.regex(warnings[2] ?? '', /^2 more containers were not looked at/)
})

test('nobody comes to the network of the node through a Container from before the level', async (t) => {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  const make = (name: string, networkMode: string) =>
    ask(transport, `POST ${containers}`, {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Container',
        metadata: { name },
        spec: { image: 'a:1', networkMode },
      },
    })
  const label = (value: string | null) =>
    ask(transport, 'PATCH /api/v1/namespaces/default', {
      body: { metadata: { labels: { 'cove.run/enforce': value } } },
    })
  for (const [name, mode] of [
    ['old', 'host'],
    ['through', 'container:old'],
    ['fine', 'none'],
  ] as const)
    t.is((await make(name, mode)).status, 201)
  await label('baseline')
  for (const owner of ['old', 'through']) {
    const { status, body } = await make(`by-${owner}`, `container:${owner}`)
    t.is(status, 403)
    t.regex(
      body.message,
      /violates PodSecurity "baseline:latest": host network \(spec\.networkMode must not be "host"\)/,
    )
  }
  t.is((await make('good', 'container:fine')).status, 201)
  t.is((await make('later', 'container:nobody')).status, 201)
  t.is((await make('nobody', 'host')).status, 403)
  // What was there goes on to be placed and stopped.
  const stop = { body: { spec: { state: 'Stopped' } } }
  t.is((await ask(transport, `PATCH ${containers}/through`, stop)).status, 200)
})
