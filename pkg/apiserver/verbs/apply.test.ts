import test from 'ava'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import type { Storage } from '#pkg/storage/port.ts'
import { admin, ask, startTestServer } from '#test/helpers/apiserver.ts'

const headers = { 'content-type': 'application/apply-patch+yaml' }
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data: { a: '1' } }
const line = '/api/v1/namespaces/default/configmaps'

test('who may patch but not create cannot make an object by applying it', async (t) => {
  const { transport, close } = await startTestServer({
    authorize: (_user, { verb }) => (verb === 'patch' || verb === 'get' ? undefined : 'no'),
  })
  t.teardown(close)
  const { status, body } = await ask(transport, `PATCH ${line}/c?fieldManager=me`, {
    headers,
    body: configMap,
  })
  t.is(status, 403)
  t.is(
    body.message,
    `configmaps "c" is forbidden: User "${admin.name}" cannot create resource "configmaps" in API group "" in the namespace "default": no`,
  )
  t.is((await ask(transport, `GET ${line}/c`)).status, 404)
})

test('an object made before managers were kept is applied to, and keeps what it had', async (t) => {
  const { transport, storage, close } = await startTestServer()
  t.teardown(close)
  const metadata = { name: 'old', namespace: 'default', uid: 'u', creationTimestamp: '2025-01-01T00:00:00Z' }
  const old = { ...configMap, metadata }
  await storage.create('/registry/core/configmaps/default/old', JSON.stringify(old))
  const path = `${line}/old`
  const patched = await ask(transport, `PATCH ${path}?fieldManager=x`, { body: { data: { b: '2' } } })
  t.is(patched.body.metadata.managedFields, undefined)
  const applied = await ask(transport, `PATCH ${path}?fieldManager=me`, {
    headers,
    body: { ...configMap, metadata: { name: 'old' }, data: { c: '3' } },
  })
  t.deepEqual(applied.body.data, { a: '1', b: '2', c: '3' })
  t.deepEqual(
    applied.body.metadata.managedFields.map(({ manager }: { manager: string }) => manager),
    ['me', 'before-first-apply'],
  )
})

test('an apply that lost the race for the name applies to what the winner made', async (t) => {
  const made = { ...configMap, metadata: { name: 'c', namespace: 'default', uid: 'u' }, data: { z: '9' } }
  const storage = openInProcessStorage()
  const key = '/registry/core/configmaps/default/c'
  const looks: string[] = []
  // The winner comes right after the applier has looked.
  const raced: Storage = new Proxy(storage, {
    get(target, member) {
      if (member === 'get') {
        return async (asked: string) => {
          const record = await target.get(asked)
          if (asked === key && looks.push(asked) === 1) await target.create(key, JSON.stringify(made))
          return record
        }
      }
      const value: unknown = Reflect.get(target, member, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const { transport, close } = await startTestServer({ storage: raced })
  t.teardown(close)
  const applied = await ask(transport, `PATCH ${line}/c?fieldManager=me`, { headers, body: configMap })
  t.is(applied.status, 200)
  t.deepEqual(applied.body.data, { a: '1', z: '9' })
  t.is(looks.length, 2)
})
