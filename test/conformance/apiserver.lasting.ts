/** What is the server's in an object and lasts: identity, times, generation, defaults; and what ends with a namespace. */
import type { TestFn } from 'ava'
import { openWatch } from '#test/helpers/apievents.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace } from './apiserver.objects.ts'

const apply = { 'content-type': 'application/apply-patch+yaml' }

export function lasting(test: TestFn, name: string, open: OpenApi): void {
  identity(test, name, open)
  shapes(test, name, open)
  locks(test, name, open)
  namespaces(test, name, open)
}

function identity(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: what a writer says of the server's metadata is passed over`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const claims = {
      name: 'web',
      generation: 99,
      creationTimestamp: '2000-01-01T00:00:00Z',
      deletionTimestamp: '2000-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 5,
      selfLink: '/there',
    }
    const put = await ask(transport, `PUT ${containers}/web`, {
      body: { ...container('web'), metadata: claims },
    })
    t.is(put.status, 200)
    t.deepEqual(put.body, first)
    const patched = await ask(transport, `PATCH ${containers}/web`, { body: { metadata: claims } })
    t.deepEqual(patched.body, first)
  })

  test(`${name}: what is going stays so, whatever is written`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, {
      body: container('web', {}, { finalizers: ['example.com/a'] }),
    })
    const going = (await ask(transport, `DELETE ${containers}/web`)).body
    const { deletionTimestamp } = going.metadata
    const kept = await ask(transport, `PATCH ${containers}/web`, {
      body: { metadata: { deletionTimestamp: null } },
    })
    t.is(kept.body.metadata.deletionTimestamp, deletionTimestamp)
    const put = await ask(transport, `PUT ${containers}/web`, {
      body: container('web', { state: 'Stopped' }, { finalizers: ['example.com/a'] }),
    })
    t.is(put.body.metadata.deletionTimestamp, deletionTimestamp)
    t.is(put.body.metadata.generation, going.metadata.generation + 1)
    const status = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { phase: 'Stopped' } },
    })
    t.is(status.body.metadata.generation, put.body.metadata.generation)
  })

  test(`${name}: finalizers of what is not going are put on and taken off at will`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, {
      body: configMap('c', {}, { finalizers: ['example.com/a'] }),
    })
    const finalizers = async (list: string[]) =>
      (await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: { finalizers: list } } })).body
        .metadata.finalizers
    t.deepEqual(await finalizers(['example.com/a', 'example.com/b']), ['example.com/a', 'example.com/b'])
    t.falsy((await finalizers([]))?.length)
    t.is((await ask(transport, `GET ${configMaps}/c`)).status, 200)
  })

  test(`${name}: a name that is used again is another object`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    const from = first.metadata.resourceVersion
    const events = await openWatch(transport, `${configMaps}?watch=true&resourceVersion=${from}`)
    t.teardown(() => events.close())
    await ask(transport, `DELETE ${configMaps}/c`)
    const second = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    t.not(second.metadata.uid, first.metadata.uid)
    t.deepEqual(await events.short(2), ['DELETED c', 'ADDED c'])
    const late = await ask(transport, `PUT ${configMaps}/c`, { body: first })
    t.is(late.status, 409)
    const body = { preconditions: { uid: first.metadata.uid } }
    const { status, body: refused } = await ask(transport, `DELETE ${configMaps}/c`, { body })
    t.is(status, 409)
    t.regex(
      refused.message,
      /: the UID in the precondition \(.*\) does not match the UID in record \(.*\)\. The object might have been deleted and then recreated$/,
    )
  })

  test(`${name}: a whole object says its name`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    for (const metadata of [{}, { name: '' }, { name: null }]) {
      const { status, body } = await ask(transport, `PUT ${configMaps}/c`, {
        body: { ...configMap('c'), metadata },
      })
      t.is(status, 400)
      t.is(body.message, 'the name of the object (c based on URL) was undeterminable: name must be provided')
    }
  })

  test(`${name}: a generated name is a label, however long its prefix`, async (t) => {
    const { transport } = await open(t)
    const prefix = 'a'.repeat(63)
    const create = { ...configMap(''), metadata: { generateName: prefix } }
    const { body } = await ask(transport, `POST ${configMaps}`, { body: create })
    t.is(body.metadata.name.length, 63)
    t.is(body.metadata.generateName, prefix)
  })
}

function shapes(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: what a whole object leaves out, or gives as null, is its default`, async (t) => {
    const { transport } = await open(t)
    const created = await ask(transport, `POST ${containers}`, {
      body: container('web', { restartPolicy: 'Never', labels: undefined }),
    })
    t.is(created.body.spec.restartPolicy, 'Never')
    const left = await ask(transport, `PUT ${containers}/web`, { body: container('web') })
    t.is(left.body.spec.restartPolicy, 'Always')
    await ask(transport, `PATCH ${containers}/web`, { body: { spec: { restartPolicy: 'Never' } } })
    const removed = await ask(transport, `PATCH ${containers}/web`, {
      body: { spec: { restartPolicy: null } },
    })
    t.is(removed.body.spec.restartPolicy, 'Always')
  })

  test(`${name}: unknown fields are pruned wherever they are let through`, async (t) => {
    const { transport } = await open(t)
    const odd = { ...container('web', { odd: 1 }), odd: { deep: true } }
    const warned = 'fieldValidation=Warn'
    const answers = [
      await ask(transport, `POST ${containers}?${warned}`, { body: odd }),
      await ask(transport, `PUT ${containers}/web?${warned}`, { body: odd }),
      await ask(transport, `PATCH ${containers}/web?${warned}`, { body: { spec: { odd: 2 } } }),
      await ask(transport, `PATCH ${containers}/web/status?${warned}`, { body: { status: { odd: 2 } } }),
      await ask(transport, `PATCH ${containers}/web?${warned}&fieldManager=m&force=true`, {
        body: odd,
        headers: apply,
      }),
    ]
    for (const { status, headers, body } of answers) {
      t.true(status === 200 || status === 201, body.message)
      t.regex(headers['warning'] ?? '', /unknown field/)
      t.false(JSON.stringify({ ...body, metadata: {} }).includes('odd'))
    }
  })

  test(`${name}: no labels at all are the same as none that were said`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    const empty = { labels: {}, annotations: {}, finalizers: [], ownerReferences: [] }
    const put = await ask(transport, `PUT ${configMaps}/c`, { body: configMap('c', {}, empty) })
    t.deepEqual(put.body, first)
    const patched = await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: empty } })
    t.deepEqual(patched.body, first)
    const other = await ask(transport, `POST ${configMaps}`, { body: configMap('d', {}, empty) })
    for (const field of Object.keys(empty)) t.false(Object.hasOwn(other.body.metadata, field), field)
  })

  test(`${name}: kinds without a spec have no generation`, async (t) => {
    const { transport } = await open(t)
    const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    t.is(body.metadata.generation, undefined)
    const changed = await ask(transport, `PATCH ${configMaps}/c`, { body: { data: { a: '1' } } })
    t.is(changed.body.metadata.generation, undefined)
  })

  test(`${name}: every failure is a Status that says its own code`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const failures = [
      await ask(transport, `GET ${configMaps}/nope`),
      await ask(transport, `POST ${configMaps}`, { body: '{' }),
      await ask(transport, `POST ${configMaps}`, { body: configMap('c') }),
      await ask(transport, `POST ${configMaps}`, { body: configMap('No') }),
      await ask(transport, `PUT ${configMaps}`, { body: configMap('c') }),
      await ask(transport, `GET ${configMaps}/c`, { headers: { accept: 'application/xml' } }),
      await ask(transport, `PATCH ${configMaps}/c`, { body: {}, headers: { 'content-type': 'text/plain' } }),
      await ask(transport, 'DELETE /api/v1/namespaces/default'),
      await ask(transport, 'GET /apis/nowhere/v1/things'),
    ]
    t.deepEqual(
      failures.map(({ status }) => status),
      [404, 400, 409, 422, 405, 406, 415, 403, 404],
    )
    for (const { status, headers, body } of failures) {
      t.is(headers['content-type'], 'application/json')
      const { kind, apiVersion, metadata, status: outcome, code, message, reason } = body
      t.deepEqual(
        { kind, apiVersion, metadata, status: outcome, code },
        { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code: status },
      )
      t.true(message !== '' && reason !== '')
    }
  })
}

function locks(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a stale revision is refused by every verb that names one, and changes nothing`, async (t) => {
    const { transport } = await open(t)
    const stale = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const now = (
      await ask(transport, `PATCH ${containers}/web`, { body: { metadata: { labels: { a: 'b' } } } })
    ).body
    const { resourceVersion } = stale.metadata
    const status = { phase: 'Failed' }
    const answers = [
      await ask(transport, `PUT ${containers}/web`, { body: { ...stale, spec: { image: 'b:1' } } }),
      await ask(transport, `PUT ${containers}/web/status`, { body: { ...stale, status } }),
      await ask(transport, `PATCH ${containers}/web`, {
        body: { metadata: { resourceVersion }, spec: { image: 'b:1' } },
      }),
      await ask(transport, `PATCH ${containers}/web/status`, {
        body: { metadata: { resourceVersion }, status },
      }),
      await ask(transport, `PATCH ${containers}/web`, {
        body: [
          { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
          { op: 'replace', path: '/spec/image', value: 'b:1' },
        ],
        headers: { 'content-type': 'application/json-patch+json' },
      }),
      await ask(transport, `PATCH ${containers}/web?fieldManager=m&force=true`, {
        body: container('web', { image: 'b:1' }, { resourceVersion }),
        headers: apply,
      }),
      await ask(transport, `DELETE ${containers}/web`, { body: { preconditions: { resourceVersion } } }),
    ]
    for (const { status: code, body } of answers) t.deepEqual([code, body.reason], [409, 'Conflict'])
    t.deepEqual((await ask(transport, `GET ${containers}/web`)).body, now)
    const tested = await ask(transport, `PATCH ${containers}/web`, {
      body: [{ op: 'test', path: '/metadata/resourceVersion', value: resourceVersion }],
      headers: { 'content-type': 'application/json-patch+json' },
    })
    t.is(tested.status, 422)
  })
}

function namespaces(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: in a namespace that terminates nothing begins, and everything can end`, async (t) => {
    const { transport } = await open(t)
    const team = configMaps.replace('default', 'team')
    await ask(transport, 'POST /api/v1/namespaces', { body: namespace('team') })
    for (const each of ['a', 'b', 'c']) await ask(transport, `POST ${team}`, { body: configMap(each) })
    await ask(transport, 'DELETE /api/v1/namespaces/team')
    const refused = [
      await ask(transport, `POST ${team}`, { body: configMap('d') }),
      await ask(transport, `POST ${team}?dryRun=All`, { body: configMap('d') }),
      await ask(transport, `POST ${team}`, { body: { ...configMap(''), metadata: { generateName: 'd-' } } }),
      await ask(transport, `PATCH ${team}/d?fieldManager=m`, { body: configMap('d'), headers: apply }),
    ]
    for (const { status, body } of refused) {
      t.is(status, 403)
      t.is(body.details.causes[0].reason, 'NamespaceTerminating')
    }
    t.is((await ask(transport, `PATCH ${team}/a`, { body: { data: { v: '1' } } })).status, 200)
    t.is((await ask(transport, `DELETE ${team}/a`)).status, 200)
    t.is((await ask(transport, `DELETE ${team}`)).body.items.length, 2)
    t.deepEqual((await ask(transport, `GET ${team}`)).body.items, [])
  })

  test(`${name}: a namespace that came back is another one`, async (t) => {
    const { transport } = await open(t)
    const path = '/api/v1/namespaces'
    const first = (await ask(transport, `POST ${path}`, { body: namespace('team') })).body
    await ask(transport, `DELETE ${path}/team`)
    await ask(transport, `PUT ${path}/team/finalize`, { body: { ...namespace('team'), spec: {} } })
    t.is((await ask(transport, `GET ${path}/team`)).status, 404)
    const second = (await ask(transport, `POST ${path}`, { body: namespace('team') })).body
    t.not(second.metadata.uid, first.metadata.uid)
    t.is(second.status.phase, 'Active')
  })
}
