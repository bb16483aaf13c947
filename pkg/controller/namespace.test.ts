/** Namespaces on their way out. */
import test from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { NamespaceController } from './namespace.ts'

const namespace = '/api/v1/namespaces/team'
const configMaps = `${namespace}/configmaps`

test('a namespace that cannot be emptied says what is left and who holds it, and goes when that is gone', async (t) => {
  const { clock, transport, close } = await startTestServer()
  const abort = new AbortController()
  const ambient: Ambient = { clock, random: seededRandom(1), log: silentLogger }
  const client = new Client(transport, 'namespaces')
  const running = new NamespaceController({ client, ambient, kinds }).run(abort.signal)
  t.teardown(async () => {
    abort.abort()
    await running
    await close()
  })
  const create = (path: string, kind: string, metadata: object) =>
    ask(transport, `POST ${path}`, { body: { apiVersion: 'v1', kind, metadata } })
  await create('/api/v1/namespaces', 'Namespace', { name: 'team' })
  await create(configMaps, 'ConfigMap', { name: 'free' })
  await create(configMaps, 'ConfigMap', { name: 'held', finalizers: ['example.com/hold'] })
  await ask(transport, `DELETE ${namespace}`)
  await clock.advance(5_000)

  const { status } = (await ask(transport, `GET ${namespace}`)).body
  t.is(status.phase, 'Terminating')
  const lines = status.conditions.map(
    (each: Record<string, string>) =>
      `${each['type']}=${each['status']} ${each['reason']}: ${each['message']}`,
  )
  t.deepEqual(lines, [
    'NamespaceDeletionContentFailure=False ContentDeleted: All content successfully deleted, may be waiting on finalization',
    'NamespaceContentRemaining=True SomeResourcesRemain: Some resources are remaining: configmaps has 1 resource instances',
    'NamespaceFinalizersRemaining=True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances',
  ])
  const refused = await create(configMaps, 'ConfigMap', { name: 'late' })
  t.is(refused.status, 403)
  t.is(refused.body.details.causes[0].reason, 'NamespaceTerminating')
  t.is((await ask(transport, `GET ${configMaps}/free`)).status, 404)

  await ask(transport, `PATCH ${configMaps}/held`, { body: { metadata: { finalizers: null } } })
  await clock.advance(5_000)
  t.is((await ask(transport, `GET ${namespace}`)).status, 404)
})
