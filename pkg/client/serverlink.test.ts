import test, { type ExecutionContext } from 'ava'
import { ManualClock, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { configMapKind, secretKind } from '#pkg/apis/core.ts'
import { type Asked, ScriptedTransport } from '#test/helpers/script.ts'
import { Client } from './rest.ts'
import { ServerLink } from './serverlink.ts'

const signal = new AbortController().signal
const list = { items: [], metadata: { resourceVersion: '1' } }
const whose = 'GET /api/v1/namespaces/default?'

function make(expected?: string) {
  const server = new ScriptedTransport()
  const clock = new ManualClock()
  const told: string[] = []
  const say = (message: string) => void told.push(message)
  const link = new ServerLink({
    transport: server.transport,
    ambient: { clock, log: { ...silentLogger, info: say, warn: say, error: say } },
    advice: 'do this',
    onChange: () => told.push(link.isAway() ? 'away' : 'there'),
  })
  if (expected !== undefined) link.expect(expected)
  const client = new Client(link.transport, 'test')
  const answer = async (t: ExecutionContext, line: string, reply: (asked: Asked) => void) => {
    const asked = await server.next()
    t.is(asked.line, line)
    reply(asked)
  }
  const cluster = (uid: string) => (asked: Asked) => asked.answer({ metadata: { name: 'default', uid } })
  return { server, clock, told, link, client, answer, cluster }
}

test('before anything is asked it learns whose server this is, once for all who ask', async (t) => {
  const { link, client, answer, cluster, server, told } = make()
  const both = [client.list(secretKind, {}, signal), client.list(configMapKind, {}, signal)]
  await answer(t, whose, cluster('one'))
  await answer(t, 'GET /api/v1/secrets?', (asked) => asked.answer(list))
  await answer(t, 'GET /api/v1/configmaps?', (asked) => asked.answer(list))
  await Promise.all(both)
  t.is(link.clusterID, 'one')
  t.deepEqual(told, ['there'])
  t.is(server.waiting, 0)
})

test('a server of another cluster is sent nothing, and the way out is told once', async (t) => {
  const { client, answer, cluster, server, told, link } = make('one')
  for (let turn = 0; turn < 2; turn++) {
    const asked = client.list(secretKind, {}, signal)
    await answer(t, whose, cluster('two'))
    await t.throwsAsync(asked, { message: /another cluster \(two\).*: do this$/ })
  }
  t.is(server.waiting, 0)
  t.is(link.clusterID, 'one')
  t.true(link.isAway())
  t.is(told.length, 2)
  // The right one comes back.
  const asked = client.list(secretKind, {}, signal)
  await answer(t, whose, cluster('one'))
  await answer(t, 'GET /api/v1/secrets?', (request) => request.answer(list))
  await asked
  t.deepEqual(told.slice(2), ['the server answers again', 'there'])
})

test('after a break, and after the end of a watch, it looks again whose server this is', async (t) => {
  const { client, answer, cluster, told } = make()
  const ask = () => client.list(secretKind, {}, signal)
  const first = ask()
  await answer(t, whose, cluster('one'))
  await answer(t, 'GET /api/v1/secrets?', (asked) => asked.fail(new StatusError('ServiceUnavailable', 'no')))
  await t.throwsAsync(first, { message: 'no' })
  t.deepEqual(told.splice(0), ['there', 'the server is away: this node goes on by itself', 'away'])
  const watch = Array.fromAsync(client.watch(secretKind, { resourceVersion: '1' }, signal))
  await answer(t, whose, cluster('one'))
  const watching = await (async () => {
    let stream: ReturnType<Asked['stream']> | undefined
    await answer(t, 'GET /api/v1/secrets?watch=true&allowWatchBookmarks=true&resourceVersion=1', (asked) => {
      stream = asked.stream()
    })
    return stream
  })()
  const second = ask()
  await answer(t, 'GET /api/v1/secrets?', (asked) => asked.answer(list))
  await second
  watching?.end()
  t.deepEqual(await watch, [])
  const third = ask()
  await answer(t, whose, cluster('one'))
  await answer(t, 'GET /api/v1/secrets?', (asked) => asked.answer(list))
  await third
  t.deepEqual(told, ['the server answers again', 'there'])
})

test('a refusal to say whose it is says nothing about what was asked', async (t) => {
  const { client, answer, link } = make('one')
  for (const [code, reason] of [
    [401, 'Unauthorized'],
    [403, 'Forbidden'],
    [404, 'NotFound'],
  ] as const) {
    const asked = client.list(secretKind, {}, signal)
    await answer(t, whose, (request) => request.answer({ kind: 'Status', code, reason, message: 'no' }, code))
    const error = await t.throwsAsync(asked, { instanceOf: StatusError })
    t.is(error.reason, 'ServiceUnavailable')
    t.true(link.isAway())
  }
})

test('a server that does not answer at all is away after half a minute, and nobody waits longer', async (t) => {
  const { client, clock, server, link } = make()
  const impatient = new AbortController()
  const gone = client.list(secretKind, {}, impatient.signal)
  const patient = client.list(configMapKind, {}, signal)
  await server.next()
  impatient.abort(new Error('enough'))
  await t.throwsAsync(gone, { message: 'enough' })
  t.false(link.isAway())
  await Promise.all([t.throwsAsync(patient, { message: /not answered within 30 s/ }), clock.advance(30_000)])
  t.true(link.isAway())
})
