/** The controller against the API. */
import test, { type ExecutionContext } from 'ava'
import { type Ambient, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { whyImageIsTaken } from '#pkg/apis/build.image.ts'
import { type Build, buildKind } from '#pkg/apis/build.ts'
import { eventKind } from '#pkg/apis/event.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import { Client } from '#pkg/client/rest.ts'
import { ask, startTestServer } from '#test/helpers/apiserver.ts'
import { BuildController } from './builds.ts'

const never = new AbortController().signal
const path = '/apis/cove.run/v1/namespaces/default'
const name = { namespace: 'default', name: 'app' }
const inline = { context: { empty: {} }, dockerfileInline: 'FROM scratch\nENV A=1\n' }

async function start(t: ExecutionContext) {
  const { server, transport, clock, close } = await startTestServer()
  const ambient: Ambient = { clock, random: seededRandom(2), log: silentLogger }
  const client = new Client(transport, 'test')
  const abort = new AbortController()
  const settle = async () => {
    let [quiet, revision] = [0, -1]
    while (quiet < 4) {
      await clock.advance(100)
      quiet = revision === server.cache.revision ? quiet + 1 : 0
      revision = server.cache.revision
    }
  }
  const running = new BuildController({ client, ambient }).run(abort.signal)
  t.teardown(async () => {
    abort.abort()
    await running
    await close()
  })
  const build = (spec: object) =>
    ask(transport, `POST ${path}/builds`, {
      body: {
        apiVersion: 'cove.run/v1',
        kind: 'Build',
        metadata: { name: 'app' },
        spec: { ...inline, ...spec },
      },
    })
  const image = async (): Promise<Image | undefined> => {
    const { items } = await client.list(imageKind, { namespace: 'default' }, never)
    return items.find(({ metadata }) => metadata.name === 'app')
  }
  return { transport, client, settle, build, image }
}

test('a Build has an Image of its name as soon as it has a node, and what it says goes on to that', async (t) => {
  const { client, settle, build, image } = await start(t)
  await build({ tags: ['team/app:1', 'team/app:latest'], push: [{ reference: 'r.example.com/app' }] })
  await settle()
  t.is(await image(), undefined)
  await client.patch(anyKind(buildKind), name, { spec: { nodeName: 'n1' } }, never)
  await settle()
  const made = await image()
  t.like(made?.spec, {
    reference: 'team/app:1',
    tags: ['team/app:latest'],
    source: { build: 'app' },
    push: [{ reference: 'r.example.com/app' }],
    nodeName: 'n1',
  })
  const owner = await client.get(buildKind, name, never)
  t.is(made?.metadata.ownerReferences?.[0]?.uid, owner.metadata.uid)
  await client.patch(anyKind(imageKind), name, { spec: { peers: true, deletionPolicy: 'Orphan' } }, never)
  await client.patch(anyKind(buildKind), name, { spec: { tags: [], prunePolicy: 'Collect' } }, never)
  await settle()
  const after = await image()
  t.like(after?.spec, {
    reference: 'localhost/default/app:latest',
    tags: [],
    prunePolicy: 'Collect',
    deletionPolicy: 'Untag',
    peers: true,
  })
})

test('an Image that somebody took away is made again', async (t) => {
  const { client, settle, build, image } = await start(t)
  await build({ nodeName: 'n1' })
  await settle()
  const before = await image()
  await client.delete(imageKind, name, never)
  await settle()
  const after = await image()
  t.not(after?.metadata.uid, before?.metadata.uid)
  t.is(after?.spec.source?.build, 'app')
})

test('an Image of that name which is not its own is let alone, and the Build is told of once', async (t) => {
  const { client, transport, settle, build, image } = await start(t)
  const body = {
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name: 'app' },
    spec: { reference: 'other:1' },
  }
  await ask(transport, `POST ${path}/images`, { body })
  await build({ nodeName: 'n1' })
  await settle()
  await client.patch(anyKind(buildKind), name, { spec: { tags: ['x:1'] } }, never)
  await settle()
  const found = await image()
  t.is(found?.spec.reference, 'other:1')
  const { items } = await client.list(eventKind, { namespace: 'default' }, never)
  t.deepEqual(
    items.map(({ type, reason, count, involvedObject }) => [type, reason, count, involvedObject.name]),
    [['Warning', 'FailedKeepImage', 1, 'app']],
  )
  t.regex(items[0]?.message ?? '', /^Image default\/app has the name .* and nobody made it for this Build/)
  await client.delete(imageKind, name, never)
  await settle()
  t.is((await image())?.spec.reference, 'x:1')
})

test('an Image is of the Build whose UID its controller has', (t) => {
  const build: Pick<Build, 'metadata'> = { metadata: { ...name, uid: 'u1' } }
  const owned = (uid: string, kind = 'Build', more = {}): Pick<Image, 'metadata'> => ({
    metadata: {
      ...name,
      ownerReferences: [{ apiVersion: 'cove.run/v1', kind, name: 'app', uid, controller: true }],
      ...more,
    },
  })
  t.is(whyImageIsTaken(build, undefined), undefined)
  t.is(whyImageIsTaken(build, owned('u1')), undefined)
  t.regex(whyImageIsTaken(build, owned('u0')) ?? '', /it belongs to Build app/)
  t.regex(whyImageIsTaken(build, owned('u1', 'Thing')) ?? '', /it belongs to Thing app/)
  const going = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  t.regex(whyImageIsTaken(build, owned('u0', 'Build', going)) ?? '', /^waits until Image default\/app/)
})
