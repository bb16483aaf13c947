import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ApiRequest, Handler } from '#pkg/apimachinery/transport.ts'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { type ConfigMap, configMapKind } from '#pkg/apis/core.ts'
import { admin, ask, startTestServer } from '#test/helpers/apiserver.ts'
import { NamedObjects } from './named.ts'
import { Client } from './rest.ts'

const maps = '/api/v1/namespaces/default/configmaps'

/** Copies of ConfigMaps of a whole server, which may refuse to answer. */
async function start(t: ExecutionContext, mostWatches?: number) {
  const { server, close } = await startTestServer()
  const clock = new ManualClock()
  const asked: ApiRequest[] = []
  const world = { refuse: undefined as StatusError | undefined }
  const handler: Handler = async (request, user) => {
    asked.push(request)
    if (world.refuse === undefined) return server.handler(request, user)
    const status = world.refuse.toStatus()
    return { status: status.code, headers: {}, body: JSON.stringify(status) }
  }
  const changes: string[] = []
  const named = new NamedObjects<ConfigMap>({
    client: new Client(inProcess(handler, admin), 'test'),
    kind: configMapKind,
    ambient: { clock, random: seededRandom(1), log: silentLogger },
    onChange: (key) => changes.push(key),
    ...(mostWatches !== undefined && { mostWatches }),
  })
  const stop = new AbortController()
  const running = named.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await running
    await close()
  })
  const root = inProcess(server.handler, admin)
  const put = async (name: string, value: string) => {
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { value } }
    const { status } = await ask(root, `PUT ${maps}/${name}`, { body })
    if (status === 404) await ask(root, `POST ${maps}`, { body })
  }
  const remove = (name: string) => ask(root, `DELETE ${maps}/${name}`)
  const settle = async (ms = 0) => {
    for (let turn = 0; turn < 20; turn++) await clock.advance(turn === 0 ? ms : 0)
  }
  const watching = () =>
    asked.filter(({ query, signal }) => query.get('watch') === 'true' && !signal.aborted).length
  const want = (...names: string[]) => named.want(new Set(names.map((name) => `default/${name}`)))
  const value = (name: string) => named.get(`default/${name}`)?.data?.['value']
  return { named, want, value, put, remove, settle, watching, changes, asked, world, stop, running }
}

test('what is wanted is asked for by its name, followed, and let go when it is not wanted any more', async (t) => {
  const { want, value, put, remove, settle, watching, changes, asked, named } = await start(t)
  await put('a', '1')
  want('a', 'b')
  t.true(named.isLoading('default/a'))
  await settle()
  t.deepEqual(
    asked.slice(0, 2).map(({ path, query }) => `${path}?${query.get('fieldSelector')}`),
    [`${maps}?metadata.name=a`, `${maps}?metadata.name=b`],
  )
  t.deepEqual([value('a'), value('b')], ['1', undefined])
  t.false(named.isLoading('default/b'))
  t.deepEqual(changes.splice(0).toSorted(), ['default/a', 'default/b'])
  await put('b', '2')
  await put('a', '3')
  await settle()
  t.deepEqual([value('a'), value('b')], ['3', '2'])
  await remove('b')
  await settle()
  t.is(value('b'), undefined)
  t.is(watching(), 2)
  want('b')
  await settle()
  t.is(watching(), 1)
  t.is(value('a'), undefined)
  t.deepEqual([...named.list()], [])
})

test('a refusal is as if there were none, and is tried again', async (t) => {
  const { want, value, put, settle, changes, world, named } = await start(t)
  await put('a', '1')
  world.refuse = new StatusError('Forbidden', 'no relationship found')
  want('a')
  await settle()
  t.false(named.isLoading('default/a'))
  t.is(value('a'), undefined)
  t.deepEqual(changes, ['default/a'])
  world.refuse = undefined
  await settle(1000)
  t.is(value('a'), '1')
})

test('a server that cannot answer has not said that there is none', async (t) => {
  const { want, value, put, settle, world, named } = await start(t)
  await put('a', '1')
  world.refuse = new StatusError('ServiceUnavailable', 'away')
  want('a')
  await settle()
  t.true(named.isLoading('default/a'))
  world.refuse = undefined
  await settle(1000)
  t.is(value('a'), '1')
})

test('beyond the bound objects are read, again and again, and watched when there is room', async (t) => {
  const { want, value, put, settle, watching, asked } = await start(t, 1)
  for (const name of ['a', 'b', 'c']) await put(name, '1')
  want('a', 'b', 'c')
  await settle()
  t.deepEqual([value('a'), value('b'), value('c')], ['1', '1', '1'])
  t.is(watching(), 1)
  await put('b', '2')
  await settle()
  t.is(value('b'), '1')
  await settle(40_000)
  t.is(value('b'), '2')
  want('b', 'c')
  await settle()
  t.is(watching(), 1)
  t.is(value('b'), '2')
  t.is(
    asked.filter(({ query, signal }) => query.get('fieldSelector') === 'metadata.name=b' && !signal.aborted)
      .length,
    2,
  )
})

test('it ends when its signal does, and asks for nothing afterwards', async (t) => {
  const { want, settle, stop, running, asked } = await start(t)
  want('a')
  await settle()
  stop.abort()
  await running
  const { length } = asked
  want('b')
  await settle()
  t.is(asked.length, length)
})

test('what an earlier run was told counts until the server answers anew', async (t) => {
  const { named, want, value, put, settle, world, changes } = await start(t)
  await put('a', '2')
  await put('late', '1')
  const old = (name: string, text: string): ConfigMap => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name, uid: name, resourceVersion: '1' },
    data: { value: text },
  })
  named.seed(
    new Map([
      ['default/a', old('a', '1')],
      ['default/gone', old('gone', '1')],
      ['default/late', undefined],
    ]),
  )
  world.refuse = new StatusError('ServiceUnavailable', 'away')
  want('a', 'gone', 'late', 'never')
  await settle()
  t.deepEqual([value('a'), value('gone'), value('late')], ['1', '1', undefined])
  const keys = ['a', 'gone', 'late', 'never'].map((name) => `default/${name}`)
  t.deepEqual(
    keys.map((key) => named.isLoading(key)),
    [false, false, false, true],
  )
  t.deepEqual(
    keys.map((key) => named.isOld(key)),
    [true, true, true, false],
  )
  t.deepEqual([...named.answers().keys()], keys.slice(0, 3))
  t.deepEqual(changes, [])
  world.refuse = undefined
  named.retryNow()
  await settle()
  t.deepEqual([value('a'), value('gone'), value('late')], ['2', undefined, '1'])
  t.deepEqual(
    keys.map((key) => named.isOld(key)),
    [false, false, false, false],
  )
  t.deepEqual(changes.toSorted(), keys)
})

test('a refusal of what is in hand does not take it away', async (t) => {
  const { named, want, value, settle, world } = await start(t)
  const metadata = { namespace: 'default', name: 'a', uid: 'a' }
  named.seed(
    new Map([['default/a', { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: '1' } }]]),
  )
  world.refuse = new StatusError('Forbidden', 'no relationship found')
  want('a')
  await settle()
  t.is(value('a'), '1')
  t.false(named.isOld('default/a'))
  world.refuse = undefined
  await settle(1000)
  t.is(value('a'), undefined)
})

test('what was answered while it was only read now and then is not forgotten when it begins to be watched', async (t) => {
  const { want, value, put, settle, world, named } = await start(t, 1)
  await put('a', '1')
  await put('b', '2')
  want('a', 'b')
  await settle()
  world.refuse = new StatusError('ServiceUnavailable', 'away')
  want('b')
  t.is(value('b'), '2')
  t.false(named.isLoading('default/b'))
})
