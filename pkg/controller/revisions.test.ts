/** The controller against the API. */
import test, { type ExecutionContext } from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, Transport } from '#pkg/apimachinery/transport.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { type ControllerRevision, controllerRevisionKind } from '#pkg/apis/controllerrevision.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { RevisionController } from './revisions.ts'

const noSignal = new AbortController().signal
const web = { namespace: 'a', name: 'web' }
const onNode = { finalizers: [nodeFinalizer('n1')] }

async function startWorld(t: ExecutionContext, metadata: object = onNode) {
  const server = await startTestServer()
  const ambient: Ambient = { clock: server.clock, random: seededRandom(2), log: silentLogger }
  const asked: string[] = []
  const counting: Transport = (request: ApiRequest) => {
    asked.push(`${request.method} ${request.path}`)
    return server.transport(request)
  }
  const client = new Client(server.transport, 'test')
  const start = () => {
    const abort = new AbortController()
    const running = new RevisionController({ client: new Client(counting, 'revisions'), ambient }).run(
      abort.signal,
    )
    return async () => {
      abort.abort()
      await running
    }
  }
  const settle = async () => {
    let [quiet, revision] = [0, -1]
    while (quiet < 4) {
      await server.clock.advance(200)
      quiet = revision === server.server.cache.revision ? quiet + 1 : 0
      revision = server.server.cache.revision
    }
  }
  await ask(server.transport, 'POST /api/v1/namespaces', {
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } },
  })
  const body = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { ...web, ...metadata },
    spec: { image: 'app:1' },
  }
  await ask(server.transport, 'POST /apis/cove.run/v1/namespaces/a/containers', { body })
  t.teardown(() => server.close())
  return {
    asked,
    start,
    settle,
    place: () => client.patch(containerKind, web, { metadata: onNode }, noSignal),
    patch: (spec: Record<string, unknown>) => client.patch(containerKind, web, { spec }, noSignal),
    report: (restartCount: number) =>
      client.patch(containerKind, { ...web, subresource: 'status' }, { status: { restartCount } }, noSignal),
    client,
    async revisions(): Promise<ControllerRevision[]> {
      const { items } = await client.list(controllerRevisionKind, {}, noSignal)
      return items.toSorted((left, right) => left.revision - right.revision)
    },
  }
}

const imagesOf = (revisions: readonly ControllerRevision[]) =>
  revisions.map(({ data, revision }) => `${revision}: ${(data as { spec: { image: string } }).spec.image}`)

test('each spec is recorded once, and again on top when it comes again', async (t) => {
  const world = await startWorld(t)
  const stop = world.start()
  await world.settle()
  for (const image of ['app:2', 'app:1']) {
    await world.patch({ image })
    await world.settle()
  }
  t.deepEqual(imagesOf(await world.revisions()), ['2: app:2', '3: app:1'])
  await stop()
})

test('what is on no node has no revision until it gets one; then it is kept whatever becomes of the node', async (t) => {
  const world = await startWorld(t, {})
  const stop = world.start()
  await world.settle()
  await world.patch({ image: 'app:2' })
  await world.settle()
  t.deepEqual(await world.revisions(), [])
  await world.place()
  await world.settle()
  t.deepEqual(imagesOf(await world.revisions()), ['1: app:2'])
  await world.client.patch(containerKind, web, { metadata: { finalizers: null } }, noSignal)
  await world.patch({ image: 'app:3' })
  await world.settle()
  t.deepEqual(imagesOf(await world.revisions()), ['1: app:2', '2: app:3'])
  await stop()
})

test('neither status nor a second start reads or writes anything', async (t) => {
  const world = await startWorld(t)
  const first = world.start()
  await world.settle()
  world.asked.length = 0
  for (let count = 1; count < 50; count++) await world.report(count)
  await world.settle()
  t.deepEqual(world.asked, [])
  await first()
  const second = world.start()
  await world.settle()
  const lists = world.asked.filter((request) => !request.startsWith('GET /apis/'))
  t.deepEqual(lists, [])
  t.deepEqual(
    world.asked.filter((request) => request.includes('/web')),
    [],
  )
  await second()
})

test('many writes leave few objects, the last of them what is asked for now', async (t) => {
  const world = await startWorld(t)
  const stop = world.start()
  await world.settle()
  for (let count = 2; count <= 300; count++) {
    await world.patch({ image: `app:${count}` })
    if (count % 10 === 0) await world.settle()
  }
  await world.settle()
  const revisions = await world.revisions()
  t.is(revisions.length, 11)
  t.regex(imagesOf(revisions).at(-1) ?? '', /: app:300$/)
  await stop()
})

test('a revision that somebody takes away, or puts out of order, is put right', async (t) => {
  const world = await startWorld(t)
  const stop = world.start()
  await world.settle()
  await world.patch({ image: 'app:2' })
  await world.settle()
  const [oldest, newest] = await world.revisions()
  await world.client.delete(controllerRevisionKind, newest?.metadata ?? web, noSignal)
  await world.settle()
  t.deepEqual(imagesOf(await world.revisions()), ['1: app:1', '2: app:2'])
  await world.client.patch(controllerRevisionKind, oldest?.metadata ?? web, { revision: 9 }, noSignal)
  await world.settle()
  t.deepEqual(imagesOf(await world.revisions()), ['9: app:1', '10: app:2'])
  await stop()
})

test('what a revision keeps cannot be changed', async (t) => {
  const world = await startWorld(t)
  const stop = world.start()
  await world.settle()
  const [only] = await world.revisions()
  const change = world.client.patch(
    controllerRevisionKind,
    only?.metadata ?? web,
    { data: { spec: { image: 'b' } } },
    noSignal,
  )
  await t.throwsAsync(change, { message: /data: .*field is immutable/ })
  await stop()
})
