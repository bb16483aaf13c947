/** How long objects may become, asked of the whole API: by one request, and by many. */
import test from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { maxObjectBytes } from './storable.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'
const configMap = (name: string, data: object) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name },
  data,
})

test('an object beyond the bound is refused, made at once or bit by bit', async (t) => {
  const { transport, close } = await startTestServer()
  const most = 'x'.repeat(maxObjectBytes - 1_000)
  t.is((await ask(transport, `POST ${configMaps}`, { body: configMap('most', { a: most }) })).status, 201)
  const over = await ask(transport, `POST ${configMaps}`, {
    body: configMap('over', { a: `${most}${most}` }),
  })
  t.is(over.status, 413)
  t.is(over.body.reason, 'RequestEntityTooLarge')
  const wide = 'é'.repeat(maxObjectBytes / 2)
  t.is((await ask(transport, `POST ${configMaps}`, { body: configMap('wide', { a: wide }) })).status, 413)
  t.is(
    (await ask(transport, `PATCH ${configMaps}/most`, { body: { data: { b: 'x'.repeat(1_000) } } })).status,
    413,
  )
  const dry = { body: { data: { b: 'x'.repeat(1_000) } } }
  t.is((await ask(transport, `PATCH ${configMaps}/most?dryRun=All`, dry)).status, 413)
  t.is((await ask(transport, `DELETE ${configMaps}/most`)).status, 200)
  await close()
})

test('an object at the bound can be deleted while something holds it, and let go of', async (t) => {
  const { transport, close } = await startTestServer()
  const held = configMap('held', { a: 'x'.repeat(maxObjectBytes - 620) })
  const body = { ...held, metadata: { name: 'held', finalizers: ['a.b/c'] } }
  t.is((await ask(transport, `POST ${configMaps}`, { body })).status, 201)
  t.is(
    (await ask(transport, `PATCH ${configMaps}/held`, { body: { data: { b: 'x'.repeat(1_000) } } })).status,
    413,
  )
  t.is((await ask(transport, `DELETE ${configMaps}/held`)).status, 200)
  const free = { body: { metadata: { finalizers: null } } }
  t.is((await ask(transport, `PATCH ${configMaps}/held`, free)).status, 200)
  t.is((await ask(transport, `GET ${configMaps}/held`)).status, 404)
  await close()
})
