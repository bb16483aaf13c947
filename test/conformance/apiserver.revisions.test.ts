/** ControllerRevision as Kubernetes' apps/v1 has it. */
import test, { type ExecutionContext } from 'ava'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'

const path = '/apis/apps/v1/namespaces/default/controllerrevisions'
const owner = { apiVersion: 'cove.run/v1', kind: 'Container', name: 'web', uid: 'u', controller: true }
const data = {
  spec: { image: 'app:1', env: [{ name: 'A', value: '1' }], anything: { at: ['all', 1, null] } },
}

function revision(name: string, more: object = {}) {
  return {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: { name, ownerReferences: [owner] },
    data,
    revision: 1,
    ...more,
  }
}

async function open(t: ExecutionContext) {
  const { transport, close } = await startTestServer()
  t.teardown(close)
  return (line: string, body?: unknown, contentType = 'application/merge-patch+json') =>
    ask(transport, line, {
      ...(body !== undefined && { body }),
      ...(line.startsWith('PATCH') && { headers: { 'content-type': contentType } }),
    })
}

test('what a revision keeps is of any form, and comes back as it was', async (t) => {
  const call = await open(t)
  t.is((await call(`POST ${path}`, revision('web-1'))).status, 201)
  const { body } = await call(`GET ${path}/web-1`)
  t.deepEqual(body.data, data)
  t.is(body.revision, 1)
  t.is(body.metadata.generation, undefined)
})

test('its number may change and what it keeps may not, by whatever kind of write', async (t) => {
  const call = await open(t)
  await call(`POST ${path}`, revision('web-1'))
  t.is((await call(`PATCH ${path}/web-1`, { revision: 7 })).body.revision, 7)
  t.is((await call(`PATCH ${path}/web-1`, { metadata: { labels: { a: 'b' } } })).status, 200)
  const changed = { ...data, more: true }
  const writes = [
    await call(`PATCH ${path}/web-1`, { data: changed }),
    await call(`PATCH ${path}/web-1`, { data: null }),
    await call(`PUT ${path}/web-1`, revision('web-1', { data: changed })),
    await call(`PATCH ${path}/web-1`, [{ op: 'remove', path: '/data/spec' }], 'application/json-patch+json'),
  ]
  for (const { status, body } of writes) {
    t.is(status, 422)
    t.regex(body.message, /data: .*field is immutable/)
  }
  t.deepEqual((await call(`GET ${path}/web-1`)).body.data, data)
})

test('a revision without a number, or with one below zero, is refused', async (t) => {
  const call = await open(t)
  const { revision: _, ...none } = revision('web-1')
  t.is((await call(`POST ${path}`, none)).status, 422)
  t.is((await call(`POST ${path}`, revision('web-1', { revision: -1 }))).status, 422)
})
