/** Deletion, finalizers, and namespaces on their way out. */
import type { TestFn } from 'ava'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace } from './apiserver.objects.ts'

const namespaces = '/api/v1/namespaces'

export function deleting(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an object without finalizers is gone at once, and a Status says what it was`, async (t) => {
    const { transport } = await open(t)
    const { metadata } = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const { status, body } = await ask(transport, `DELETE ${containers}/web`)
    t.is(status, 200)
    t.is(body.status, 'Success')
    t.deepEqual(body.details, { name: 'web', group: 'cove.run', kind: 'containers', uid: metadata.uid })
    const gone = await ask(transport, `DELETE ${containers}/web`)
    t.is(gone.status, 404)
    t.is(gone.body.message, 'containers.cove.run "web" not found')
  })

  test(`${name}: a Container has the time to end that its spec gives it, unless the deletion says another`, async (t) => {
    const { transport } = await open(t)
    const spec = { terminationGracePeriodSeconds: 33 }
    await ask(transport, `POST ${containers}`, { body: container('web', spec, { finalizers: ['a.com/b'] }) })
    const { body } = await ask(transport, `DELETE ${containers}/web`)
    t.is(body.metadata.deletionGracePeriodSeconds, 33)
  })

  test(`${name}: an object with finalizers is marked, and goes when the last one is taken off`, async (t) => {
    const { transport } = await open(t)
    const finalizers = ['example.com/a', 'example.com/b']
    await ask(transport, `POST ${containers}`, { body: container('web', {}, { finalizers }) })
    const marked = await ask(transport, `DELETE ${containers}/web`, { body: { gracePeriodSeconds: 7 } })
    t.is(marked.status, 200)
    t.is(marked.body.kind, 'Container')
    t.truthy(marked.body.metadata.deletionTimestamp)
    t.is(marked.body.metadata.deletionGracePeriodSeconds, 7)
    t.is(marked.body.metadata.generation, 2)
    const again = await ask(transport, `DELETE ${containers}/web`)
    t.deepEqual(again.body, marked.body)
    const added = await ask(transport, `PATCH ${containers}/web`, {
      body: { metadata: { finalizers: [...finalizers, 'example.com/c'] } },
    })
    t.is(added.status, 422)
    await ask(transport, `PATCH ${containers}/web`, { body: { metadata: { finalizers: ['example.com/b'] } } })
    t.is((await ask(transport, `GET ${containers}/web`)).body.metadata.finalizers.length, 1)
    const last = await ask(transport, `PATCH ${containers}/web`, {
      body: [{ op: 'remove', path: '/metadata/finalizers/0' }],
      headers: { 'content-type': 'application/json-patch+json' },
    })
    t.is(last.status, 200)
    t.is((await ask(transport, `GET ${containers}/web`)).status, 404)
  })

  test(`${name}: preconditions that do not hold answer 409`, async (t) => {
    const { transport } = await open(t)
    const { metadata } = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    const remove = (preconditions: object) =>
      ask(transport, `DELETE ${configMaps}/c`, { body: { preconditions } })
    t.is((await remove({ uid: 'other' })).status, 409)
    t.is((await remove({ resourceVersion: '1' })).status, 409)
    t.is((await remove({ uid: metadata.uid, resourceVersion: metadata.resourceVersion })).status, 200)
  })

  test(`${name}: an order of deletion is refused where there are dependents, and needs nothing where there are none`, async (t) => {
    const { transport } = await open(t)
    const { metadata } = (await ask(transport, `POST ${configMaps}`, { body: configMap('owner') })).body
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata.uid }]
    await ask(transport, `POST ${configMaps}`, { body: configMap('owned', {}, { ownerReferences }) })
    const foreground = { propagationPolicy: 'Foreground' }
    t.is((await ask(transport, `DELETE ${configMaps}/owner`, { body: foreground })).status, 422)
    t.is((await ask(transport, `DELETE ${configMaps}/owner?propagationPolicy=Orphan`)).status, 422)
    t.is((await ask(transport, `DELETE ${configMaps}/owned`, { body: foreground })).status, 200)
    t.is((await ask(transport, `DELETE ${configMaps}/owner`, { body: foreground })).status, 200)
    t.is(
      (await ask(transport, `DELETE ${configMaps}/owner`, { body: { propagationPolicy: 'Sideways' } }))
        .status,
      400,
    )
  })

  test(`${name}: a namespace terminates until it is finalized`, async (t) => {
    const { transport } = await open(t)
    const created = await ask(transport, `POST ${namespaces}`, { body: namespace('team') })
    t.is(created.body.status.phase, 'Active')
    t.deepEqual(created.body.spec.finalizers, ['kubernetes'])
    const marked = await ask(transport, `DELETE ${namespaces}/team`)
    t.is(marked.body.status.phase, 'Terminating')
    t.truthy(marked.body.metadata.deletionTimestamp)
    const kept = await ask(transport, `PUT ${namespaces}/team`, {
      body: { ...marked.body, spec: { finalizers: [] } },
    })
    t.deepEqual(kept.body.spec.finalizers, ['kubernetes'])
    const finalized = await ask(transport, `PUT ${namespaces}/team/finalize`, {
      body: { ...kept.body, spec: { finalizers: [] } },
    })
    t.is(finalized.status, 200)
    t.is((await ask(transport, `GET ${namespaces}/team`)).status, 404)
  })

  test(`${name}: the namespace default is there and cannot be deleted`, async (t) => {
    const { transport } = await open(t)
    const { status, body } = await ask(transport, `DELETE ${namespaces}/default`)
    t.is(status, 403)
    t.is(body.message, 'namespaces "default" is forbidden: this namespace may not be deleted')
    t.is((await ask(transport, `GET ${namespaces}/default`)).body.status.phase, 'Active')
  })

  test(`${name}: deleting a collection removes what the selector matches`, async (t) => {
    const { transport } = await open(t)
    for (const [object, app] of [
      ['a', 'x'],
      ['b', 'x'],
      ['c', 'y'],
    ] as const) {
      await ask(transport, `POST ${configMaps}`, { body: configMap(object, {}, { labels: { app } }) })
    }
    const removed = await ask(transport, `DELETE ${configMaps}?labelSelector=app%3Dx`)
    t.is(removed.body.items.length, 2)
    const { body } = await ask(transport, `GET ${configMaps}`)
    t.deepEqual(
      body.items.map((item: { metadata: { name: string } }) => item.metadata.name),
      ['c'],
    )
  })
}
