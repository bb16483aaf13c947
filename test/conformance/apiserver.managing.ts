/** Who set which field: metadata.managedFields after writes that are no apply. */
import type { TestFn } from 'ava'
import type { Transport } from '#pkg/apimachinery/transport.ts'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers } from './apiserver.objects.ts'

interface Entry {
  readonly manager: string
  readonly operation: string
  readonly apiVersion: string
  readonly time: string
  readonly fieldsType: string
  readonly fieldsV1: object
  readonly subresource?: string
}

/** `manager/operation/subresource` of each entry. */
function managers(body: { metadata: { managedFields?: readonly Entry[] } }): string[] {
  const entries = body.metadata.managedFields ?? []
  return entries.map(({ manager, operation, subresource }) =>
    [manager, operation, ...(subresource === undefined ? [] : [subresource])].join('/'),
  )
}

function fieldsOf(body: { metadata: { managedFields?: readonly Entry[] } }, manager: string): object {
  return body.metadata.managedFields?.find((entry) => entry.manager === manager)?.fieldsV1 ?? {}
}

async function created(transport: Transport, data: object) {
  return (await ask(transport, `POST ${configMaps}?fieldManager=maker`, { body: configMap('c', data) })).body
}

const line = `${configMaps}/c`
const json = { 'content-type': 'application/json-patch+json' }

export function managing(test: TestFn, name: string, open: OpenApi): void {
  moving(test, name, open)
  naming(test, name, open)
  writingFields(test, name, open)
}

function moving(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: the creator manages everything that it set and was defaulted`, async (t) => {
    const { transport } = await open(t)
    const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: 'u' }]
    const { body } = await ask(transport, `POST ${configMaps}?fieldManager=maker`, {
      body: configMap('c', { a: '1' }, { labels: { app: 'x' }, finalizers: ['e.x/f'], ownerReferences }),
    })
    t.deepEqual(managers(body), ['maker/Update'])
    const [entry] = body.metadata.managedFields
    t.is(entry.apiVersion, 'v1')
    t.is(entry.fieldsType, 'FieldsV1')
    t.is(entry.time, body.metadata.creationTimestamp)
    t.deepEqual(entry.fieldsV1, {
      'f:metadata': {
        'f:labels': { '.': {}, 'f:app': {} },
        'f:finalizers': { '.': {}, 'v:"e.x/f"': {} },
        'f:ownerReferences': { '.': {}, 'k:{"uid":"u"}': {} },
      },
      'f:data': { '.': {}, 'f:a': {} },
    })
  })

  test(`${name}: items of keyed lists are managed one by one, atomic lists as one`, async (t) => {
    const { transport } = await open(t)
    const spec = { env: [{ name: 'A', value: '1' }], command: ['a', 'b'], ports: [{ containerPort: 80 }] }
    const { body } = await ask(transport, `POST ${containers}?fieldManager=m`, {
      body: container('web', spec),
    })
    const fields = body.metadata.managedFields[0].fieldsV1['f:spec']
    t.deepEqual(fields['f:command'], {})
    t.deepEqual(fields['f:env']['k:{"name":"A"}'], { '.': {}, 'f:name': {}, 'f:value': {} })
    t.truthy(fields['f:ports']['k:{"containerPort":80,"protocol":"TCP"}'])
  })

  test(`${name}: a changed field moves to who changed it, a removed one leaves every set`, async (t) => {
    const { transport } = await open(t)
    await created(transport, { a: '1', b: '2', c: '3' })
    const { body } = await ask(transport, `PATCH ${line}?fieldManager=other`, {
      body: { data: { a: '9', b: null, d: '4' } },
    })
    t.deepEqual(managers(body).sort(), ['maker/Update', 'other/Update'])
    t.deepEqual(fieldsOf(body, 'maker'), { 'f:data': { '.': {}, 'f:c': {} } })
    t.deepEqual(fieldsOf(body, 'other'), { 'f:data': { 'f:a': {}, 'f:d': {} } })
    const emptied = await ask(transport, `PATCH ${line}?fieldManager=other`, {
      body: { data: { a: null, d: null } },
    })
    t.deepEqual(managers(emptied.body), ['maker/Update'])
  })

  test(`${name}: a replaced object moves what differs and nothing else`, async (t) => {
    const { transport } = await open(t)
    const before = await created(transport, { a: '1', b: '2' })
    const { managedFields: _managed, ...metadata } = before.metadata
    const { body } = await ask(transport, `PUT ${line}?fieldManager=other`, {
      body: { ...before, metadata, data: { a: '1', b: '3' } },
    })
    t.deepEqual(fieldsOf(body, 'maker'), { 'f:data': { '.': {}, 'f:a': {} } })
    t.deepEqual(fieldsOf(body, 'other'), { 'f:data': { 'f:b': {} } })
  })

  test(`${name}: a write that changes nothing moves neither the revision nor a manager`, async (t) => {
    const { transport } = await open(t)
    const before = await created(transport, { a: '1' })
    const patched = await ask(transport, `PATCH ${line}?fieldManager=other`, { body: { data: { a: '1' } } })
    t.deepEqual(patched.body, before)
    const put = await ask(transport, `PUT ${line}?fieldManager=other`, { body: before })
    t.deepEqual(put.body, before)
  })

  test(`${name}: an entry is dated anew only when its writer changes its set`, async (t) => {
    const { transport, clock } = await open(t)
    if (clock === undefined) {
      t.pass('the clock of this server cannot be moved')
      return
    }
    await created(transport, { a: '1' })
    await clock.advance(60_000)
    const same = await ask(transport, `PATCH ${line}?fieldManager=maker`, { body: { data: { a: '2' } } })
    t.is(same.body.metadata.managedFields[0].time, same.body.metadata.creationTimestamp)
    const more = await ask(transport, `PATCH ${line}?fieldManager=maker`, { body: { data: { b: '2' } } })
    t.not(more.body.metadata.managedFields[0].time, more.body.metadata.creationTimestamp)
  })

  test(`${name}: the status has managers of its own`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${containers}?fieldManager=maker`, { body: container('web') })
    const report = (restartCount: number) =>
      ask(transport, `PATCH ${containers}/web/status?fieldManager=agent`, {
        body: { status: { phase: 'Running', restartCount }, metadata: { managedFields: [] } },
      })
    const first = (await report(1)).body
    t.deepEqual(managers(first).sort(), ['agent/Update/status', 'maker/Update'])
    t.deepEqual(Object.keys(fieldsOf(first, 'agent')), ['f:status'])
    const second = (await report(2)).body
    t.deepEqual(second.metadata.managedFields, first.metadata.managedFields)
    t.not(second.metadata.resourceVersion, first.metadata.resourceVersion)
    const cleared = await ask(transport, `PATCH ${containers}/web/status?fieldManager=x`, {
      body: { status: null },
    })
    t.deepEqual(managers(cleared.body), ['maker/Update'])
  })

  test(`${name}: of more than ten updaters the oldest become one`, async (t) => {
    const { transport } = await open(t)
    await created(transport, { a: '1' })
    for (let index = 0; index < 12; index++) {
      const body = { data: { [`k${index}`]: 'x' } }
      t.is((await ask(transport, `PATCH ${line}?fieldManager=m${index}`, { body })).status, 200)
    }
    const { body } = await ask(transport, `GET ${line}`)
    t.is(body.metadata.managedFields.length, 10)
    t.true(managers(body).includes('ancient-changes/Update'))
    const keys = body.metadata.managedFields.flatMap((entry: { fieldsV1: { 'f:data': object } }) =>
      Object.keys(entry.fieldsV1['f:data']).filter((key) => key !== '.'),
    )
    t.deepEqual(
      keys.sort(),
      Object.keys(body.data)
        .map((key) => `f:${key}`)
        .sort(),
    )
  })
}

function naming(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: without a name the program of the User-Agent manages`, async (t) => {
    const { transport } = await open(t)
    const headers = { 'user-agent': 'my-tool/v1.2 (linux/amd64)' }
    const { body } = await ask(transport, `POST ${configMaps}`, { body: configMap('c'), headers })
    t.deepEqual(managers(body), ['my-tool/Update'])
  })

  test(`${name}: a manager's name is short and printable`, async (t) => {
    const { transport } = await open(t)
    const post = (manager: string) =>
      ask(transport, `POST ${configMaps}?fieldManager=${encodeURIComponent(manager)}`, {
        body: configMap('c'),
      })
    const long = await post('x'.repeat(129))
    t.is(long.status, 422)
    t.is(
      long.body.message,
      'CreateOptions.meta.k8s.io "" is invalid: fieldManager: Too long: may not be more than 128 bytes',
    )
    const bell = await post('a\u0007')
    t.is(bell.status, 422)
    t.regex(bell.body.message, /invalid character U\+0007 \(at position 1\)$/)
    t.is((await post('x'.repeat(128))).status, 201)
  })
}

function writingFields(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: managers that are sent take the place of those that are there, and an empty list forgets them`, async (t) => {
    const { transport } = await open(t)
    const before = await created(transport, { a: '1' })
    const entry = {
      manager: 'sent',
      operation: 'Apply',
      apiVersion: 'v1',
      time: '2026-01-01T00:00:00.000Z',
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { 'f:a': {} } },
    }
    const replaced = await ask(transport, `PATCH ${line}`, {
      headers: json,
      body: [
        { op: 'replace', path: '/metadata/managedFields', value: [entry] },
        { op: 'replace', path: '/metadata/resourceVersion', value: before.metadata.resourceVersion },
      ],
    })
    t.is(replaced.status, 200)
    t.deepEqual(replaced.body.metadata.managedFields, [{ ...entry, time: '2026-01-01T00:00:00Z' }])
    for (const reset of [[], [{}]]) {
      await ask(transport, `PATCH ${line}`, { body: { metadata: { managedFields: [entry] } } })
      const { body } = await ask(transport, `PATCH ${line}`, { body: { metadata: { managedFields: reset } } })
      t.is(body.metadata.managedFields, undefined)
      const later = await ask(transport, `PATCH ${line}`, { body: { data: { [`z${reset.length}`]: 'x' } } })
      t.is(later.body.metadata.managedFields, undefined)
    }
  })

  test(`${name}: malformed managers answer 422 and say where`, async (t) => {
    const { transport } = await open(t)
    const before = await created(transport, { a: '1' })
    const entry = {
      manager: 'm',
      operation: 'Update',
      apiVersion: 'v1',
      fieldsType: 'FieldsV1',
      fieldsV1: {},
    }
    const wrong: readonly (readonly [object, RegExp])[] = [
      [{ ...entry, operation: 'Random' }, /managedFields\[0\]\.operation: .*must be `Apply` or `Update`/],
      [{ ...entry, fieldsType: 'FieldsV2' }, /managedFields\[0\]\.fieldsType: .*must be `FieldsV1`/],
      [{ ...entry, fieldsV1: { data: {} } }, /managedFields\[0\]\.fieldsV1: /],
      [{ ...entry, time: 'soon' }, /managedFields\[0\]\.time: /],
      [{ ...entry, manager: 'x'.repeat(129) }, /managedFields\[0\]\.manager: Too long/],
      [{ ...entry, apiVersion: '' }, /managedFields\[0\]\.apiVersion: /],
    ]
    for (const [sent, message] of wrong) {
      const { status, body } = await ask(transport, `PATCH ${line}`, {
        body: { metadata: { managedFields: [sent] } },
      })
      t.is(status, 422)
      t.regex(body.message, message)
    }
    t.deepEqual((await ask(transport, `GET ${line}`)).body, before)
  })
}
