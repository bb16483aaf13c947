/** Patches of all kinds. */
import type { TestFn } from 'ava'
import { ask } from '#test/helpers/apiserver.ts'
import type { OpenApi } from './apiserver.factory.ts'
import { configMap, configMaps, container, containers } from './apiserver.objects.ts'

const json = { 'content-type': 'application/json-patch+json' }
const strategic = { 'content-type': 'application/strategic-merge-patch+json' }

export function patching(test: TestFn, name: string, open: OpenApi): void {
  test(`${name}: a merge patch sets, removes and keeps`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1', b: '2' }) })
    const { status, body } = await ask(transport, `PATCH ${configMaps}/c`, {
      body: { data: { a: null, c: '3' } },
    })
    t.is(status, 200)
    t.deepEqual(body.data, { b: '2', c: '3' })
  })

  test(`${name}: a resourceVersion inside a patch locks it`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${configMaps}`, { body: configMap('c') })).body
    const { resourceVersion } = first.metadata
    const body = { metadata: { resourceVersion }, data: { a: '1' } }
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body })).status, 200)
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body: { ...body, data: { a: '2' } } })).status, 409)
  })

  test(`${name}: a JSON patch that does not fit answers 422 and changes nothing`, async (t) => {
    const { transport } = await open(t)
    const first = (await ask(transport, `POST ${configMaps}`, { body: configMap('c', { a: '1' }) })).body
    const patch = (...body: object[]) => ask(transport, `PATCH ${configMaps}/c`, { body, headers: json })
    const test1 = await patch({ op: 'test', path: '/data/a', value: '2' }, { op: 'remove', path: '/data/a' })
    t.is(test1.status, 422)
    t.is(test1.body.reason, 'Invalid')
    t.is((await patch({ op: 'remove', path: '/data/zzz' })).status, 422)
    t.is((await patch({ op: 'add', path: '/nope/zzz', value: 1 })).status, 422)
    t.is((await patch({ op: 'add', path: '/__proto__/x', value: 1 })).status, 422)
    t.is((await patch({ op: 'explode', path: '/data/a' })).status, 400)
    t.is((await patch({ op: 'add', path: '/data/a' })).status, 400)
    t.deepEqual((await ask(transport, `GET ${configMaps}/c`)).body, first)
    const done = await patch(
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'add', path: '/data/b', value: '2' },
      { op: 'remove', path: '/data/a' },
    )
    t.deepEqual(done.body.data, { b: '2' })
  })

  test(`${name}: a strategic merge patch merges lists by their key and obeys its directives`, async (t) => {
    const { transport } = await open(t)
    const env = [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ]
    await ask(transport, `POST ${containers}`, { body: container('web', { env }) })
    const patch = {
      spec: {
        env: [
          { name: 'C', value: '3' },
          { name: 'B', $patch: 'delete' },
          { name: 'A', value: '9' },
        ],
        '$setElementOrder/env': [{ name: 'C' }, { name: 'A' }],
      },
    }
    const { status, body } = await ask(transport, `PATCH ${containers}/web`, {
      body: patch,
      headers: strategic,
    })
    t.is(status, 200)
    t.deepEqual(body.spec.env, [
      { name: 'C', value: '3' },
      { name: 'A', value: '9' },
    ])
  })

  test(`${name}: another media type answers 415 with the accepted ones`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const { status, body } = await ask(transport, `PATCH ${configMaps}/c`, {
      body: {},
      headers: { 'content-type': 'application/xml' },
    })
    t.is(status, 415)
    t.regex(
      body.message,
      /application\/json-patch\+json, application\/merge-patch\+json, application\/strategic-merge-patch\+json, application\/apply-patch\+yaml$/,
    )
  })

  test(`${name}: a patch may not change what the object is`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body: { kind: 'Secret' } })).status, 422)
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body: { metadata: { name: 'd' } } })).status, 400)
    t.is((await ask(transport, `PATCH ${configMaps}/missing`, { body: {} })).status, 404)
    t.is((await ask(transport, `PATCH ${configMaps}/c`, { body: '[]' })).status, 400)
  })

  test(`${name}: no update is lost among 32 concurrent patchers, and each reads its own`, async (t) => {
    const { transport } = await open(t)
    await ask(transport, `POST ${configMaps}`, { body: configMap('c') })
    const patch = async (writer: number) => {
      const patched = await ask(transport, `PATCH ${configMaps}/c`, {
        body: { data: { [`w${writer}`]: 'x' } },
      })
      t.is(patched.status, 200)
      const read = await ask(transport, `GET ${configMaps}/c`)
      t.is(read.body.data[`w${writer}`], 'x')
      const listed = await ask(transport, `GET ${configMaps}`)
      t.is(listed.body.items[0].data[`w${writer}`], 'x')
    }
    await Promise.all(Array.from({ length: 32 }, (_, writer) => patch(writer)))
    t.is(Object.keys((await ask(transport, `GET ${configMaps}/c`)).body.data).length, 32)
  })
}
