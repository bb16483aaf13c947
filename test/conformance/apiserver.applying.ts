/** Server-side apply. */
import type { TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers, secrets } from './apiserver.objects.ts'

const headers = { 'content-type': 'application/apply-patch+yaml' }
const line = `${configMaps}/c`

/** `query` goes on after the manager: `&force=true`. */
function apply(transport: Transport, path: string, manager: string, body: unknown) {
  const [url = '', query = ''] = path.split('?')
  const more = query === '' ? '' : `&${query}`
  return ask(transport, `PATCH ${url}?fieldManager=${manager}${more}`, { headers, body })
}

interface Managed {
  readonly metadata: { readonly managedFields: readonly { manager: string; fieldsV1: object }[] }
}

function fieldsOf(body: Managed, manager: string): object | undefined {
  return body.metadata.managedFields.find((entry) => entry.manager === manager)?.fieldsV1
}

export function applying(test: TestFn, name: string, open: OpenApi): void {
  making(test, name, open)
  merging(test, name, open)
  disputing(test, name, open)
  refusing(test, name, open)
  reading(test, name, open)
}

function making(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an apply makes what is not there, and again changes nothing`, async (t) => {
    const { transport } = await open(t)
    const intent = container('web', { env: [{ name: 'A', value: '1' }] }, { labels: { app: 'x' } })
    const first = await apply(transport, `${containers}/web`, 'me', intent)
    t.is(first.status, 201)
    t.is(first.body.spec.restartPolicy, 'Always')
    t.deepEqual(first.body.metadata.managedFields, [
      {
        manager: 'me',
        operation: 'Apply',
        apiVersion: 'cove.run/v1',
        time: first.body.metadata.creationTimestamp,
        fieldsType: 'FieldsV1',
        fieldsV1: {
          'f:metadata': { 'f:labels': { 'f:app': {} } },
          'f:spec': {
            'f:image': {},
            'f:env': { 'k:{"name":"A"}': { '.': {}, 'f:name': {}, 'f:value': {} } },
          },
        },
      },
    ])
    const second = await apply(transport, `${containers}/web`, 'me', intent)
    t.is(second.status, 200)
    t.deepEqual(second.body, first.body)
  })

  test(`${name}: an apply that is only tried stores nothing`, async (t) => {
    const { transport } = await open(t)
    const tried = await apply(transport, `${line}?dryRun=All`, 'me', configMap('c', { a: '1' }))
    t.is(tried.status, 201)
    t.deepEqual(tried.body.data, { a: '1' })
    t.is((await ask(transport, `GET ${line}`)).status, 404)
    await apply(transport, line, 'me', configMap('c', { a: '1' }))
    const changed = await apply(transport, `${line}?dryRun=All`, 'me', configMap('c', { a: '2' }))
    t.is(changed.body.data.a, '2')
    t.is((await ask(transport, `GET ${line}`)).body.data.a, '1')
  })

  test(`${name}: of many that make the same object at once each is heard`, async (t) => {
    const { transport } = await open(t)
    const answers = await Promise.all(
      Array.from({ length: 16 }, (_, index) =>
        apply(transport, line, `m${index}`, configMap('c', { [`k${index}`]: 'x' })),
      ),
    )
    t.deepEqual(answers.map(({ status }) => status).sort(), [...Array(15).fill(200), 201])
    const { body } = await ask(transport, `GET ${line}`)
    t.is(Object.keys(body.data).length, 16)
    t.is(body.metadata.managedFields.length, 16)
  })

  test(`${name}: a Secret's plain text is owned where it is kept`, async (t) => {
    const { transport } = await open(t)
    const intent = (stringData: object) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      stringData,
    })
    const first = await apply(transport, `${secrets}/s`, 'me', intent({ a: 'x', b: 'y' }))
    t.deepEqual(first.body.data, { a: 'eA==', b: 'eQ==' })
    t.deepEqual(fieldsOf(first.body, 'me'), { 'f:data': { 'f:a': {}, 'f:b': {} } })
    const second = await apply(transport, `${secrets}/s`, 'me', intent({ a: 'x' }))
    t.deepEqual(second.body.data, { a: 'eA==' })
  })
}

function merging(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: what an applier no longer names goes, what others own stays`, async (t) => {
    const { transport } = await open(t)
    await apply(transport, line, 'one', configMap('c', { a: '1', b: '2', shared: 'x' }))
    await apply(transport, line, 'two', configMap('c', { c: '3', shared: 'x' }))
    const { body } = await apply(transport, line, 'one', configMap('c', { a: '1' }))
    t.deepEqual(body.data, { a: '1', c: '3', shared: 'x' })
    t.deepEqual(fieldsOf(body, 'one'), { 'f:data': { 'f:a': {} } })
    t.deepEqual(fieldsOf(body, 'two'), { 'f:data': { 'f:c': {}, 'f:shared': {} } })
  })

  test(`${name}: items of a keyed list come in the applied order and go as a whole`, async (t) => {
    const { transport } = await open(t)
    const env = (...names: string[]) => ({ env: names.map((one) => ({ name: one, value: one })) })
    const web = `${containers}/web`
    const names = (body: { spec: { env: { name: string }[] } }) =>
      body.spec.env.map((item) => item.name).join()
    await apply(transport, web, 'one', container('web', env('A', 'B', 'C')))
    const added = await ask(transport, `PATCH ${web}?fieldManager=two`, {
      headers: { 'content-type': 'application/strategic-merge-patch+json' },
      body: { spec: env('X') },
    })
    t.true(names(added.body).includes('X'))
    const turned = await apply(transport, web, 'one', container('web', env('C', 'A')))
    t.is(names(turned.body).replace(',X', '').replace('X,', ''), 'C,A')
    t.true(names(turned.body).includes('X'))
    const none = await apply(transport, web, 'one', container('web'))
    t.is(names(none.body), 'X')
  })

  test(`${name}: a field taken back returns to its default`, async (t) => {
    const { transport } = await open(t)
    const web = `${containers}/web`
    const named = await apply(transport, web, 'me', container('web', { restartPolicy: 'Never' }))
    t.is(named.body.spec.restartPolicy, 'Never')
    const { body } = await apply(transport, web, 'me', container('web'))
    t.is(body.spec.restartPolicy, 'Always')
    t.is(body.metadata.generation, 2)
  })

  test(`${name}: the status is applied through its own door`, async (t) => {
    const { transport } = await open(t)
    const web = `${containers}/web`
    const whole = { ...container('web', { image: 'other:1' }), status: { phase: 'Running', restartCount: 3 } }
    t.is((await apply(transport, `${web}/status`, 'agent', whole)).status, 404)
    await apply(transport, web, 'me', container('web'))
    const { body } = await apply(transport, `${web}/status`, 'agent', whole)
    t.is(body.spec.image, 'registry.example/web:1')
    t.is(body.status.restartCount, 3)
    t.deepEqual(fieldsOf(body, 'agent'), { 'f:status': { 'f:phase': {}, 'f:restartCount': {} } })
    const fewer = { ...whole, status: { phase: 'Running' } }
    const after = await apply(transport, `${web}/status`, 'agent', fewer)
    t.is(after.body.status.restartCount, undefined)
  })

  test(`${name}: what nobody kept track of belongs to those before the first apply`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1' }) })
    await ask(transport, `PATCH ${line}`, { body: { metadata: { managedFields: [] } } })
    const { body } = await apply(transport, line, 'me', configMap('c', { b: '2' }))
    t.deepEqual(body.data, { a: '1', b: '2' })
    t.deepEqual(fieldsOf(body, 'before-first-apply'), { 'f:data': { '.': {}, 'f:a': {} } })
  })
}

function disputing(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: one field of another manager answers 409 in Kubernetes' words`, async (t) => {
    const { transport } = await open(t)
    const env = (value: string) => container('web', { env: [{ name: 'A', value }] })
    await apply(transport, `${containers}/web`, 'one', env('1'))
    const { status, body } = await apply(transport, `${containers}/web`, 'two', env('2'))
    t.is(status, 409)
    t.is(body.reason, 'Conflict')
    t.is(body.message, 'Apply failed with 1 conflict: conflict with "one": .spec.env[name="A"].value')
    t.deepEqual(body.details.causes, [
      {
        reason: 'FieldManagerConflict',
        message: 'conflict with "one"',
        field: '.spec.env[name="A"].value',
      },
    ])
  })

  test(`${name}: several conflicts are told manager by manager`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}?fieldManager=editor`, {
      body: configMap('c', { a: '1', b: '2' }),
    })
    await apply(transport, line, 'applier', configMap('c', { c: '3' }))
    const { body } = await apply(transport, line, 'me', configMap('c', { a: 'x', b: 'x', c: 'x' }))
    t.is(
      body.message,
      'Apply failed with 3 conflicts: conflicts with "applier":\n- .data.c\nconflicts with "editor" using v1:\n- .data.a\n- .data.b',
    )
  })

  test(`${name}: force takes a field over`, async (t) => {
    const { transport } = await open(t)
    await apply(transport, line, 'one', configMap('c', { a: '1', b: '2' }))
    const { status, body } = await apply(transport, `${line}?force=true`, 'two', configMap('c', { a: '9' }))
    t.is(status, 200)
    t.deepEqual(body.data, { a: '9', b: '2' })
    t.deepEqual(fieldsOf(body, 'one'), { 'f:data': { 'f:b': {} } })
    t.deepEqual(fieldsOf(body, 'two'), { 'f:data': { 'f:a': {} } })
  })

  test(`${name}: who applies the same value owns it too`, async (t) => {
    const { transport } = await open(t)
    await apply(transport, line, 'one', configMap('c', { a: '1' }))
    const { body } = await apply(transport, line, 'two', configMap('c', { a: '1' }))
    t.deepEqual(fieldsOf(body, 'one'), fieldsOf(body, 'two'))
    const left = await apply(transport, line, 'one', configMap('c'))
    t.deepEqual(left.body.data, { a: '1' })
    const alone = await apply(transport, line, 'two', configMap('c', { a: '2' }))
    t.is(alone.body.data.a, '2')
  })

  test(`${name}: kubectl takes over what it applied client-side, and nothing that was changed since`, async (t) => {
    const { transport } = await open(t)
    const last = JSON.stringify(configMap('c', { a: '1', b: '2' }))
    const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': last }
    await ask(transport, `POST ${configMaps}?fieldManager=kubectl-client-side-apply`, {
      body: configMap('c', { a: '1', b: '2' }, { annotations }),
    })
    const taken = await apply(transport, line, 'kubectl', configMap('c', { a: '9', b: '2' }))
    t.is(taken.status, 200)
    const kept = JSON.parse(
      taken.body.metadata.annotations['kubectl.kubernetes.io/last-applied-configuration'],
    )
    t.deepEqual(kept.data, { a: '9', b: '2' })
    await ask(transport, `PATCH ${line}?fieldManager=editor`, { body: { data: { b: 'edited' } } })
    const refused = await apply(transport, line, 'kubectl', configMap('c', { a: '9', b: '3' }))
    t.is(refused.body.message, 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.b')
  })
}

function refusing(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an apply must say who applies`, async (t) => {
    const { transport } = await open(t)
    const { status, body } = await ask(transport, `PATCH ${line}`, { headers, body: configMap('c') })
    t.is(status, 422)
    t.is(
      body.message,
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
    )
  })

  test(`${name}: an apply may not bring managers, and other patches may not force`, async (t) => {
    const { transport } = await open(t)
    const own = { ...configMap('c'), metadata: { name: 'c', managedFields: [] } }
    const { status, body } = await apply(transport, line, 'me', own)
    t.is(status, 400)
    t.is(body.message, 'metadata.managedFields must be nil')
    await apply(transport, line, 'me', configMap('c'))
    const forced = await ask(transport, `PATCH ${line}?force=true`, { body: { data: { a: '1' } } })
    t.is(forced.status, 422)
    t.regex(forced.body.message, /force: Forbidden: may not be specified for non-apply patch$/)
  })

  test(`${name}: the name, the namespace, the kind and the version must be those of the URL`, async (t) => {
    const { transport } = await open(t)
    const bodies = [
      configMap('other'),
      configMap('c', {}, { namespace: 'other' }),
      { ...configMap('c'), kind: 'Secret' },
      { ...configMap('c'), apiVersion: 'v2' },
    ]
    for (const body of bodies) t.is((await apply(transport, line, 'me', body)).status, 400)
    await apply(transport, line, 'me', configMap('c'))
    for (const body of bodies) t.is((await apply(transport, line, 'me', body)).status, 400)
    const wrong = await apply(transport, line, 'me', { ...configMap('c'), apiVersion: 'v2' })
    t.is(
      wrong.body.message,
      'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1',
    )
  })

  test(`${name}: a resourceVersion locks an apply, and a uid names the object`, async (t) => {
    const { transport } = await open(t)
    const uid = await apply(transport, line, 'me', configMap('c', {}, { uid: 'u' }))
    t.is(uid.status, 409)
    t.is(
      uid.body.message,
      'Operation cannot be fulfilled on configmaps "c": uid mismatch: the provided object specified uid u, and no existing object was found',
    )
    const { metadata } = (await apply(transport, line, 'me', configMap('c', { a: '1' }))).body
    const locked = (a: string) =>
      apply(transport, line, 'me', configMap('c', { a }, { resourceVersion: metadata.resourceVersion }))
    t.is((await locked('2')).status, 200)
    t.is((await locked('3')).status, 409)
    t.is((await apply(transport, line, 'me', configMap('c', {}, { uid: 'u' }))).status, 409)
  })

  test(`${name}: unknown fields are refused, warned of or dropped`, async (t) => {
    const { transport } = await open(t)
    const intent = container('web', { imgae: 'x' })
    const strict = await apply(transport, `${containers}/web?fieldValidation=Strict`, 'me', intent)
    t.is(strict.status, 400)
    t.regex(
      strict.body.message,
      /^Container in version "v1" cannot be handled as a Container: strict decoding error: unknown field "spec\.imgae"/,
    )
    const warned = await apply(transport, `${containers}/web?fieldValidation=Warn`, 'me', intent)
    t.is(warned.status, 201)
    t.regex(warned.headers['warning'] ?? '', /unknown field \\"spec\.imgae\\"/)
    const ignored = await apply(transport, `${containers}/web?fieldValidation=Ignore`, 'me', intent)
    t.is(ignored.status, 200)
    t.is(ignored.headers['warning'], undefined)
  })

  test(`${name}: what comes out is validated, and what cannot be merged is refused`, async (t) => {
    const { transport } = await open(t)
    const bad: object[] = [
      { image: '' },
      { env: 'x' },
      { env: [{ value: 'x' }] },
      { env: [{ name: 'A' }, { name: 'A' }] },
      { image: 7 },
    ]
    for (const spec of bad) {
      t.is((await apply(transport, `${containers}/web`, 'me', container('web', spec))).status, 422)
    }
    await apply(transport, `${containers}/web`, 'me', container('web'))
    for (const spec of bad) {
      const { status, body } = await apply(transport, `${containers}/web`, 'me', container('web', spec))
      t.is(status, 422)
      t.is(body.reason, 'Invalid')
    }
  })
}

function reading(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: an apply may be YAML, and so may a POST and a PUT`, async (t) => {
    const { transport } = await open(t)
    const yaml = (a: string) => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\ndata:\n  a: "${a}"\n`
    t.is((await apply(transport, line, 'me', yaml('1'))).status, 201)
    const type = { 'content-type': 'application/yaml' }
    const put = await ask(transport, `PUT ${line}`, { headers: type, body: yaml('2') })
    t.is(put.body.data.a, '2')
    const posted = await ask(transport, `POST ${configMaps}`, {
      headers: type,
      body: yaml('1').replace('name: c', 'name: d'),
    })
    t.is(posted.status, 201)
    for (const body of ['a: [', '- a', '__proto__: {}', '']) {
      t.is((await apply(transport, line, 'me', body)).status, 400, body)
    }
  })
}
