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

  propagating(test, name, open)

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

/** The server only writes down what is to become of the dependents; the garbage collector does it. */
function propagating(test: TestFn, name: string, open: OpenApi): void {
  const finalizers = { Foreground: ['foregroundDeletion'], Orphan: ['orphan'] } as const

  test(`${name}: what is to become of dependents is kept as a finalizer until it is done`, async (t) => {
    const { transport } = await open(t)
    for (const [policy, expected] of Object.entries(finalizers)) {
      await ask(transport, `POST ${configMaps}`, { body: configMap('c', {}, { finalizers: ['a.com/b'] }) })
      const marked = await ask(transport, `DELETE ${configMaps}/c`, { body: { propagationPolicy: policy } })
      t.deepEqual(marked.body.metadata.finalizers, ['a.com/b', ...expected])
      t.truthy(marked.body.metadata.deletionTimestamp)
      t.is((await ask(transport, `DELETE ${configMaps}/c`)).body.metadata.finalizers.length, 2)
      const changed = await ask(transport, `DELETE ${configMaps}/c?propagationPolicy=Background`)
      t.deepEqual(changed.body.metadata.finalizers, ['a.com/b'])
      await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: { finalizers: [] } } })
      t.is((await ask(transport, `GET ${configMaps}/c`)).status, 404)
    }
  })

  test(`${name}: the older orphanDependents says the same, in the body or in the query`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('a') })
    await ask(transport, `POST ${configMaps}`, { body: configMap('b') })
    const orphaned = await ask(transport, `DELETE ${configMaps}/a`, { body: { orphanDependents: true } })
    t.deepEqual(orphaned.body.metadata.finalizers, ['orphan'])
    t.deepEqual(
      (await ask(transport, `DELETE ${configMaps}/b?orphanDependents=true`)).body.metadata.finalizers,
      ['orphan'],
    )
    t.is((await ask(transport, `DELETE ${configMaps}/b?orphanDependents=false`)).body.status, 'Success')
  })

  test(`${name}: a policy that there is not, or two at once, are refused and delete nothing`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const sideways = await ask(transport, `DELETE ${configMaps}/c`, {
      body: { propagationPolicy: 'Sideways' },
    })
    t.is(sideways.status, 422)
    t.is(
      sideways.body.message,
      'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": supported values: "Foreground", "Background", "Orphan"',
    )
    const both = { propagationPolicy: 'Orphan', orphanDependents: true }
    t.is((await ask(transport, `DELETE ${configMaps}/c`, { body: both })).status, 422)
    t.is((await ask(transport, `DELETE ${configMaps}/c?propagationPolicy=Sideways`)).status, 422)
    t.is((await ask(transport, `GET ${configMaps}/c`)).status, 200)
  })

  test(`${name}: a trial deletion says what it would do and does nothing`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const dryRun = await ask(transport, `DELETE ${configMaps}/c`, {
      body: { dryRun: ['All'], propagationPolicy: 'Foreground' },
    })
    t.deepEqual(dryRun.body.metadata.finalizers, ['foregroundDeletion'])
    t.is((await ask(transport, `DELETE ${configMaps}/c?dryRun=All`)).body.status, 'Success')
    t.is((await ask(transport, `GET ${configMaps}/c`)).body.metadata.deletionTimestamp, undefined)
  })

  test(`${name}: what is going already may be given less time, never more`, async (t) => {
    const { transport } = await open(t)
    const spec = { terminationGracePeriodSeconds: 30 }
    await ask(transport, `POST ${containers}`, { body: container('web', spec, { finalizers: ['a.com/b'] }) })
    const grace = async (gracePeriodSeconds?: number) => {
      const { body } = await ask(transport, `DELETE ${containers}/web`, { body: { gracePeriodSeconds } })
      return body.metadata.deletionGracePeriodSeconds
    }
    t.is(await grace(), 30)
    t.is(await grace(60), 30)
    t.is(await grace(1), 1)
    t.is(await grace(), 1)
    t.is(await grace(0), 0)
  })

  test(`${name}: a collection is deleted by fields, and page by page when there is a limit`, async (t) => {
    const { transport } = await open(t)
    for (const object of ['a', 'b', 'c', 'd']) {
      await ask(transport, `POST ${configMaps}`, { body: configMap(object) })
    }
    await ask(transport, `DELETE ${configMaps}?fieldSelector=metadata.name%3Db`)
    const first = await ask(transport, `DELETE ${configMaps}?limit=2`)
    t.is(first.body.kind, 'ConfigMapList')
    t.is(first.body.items.length, 2)
    t.is(first.body.metadata.remainingItemCount, 1)
    const dryRun = await ask(transport, `DELETE ${configMaps}`, { body: { dryRun: ['All'] } })
    t.is(dryRun.body.items.length, 1)
    const last = await ask(transport, `DELETE ${configMaps}?limit=2&continue=${first.body.metadata.continue}`)
    t.is(last.body.items[0].metadata.name, 'd')
    t.deepEqual((await ask(transport, `GET ${configMaps}`)).body.items, [])
  })
}
