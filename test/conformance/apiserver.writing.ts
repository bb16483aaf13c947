/** Creating and replacing objects. */
import type { TestFn } from 'ava'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, namespace, secrets } from './apiserver.objects.ts'

export function writing(test: TestFn, name: string, open: OpenApi): void {
  creating(test, name, open)
  replacing(test, name, open)
  subresources(test, name, open)
}

function creating(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a created object gets its uid, generation, time and revision, and defaults, from the server`, async (t) => {
    const { transport } = await open(t)
    const sent = container(
      'web',
      {},
      { uid: 'mine', generation: 7, creationTimestamp: null, managedFields: [] },
    )
    const { status, body } = await ask(transport, `POST ${containers}`, {
      body: { ...sent, status: { phase: 'Running' } },
    })
    t.is(status, 201)
    t.is(body.spec.restartPolicy, 'Always')
    t.is(body.metadata.generation, 1)
    t.regex(body.metadata.uid, /^[0-9a-f-]{36}$/)
    t.regex(body.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    t.is(body.metadata.namespace, 'default')
    t.is(body.metadata.managedFields.length, 1)
    t.is(body.status, undefined)
    t.deepEqual((await ask(transport, `GET ${containers}/web`)).body, body)
  })

  test(`${name}: a body need not repeat the kind that the path names, and may not name another`, async (t) => {
    const { transport } = await open(t)
    const { apiVersion: _version, kind: _kind, ...untyped } = configMap('plain', { a: '1' })
    const made = await ask(transport, `POST ${configMaps}`, { body: untyped })
    t.deepEqual([made.status, made.body.kind, made.body.apiVersion], [201, 'ConfigMap', 'v1'])
    const replaced = await ask(transport, `PUT ${configMaps}/plain`, {
      body: { ...untyped, kind: '', data: { a: '2' } },
    })
    t.deepEqual([replaced.status, replaced.body.data], [200, { a: '2' }])
    for (const wrong of [{ kind: 'Secret' }, { apiVersion: 'v2' }, { kind: 7 }])
      t.is((await ask(transport, `POST ${configMaps}`, { body: { ...untyped, ...wrong } })).status, 400)
  })

  test(`${name}: a name that is taken answers 409 AlreadyExists`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    const { status, body } = await ask(transport, `POST ${containers}`, { body: container('web') })
    t.is(status, 409)
    t.is(body.reason, 'AlreadyExists')
    t.is(body.message, 'containers.cove.run "web" already exists')
    t.deepEqual(body.details, { name: 'web', group: 'cove.run', kind: 'containers' })
  })

  test(`${name}: generateName makes a new name each time`, async (t) => {
    const { transport } = await open(t)
    const body = { ...configMap(''), metadata: { generateName: 'job-' } }
    const first = await ask(transport, `POST ${configMaps}`, { body })
    const second = await ask(transport, `POST ${configMaps}`, { body })
    t.regex(first.body.metadata.name, /^job-[a-z0-9]{5}$/)
    t.not(first.body.metadata.name, second.body.metadata.name)
  })

  test(`${name}: a namespace of a generated name is labelled with that name`, async (t) => {
    const { transport } = await open(t)
    const body = { ...namespace(''), metadata: { generateName: 'team-' } }
    const created = await ask(transport, 'POST /api/v1/namespaces', { body })
    t.is(created.body.metadata.labels['kubernetes.io/metadata.name'], created.body.metadata.name)
  })

  test(`${name}: unknown fields are refused, warned of or dropped, as asked`, async (t) => {
    const { transport } = await open(t)
    const body = container('web', { imgae: 'x', bogus: 1 })
    const strict = await ask(transport, `POST ${containers}`, { body })
    t.is(strict.status, 400)
    t.is(
      strict.body.message,
      'Container in version "v1" cannot be handled as a Container: strict decoding error: unknown field "spec.imgae" (did you mean "image"?), unknown field "spec.bogus"',
    )
    const warned = await ask(transport, `POST ${containers}?fieldValidation=Warn&dryRun=All`, { body })
    t.is(warned.status, 201)
    t.is(
      warned.headers['warning'],
      '299 - "unknown field \\"spec.imgae\\" (did you mean \\"image\\"?)", 299 - "unknown field \\"spec.bogus\\""',
    )
    t.is(warned.body.spec.bogus, undefined)
    const ignored = await ask(transport, `POST ${containers}?fieldValidation=Ignore`, { body })
    t.is(ignored.headers['warning'], undefined)
    t.is(ignored.body.spec.bogus, undefined)
  })

  test(`${name}: names that every object has by nature are unknown fields all the same`, async (t) => {
    const { transport } = await open(t)
    for (const field of ['toString', 'constructor', 'hasOwnProperty']) {
      const { status } = await ask(transport, `POST ${containers}`, {
        body: container('web', { [field]: {} }),
      })
      t.is(status, 400, field)
    }
  })

  test(`${name}: what the schema refuses answers 422 with a cause per field`, async (t) => {
    const { transport } = await open(t)
    const { status, body } = await ask(transport, `POST ${containers}`, {
      body: container('web', { restartPolicy: 'Sometimes', image: 5 }),
    })
    t.is(status, 422)
    t.is(body.reason, 'Invalid')
    t.is(body.details.kind, 'Container')
    t.deepEqual(body.details.causes.map((cause: { field: string }) => cause.field).sort(), [
      'spec.image',
      'spec.restartPolicy',
    ])
  })

  test(`${name}: a namespace must exist, must be the path's, and must not be on its way out`, async (t) => {
    const { transport } = await open(t)
    const elsewhere = containers.replace('default', 'nowhere')
    const missing = await ask(transport, `POST ${elsewhere}`, { body: container('web') })
    t.is(missing.status, 404)
    t.is(missing.body.message, 'namespaces "nowhere" not found')
    const other = await ask(transport, `POST ${containers}`, {
      body: container('web', {}, { namespace: 'other' }),
    })
    t.is(other.status, 400)
    await ask(transport, 'POST /api/v1/namespaces', { body: namespace('going') })
    await ask(transport, 'DELETE /api/v1/namespaces/going')
    const going = await ask(transport, `POST ${containers.replace('default', 'going')}`, {
      body: container('web'),
    })
    t.is(going.status, 403)
    t.is(
      going.body.message,
      'containers.cove.run "web" is forbidden: unable to create new content in namespace going because it is being terminated',
    )
  })

  test(`${name}: a dry run answers the object and keeps nothing`, async (t) => {
    const { transport } = await open(t)
    const dry = await ask(transport, `POST ${containers}?dryRun=All`, { body: container('web') })
    t.is(dry.status, 201)
    t.is(dry.body.spec.restartPolicy, 'Always')
    t.is((await ask(transport, `GET ${containers}/web`)).status, 404)
    const real = await ask(transport, `POST ${containers}`, { body: container('web') })
    t.is((await ask(transport, `POST ${containers}?dryRun=All`, { body: container('web') })).status, 409)
    const patched = await ask(transport, `PATCH ${containers}/web?dryRun=All`, {
      body: { spec: { state: 'Stopped' } },
    })
    t.is(patched.body.spec.state, 'Stopped')
    t.is(patched.body.metadata.generation, 2)
    await ask(transport, `DELETE ${containers}/web`, { body: { dryRun: ['All'] } })
    t.deepEqual((await ask(transport, `GET ${containers}/web`)).body, real.body)
  })

  test(`${name}: bodies that are not objects of the kind are refused`, async (t) => {
    const { transport } = await open(t)
    const post = (body: unknown) => ask(transport, `POST ${containers}`, { body })
    t.is((await post('{')).status, 400)
    t.is((await post('')).status, 400)
    t.is((await post('[]')).status, 400)
    t.is((await post(configMap('web'))).status, 400)
    t.is((await post({ ...container('web'), apiVersion: 'cove.run/v2' })).status, 400)
    t.is(
      (
        await post(
          '{"apiVersion":"cove.run/v1","kind":"Container","metadata":{"name":"web","__proto__":{}},"spec":{"image":"a:1"}}',
        )
      ).status,
      400,
    )
    const media = await ask(transport, `POST ${containers}`, {
      body: 'a: b',
      headers: { 'content-type': 'text/plain' },
    })
    t.is(media.status, 415)
  })

  test(`${name}: stringData is moved into data`, async (t) => {
    const { transport } = await open(t)
    const body = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'token' },
      stringData: { key: 'value' },
    }
    const created = await ask(transport, `POST ${secrets}`, { body })
    t.is(created.body.stringData, undefined)
    t.is(created.body.type, 'Opaque')
    t.deepEqual(created.body.data, { key: Buffer.from('value').toString('base64') })
  })
}

function replacing(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a PUT with a stale resourceVersion answers 409, one without replaces whatever is there`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const second = await ask(transport, `PUT ${containers}/web`, {
      body: { ...first, spec: { ...first.spec, state: 'Stopped' } },
    })
    t.is(second.status, 200)
    const stale = await ask(transport, `PUT ${containers}/web`, { body: first })
    t.is(stale.status, 409)
    t.is(
      stale.body.message,
      'Operation cannot be fulfilled on containers.cove.run "web": the object has been modified; please apply your changes to the latest version and try again',
    )
    const plain = await ask(transport, `PUT ${containers}/web`, {
      body: container('web', { state: 'Paused' }),
    })
    t.is(plain.body.spec.state, 'Paused')
    t.is(plain.body.metadata.uid, first.metadata.uid)
    t.is(plain.body.metadata.creationTimestamp, first.metadata.creationTimestamp)
  })

  test(`${name}: generation grows with the spec only, and what changes nothing is not written`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const same = await ask(transport, `PUT ${containers}/web`, { body: container('web') })
    t.deepEqual(same.body, first)
    const labelled = await ask(transport, `PUT ${containers}/web`, {
      body: container('web', {}, { labels: { a: 'b' } }),
    })
    t.is(labelled.body.metadata.generation, 1)
    t.not(labelled.body.metadata.resourceVersion, first.metadata.resourceVersion)
    const changed = await ask(transport, `PUT ${containers}/web`, {
      body: container('web', { state: 'Stopped' }),
    })
    t.is(changed.body.metadata.generation, 2)
  })

  test(`${name}: name, namespace and uid cannot change, and what is not there cannot be replaced`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    t.is((await ask(transport, `PUT ${containers}/web`, { body: container('db') })).status, 400)
    t.is(
      (await ask(transport, `PUT ${containers}/web`, { body: container('web', {}, { namespace: 'x' }) }))
        .status,
      400,
    )
    t.is(
      (await ask(transport, `PUT ${containers}/web`, { body: container('web', {}, { uid: 'x' }) })).status,
      409,
    )
    const missing = await ask(transport, `PUT ${containers}/db`, { body: container('db') })
    t.is(missing.status, 404)
    t.is(missing.body.message, 'containers.cove.run "db" not found')
  })

  test(`${name}: immutable data stays as it is`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: { ...configMap('c', { a: '1' }), immutable: true } })
    const changed = await ask(transport, `PATCH ${configMaps}/c`, { body: { data: { a: '2' } } })
    t.is(changed.status, 422)
    t.is(changed.body.details.causes[0].field, 'data')
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body: { immutable: null } })).status, 422)
    t.is(
      (await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: { labels: { a: 'b' } } } })).status,
      200,
    )
  })

  test(`${name}: no update is lost among 32 concurrent writers that retry conflicts`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const write = async (writer: number) => {
      for (;;) {
        const { body } = await ask(transport, `GET ${configMaps}/c`)
        const next = { ...body, data: { ...body.data, [`w${writer}`]: 'x' } }
        const { status } = await ask(transport, `PUT ${configMaps}/c`, { body: next })
        if (status === 200) return
        t.is(status, 409)
      }
    }
    await Promise.all(Array.from({ length: 32 }, (_, writer) => write(writer)))
    t.is(Object.keys((await ask(transport, `GET ${configMaps}/c`)).body.data).length, 32)
  })
}

function subresources(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a status write touches only the status, any other write everything else`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${containers}`, { body: container('web') })).body
    const status = { phase: 'Running', restartCount: 3 }
    const written = await ask(transport, `PUT ${containers}/web/status`, {
      body: {
        ...first,
        metadata: { ...first.metadata, labels: { a: 'b' } },
        spec: { image: 'other:2' },
        status,
      },
    })
    t.is(written.status, 200)
    t.deepEqual(written.body.spec, first.spec)
    t.is(written.body.metadata.labels, undefined)
    t.is(written.body.metadata.generation, 1)
    t.is(written.body.status.phase, 'Running')
    const main = await ask(transport, `PATCH ${containers}/web`, {
      body: { status: { phase: 'Failed' }, spec: { state: 'Stopped' } },
    })
    t.is(main.body.status.phase, 'Running')
    t.is(main.body.metadata.generation, 2)
    const patched = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { phase: 'Stopped' }, spec: { state: 'Paused' } },
    })
    t.is(patched.body.status.phase, 'Stopped')
    t.is(patched.body.status.restartCount, 3)
    t.is(patched.body.spec.state, 'Stopped')
    const unknown = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { fase: 'Stopped' } },
    })
    t.is(unknown.status, 400)
    t.is(
      (await ask(transport, `PATCH ${containers}/web/status`, { body: { status: { phase: 'Odd' } } })).status,
      422,
    )
  })

  test(`${name}: the same status again is no change`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}`, { body: container('web') })
    const once = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { phase: 'Running' } },
    })
    const twice = await ask(transport, `PATCH ${containers}/web/status`, {
      body: { status: { phase: 'Running' } },
    })
    t.is(twice.body.metadata.resourceVersion, once.body.metadata.resourceVersion)
  })
}
