import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { ApiResponse } from '#pkg/apimachinery/transport.ts'
import { configMapKind } from '#pkg/apis/core.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { ScriptedTransport } from '#test/helpers/script.ts'
import { Client } from './rest.ts'

const signal = new AbortController().signal
const conf = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'shop', name: 'conf' } } as const

/** A client whose every request gets this answer. */
function answering(status: number, body: ApiResponse['body']): Client {
  return new Client(async () => ({ status, headers: {}, body }), 'test')
}

test('each verb asks the path of the kind, and writes say who writes', async (t) => {
  const server = new ScriptedTransport()
  const client = new Client(server.transport, 'me')
  const name = { namespace: 'shop', name: 'conf' }
  const all = '/api/v1/namespaces/shop/configmaps'
  const asked: readonly (readonly [() => Promise<unknown>, string, string | undefined])[] = [
    [() => client.get(configMapKind, name, signal), `GET ${all}/conf?`, undefined],
    [
      () => client.list(configMapKind, { fieldSelector: 'a=b' }, signal),
      'GET /api/v1/configmaps?fieldSelector=a%3Db',
      undefined,
    ],
    [() => client.create(configMapKind, conf, signal), `POST ${all}?fieldManager=me`, 'application/json'],
    [() => client.update(configMapKind, conf, signal), `PUT ${all}/conf?fieldManager=me`, 'application/json'],
    [
      () => client.patch(nodeKind, { name: 'n1', subresource: 'status' }, { status: {} }, signal),
      'PATCH /apis/cove.run/v1/nodes/n1/status?fieldManager=me',
      'application/merge-patch+json',
    ],
    [
      () => client.delete(configMapKind, { ...name, uid: 'u' }, signal),
      `DELETE ${all}/conf?fieldManager=me`,
      'application/json',
    ],
  ]
  for (const [ask, line, mediaType] of asked) {
    const pending = ask()
    const { line: found, request, answer } = await server.next()
    t.is(found, line)
    t.is(request.headers['content-type'], mediaType)
    if (line.startsWith('DELETE')) t.is(request.body, '{"preconditions":{"uid":"u"}}')
    answer({ ...conf, metadata: { resourceVersion: '7' }, items: [] })
    await pending
  }
})

test('a failed answer becomes the error that it tells', async (t) => {
  const get = (client: Client) => client.get(configMapKind, conf.metadata, signal)
  const status = {
    kind: 'Status',
    code: 409,
    reason: 'Conflict',
    message: 'it moved',
    details: { name: 'conf' },
  }
  const error = await t.throwsAsync(get(answering(409, JSON.stringify(status))), { message: 'it moved' })
  t.true(isReason(error, 'Conflict'))
  const proxy = await t.throwsAsync(get(answering(502, '<html>Bad gateway</html>')))
  t.true(isReason(proxy, 'InternalError'))
  t.regex(proxy?.message ?? '', /answered 502: <html>Bad gateway/)
  t.true(isReason(await t.throwsAsync(get(answering(404, '{}'))), 'NotFound'))
  t.true(isReason(await t.throwsAsync(get(answering(200, 'no JSON'))), 'InternalError'))
  t.true(isReason(await t.throwsAsync(get(answering(200, '[]'))), 'BadRequest'))
  const list = answering(200, '{}').list(configMapKind, {}, signal)
  t.true(isReason(await t.throwsAsync(list), 'BadRequest'))
})

test('a watch gives events and bookmarks, and throws the error that the server sends', async (t) => {
  const events = [
    { type: 'ADDED', object: conf },
    { type: 'BOOKMARK', object: { metadata: { resourceVersion: '8' } } },
    { type: 'DELETED', object: conf },
    { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } },
  ]
  const body = events.map((event) => `${JSON.stringify(event)}\n`).join('\n')
  const watch = answering(200, body).watch(configMapKind, { resourceVersion: '1' }, signal)
  const seen: unknown[] = []
  const error = await t.throwsAsync(async () => {
    for await (const event of watch) seen.push(event)
  })
  t.true(isReason(error, 'Expired'))
  t.deepEqual(seen, [events[0], { type: 'BOOKMARK', resourceVersion: '8' }, events[2]])
  for (const line of ['{"type":"NEWS"}', '[]', 'no JSON', '{"type":"ADDED","object":1}']) {
    const broken = answering(200, line).watch(configMapKind, { resourceVersion: '1' }, signal)
    await t.throwsAsync(Array.fromAsync(broken), undefined, line)
  }
})
