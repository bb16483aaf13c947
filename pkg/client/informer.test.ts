import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { type ConfigMap, configMapKind } from '#pkg/apis/core.ts'
import { ScriptedTransport } from '#test/helpers/script.ts'
import { Informer, type InformerOptions } from './informer.ts'
import { Client } from './rest.ts'

function map(name: string, resourceVersion: string, uid = name): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'default', name, uid, resourceVersion },
  }
}

function list(resourceVersion: string, ...items: ConfigMap[]) {
  return { kind: 'ConfigMapList', metadata: { resourceVersion }, items }
}

const expired = new StatusError('Expired', 'too old').toStatus()

function start(t: ExecutionContext, options: Pick<InformerOptions<ConfigMap>, 'matters' | 'keep'> = {}) {
  const clock = new ManualClock()
  const server = new ScriptedTransport()
  const changes: string[] = []
  const controller = new AbortController()
  const informer = new Informer<ConfigMap>({
    client: new Client(server.transport, 'test'),
    kind: configMapKind,
    ambient: { clock, random: seededRandom(1), log: silentLogger },
    select: { labelSelector: 'a=b' },
    ...options,
    onChange: (key) => changes.push(key),
  })
  const running = informer.run(controller.signal)
  t.teardown(async () => {
    controller.abort()
    await running
  })
  const names = () => [...informer.list()].map(({ metadata }) => metadata.name).sort()
  return { clock, server, changes, informer, controller, running, names }
}

/** The revision that a watch starts from. */
function from(asked: { request: { query: URLSearchParams } }): string | null {
  return asked.request.query.get('resourceVersion')
}

test('the copy is what was listed, then what the watch says; both with the selector', async (t) => {
  const { server, changes, informer, controller, names, clock } = start(t)
  const first = await server.next()
  t.is(first.request.query.get('labelSelector'), 'a=b')
  first.answer(list('5', map('a', '3'), map('b', '4')))
  await informer.synced(controller.signal)
  t.deepEqual(changes.splice(0), ['default/a', 'default/b'])
  const asked = await server.next()
  t.deepEqual(
    ['watch', 'allowWatchBookmarks', 'resourceVersion', 'labelSelector'].map((name) =>
      asked.request.query.get(name),
    ),
    ['true', 'true', '5', 'a=b'],
  )
  const watch = asked.stream()
  watch.send({ type: 'ADDED', object: map('c', '6') })
  watch.send({ type: 'MODIFIED', object: map('a', '7') })
  watch.send({ type: 'DELETED', object: map('b', '8') })
  await clock.advance(0)
  t.deepEqual(changes, ['default/c', 'default/a', 'default/b'])
  t.deepEqual(names(), ['a', 'c'])
  t.is(informer.get('default/a')?.metadata.resourceVersion, '7')
})

test('the copy leaves out who manages which field', async (t) => {
  const { server, informer, controller, clock } = start(t)
  const managed = (name: string, resourceVersion: string): ConfigMap => {
    const { metadata, ...rest } = map(name, resourceVersion)
    return { ...rest, metadata: { ...metadata, managedFields: [] } }
  }
  ;(await server.next()).answer(list('5', managed('a', '3')))
  await informer.synced(controller.signal)
  const watch = (await server.next()).stream()
  watch.send({ type: 'ADDED', object: managed('b', '6') })
  await clock.advance(0)
  for (const key of ['default/a', 'default/b']) {
    t.deepEqual(Object.keys(informer.get(key)?.metadata ?? {}).includes('managedFields'), false)
  }
})

test('what is not to be kept is as if there were none, until it changes into what is', async (t) => {
  const keep = ({ data }: ConfigMap) => data?.['keep'] === 'yes'
  const { server, changes, informer, controller, names, clock } = start(t, { keep })
  const kept = (name: string, resourceVersion: string) => ({
    ...map(name, resourceVersion),
    data: { keep: 'yes' },
  })
  ;(await server.next()).answer(list('5', map('a', '3'), kept('b', '4')))
  await informer.synced(controller.signal)
  t.deepEqual([names(), changes.splice(0)], [['b'], ['default/b']])
  const watch = (await server.next()).stream()
  watch.send({ type: 'MODIFIED', object: map('a', '6') })
  watch.send({ type: 'DELETED', object: map('a', '7') })
  watch.send({ type: 'ADDED', object: map('c', '8') })
  await clock.advance(0)
  t.deepEqual([names(), changes.splice(0)], [['b'], []])
  watch.send({ type: 'MODIFIED', object: kept('c', '9') })
  watch.send({ type: 'MODIFIED', object: map('b', '10') })
  await clock.advance(0)
  t.deepEqual([names(), changes.splice(0)], [['c'], ['default/c', 'default/b']])
  watch.send({ type: 'ERROR', object: expired })
  ;(await server.next()).answer(list('20', map('b', '10'), map('c', '12')))
  await server.next()
  t.deepEqual([names(), changes], [[], ['default/c']])
})

test('a watch that ends goes on from the last event or bookmark', async (t) => {
  const { server, clock } = start(t)
  ;(await server.next()).answer(list('5'))
  const first = (await server.next()).stream()
  first.send({ type: 'ADDED', object: map('a', '6') })
  first.send({ type: 'BOOKMARK', object: { metadata: { resourceVersion: '9' } } })
  await clock.advance(1000)
  first.end()
  t.is(from(await server.next()), '9')
})

test('an expired revision is listed anew at once; only what changed is told', async (t) => {
  const { server, changes, names, clock } = start(t)
  ;(await server.next()).answer(
    list('5', map('same', '1'), map('old', '2'), map('gone', '3'), map('twin', '4')),
  )
  const watch = (await server.next()).stream()
  await clock.advance(0)
  changes.splice(0)
  watch.send({ type: 'ERROR', object: expired })
  const again = await server.next()
  t.is(from(again), null)
  again.answer(list('20', map('same', '1'), map('old', '12'), map('twin', '4', 'another'), map('new', '13')))
  t.is(from(await server.next()), '20')
  t.deepEqual(changes, ['default/gone', 'default/old', 'default/twin', 'default/new'])
  t.deepEqual(names(), ['new', 'old', 'same', 'twin'])
})

test('a break is tried again from where it was, after pauses that grow', async (t) => {
  const { server, clock } = start(t)
  ;(await server.next()).answer(list('5'))
  const pauses: number[] = []
  for (let turn = 0; turn < 9; turn++) {
    const asked = await server.next()
    t.is(from(asked), '5', 'nothing is listed again')
    asked.fail(new Error('connection reset'))
    await clock.advance(0)
    const next = clock.nextTimer()
    pauses.push((next ?? Number.NaN) - clock.now())
    t.is(server.waiting, 0)
    await clock.advance(pauses.at(-1) ?? 0)
  }
  const nominal = [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]
  for (const [turn, most] of nominal.entries()) {
    const pause = pauses[turn] ?? Number.NaN
    t.true(pause >= most * 0.75 && pause <= most * 1.25, `pause ${turn}: ${pause}`)
  }
})

test('what works again is forgiven', async (t) => {
  const { server, clock } = start(t)
  const failOnce = async () => {
    ;(await server.next()).fail(new Error('connection reset'))
    await clock.advance(0)
    const pause = (clock.nextTimer() ?? Number.NaN) - clock.now()
    await clock.advance(pause)
    return pause
  }
  await failOnce()
  await failOnce()
  ;(await server.next()).answer(list('5'))
  const watch = (await server.next()).stream()
  watch.send({ type: 'ADDED', object: map('a', '6') })
  await clock.advance(2000)
  watch.end()
  t.true((await failOnce()) <= 625)
})

test('an expiry that follows failures to connect is the first one: it is listed at once', async (t) => {
  const { server, clock, names } = start(t)
  ;(await server.next()).answer(list('5', map('old', '2')))
  const failOnce = async () => {
    ;(await server.next()).fail(new Error('connection refused'))
    await clock.advance(0)
    const pause = (clock.nextTimer() ?? Number.NaN) - clock.now()
    await clock.advance(pause)
    return pause
  }
  for (let turn = 0; turn < 5; turn++) await failOnce()
  const before = clock.now()
  ;(await server.next()).answer(expired, 410)
  const again = await server.next()
  t.is(from(again), null)
  t.is(clock.now(), before)
  again.answer(list('20', map('new', '12')))
  t.is(from(await server.next()), '20')
  t.deepEqual(names(), ['new'])
})

test('after an expiry the failures to connect are counted anew', async (t) => {
  const { server, clock } = start(t)
  ;(await server.next()).answer(list('5'))
  const pauseAfter = async (fail: () => Promise<void>) => {
    await fail()
    await clock.advance(0)
    const pause = (clock.nextTimer() ?? Number.NaN) - clock.now()
    await clock.advance(pause)
    return pause
  }
  const refuse = async () => (await server.next()).fail(new Error('connection refused'))
  for (let turn = 0; turn < 5; turn++) await pauseAfter(refuse)
  ;(await server.next()).answer(expired, 410)
  t.true((await pauseAfter(refuse)) <= 1250)
})

test('a server that ends every watch at once, or expires every revision, is not asked in a rush', async (t) => {
  const { server, clock } = start(t)
  ;(await server.next()).answer(list('5'))
  ;(await server.next()).stream().end()
  await clock.advance(0)
  t.is(server.waiting, 0)
  await clock.advance(1000)
  ;(await server.next()).answer(expired, 410)
  ;(await server.next()).answer(list('6'))
  for (let turn = 0; turn < 3; turn++) {
    ;(await server.next()).answer(expired, 410)
    await clock.advance(0)
    t.is(server.waiting, 0, 'it waits')
    await clock.advance(40_000)
    ;(await server.next()).answer(list(String(turn)))
  }
})

test('it is synced after the first list, or when it is told to stop', async (t) => {
  const { informer, controller, running, server } = start(t)
  await server.next()
  controller.abort()
  await informer.synced(controller.signal)
  await running
  t.deepEqual([...informer.list()], [])
})

test('a change that does not matter is shown and not told', async (t) => {
  const matters = (before: ConfigMap, after: ConfigMap) => before.data?.['a'] !== after.data?.['a']
  const { server, changes, informer, clock } = start(t, { matters })
  ;(await server.next()).answer(list('5', map('a', '3')))
  const watch = (await server.next()).stream()
  await clock.advance(0)
  changes.splice(0)
  watch.send({ type: 'MODIFIED', object: map('a', '7') })
  await clock.advance(0)
  t.deepEqual(changes, [])
  t.is(informer.get('default/a')?.metadata.resourceVersion, '7')
  watch.send({ type: 'MODIFIED', object: { ...map('a', '8'), data: { a: 'b' } } })
  watch.send({ type: 'DELETED', object: map('a', '9') })
  await clock.advance(0)
  t.deepEqual(changes, ['default/a', 'default/a'])
})

test('what an earlier run has seen is there until the first list, which tells only what is different', async (t) => {
  const clock = new ManualClock()
  const server = new ScriptedTransport()
  const changes: string[] = []
  const controller = new AbortController()
  const informer = new Informer<ConfigMap>({
    client: new Client(server.transport, 'test'),
    kind: configMapKind,
    ambient: { clock, random: seededRandom(1), log: silentLogger },
    onChange: (key) => changes.push(key),
  })
  informer.seed([map('a', '1'), map('b', '1'), map('c', '1')])
  const running = informer.run(controller.signal)
  t.teardown(async () => {
    controller.abort()
    await running
  })
  ;(await server.next()).fail(new StatusError('ServiceUnavailable', 'away'))
  await clock.advance(0)
  t.false(informer.isComplete())
  t.is([...informer.list()].length, 3)
  // Time stands still: only the word that the server is back ends the pause.
  informer.retryNow()
  ;(await server.next()).answer(list('9', map('a', '1'), map('b', '2')))
  await informer.synced(controller.signal)
  t.true(informer.isComplete())
  t.deepEqual(changes, ['default/c', 'default/b'])
})
