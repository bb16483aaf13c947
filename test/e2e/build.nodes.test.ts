/**
 * A Build and who follows it on two nodes, each an agent with an engine of its own, and no registry: what comes of it goes
 * from node to node, and who runs it goes on whatever becomes of the node, the server or the engine that it is built by.
 */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { nodeKind } from '#pkg/apis/node.ts'
import {
  attempt,
  build,
  built,
  createBuild,
  imageOf,
  makeBuildScene,
  untilBuild,
} from '#test/helpers/builds.ts'
import { startCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage, type RawEngine, rawEngine } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { invite, makeMachine } from '#test/helpers/machine.ts'
import { type PrivateEngine, startPrivateEngine } from '#test/helpers/private-engine.ts'
import type { Scene } from '#test/helpers/scene.ts'

const noSignal = new AbortController().signal
const follower = {
  image: undefined,
  imageFrom: { build: 'app' },
  command: ['sleep', '86400'],
  update: { monitor: '1s' },
}

interface Two {
  readonly cove: TestCove
  readonly scene: Scene
  /** Where it is built; of the cove itself. */
  readonly first: string
  readonly second: string
  readonly engine: PrivateEngine
  /** The second node's engine, past everything. */
  readonly there: RawEngine
}

async function startTwo(t: ExecutionContext): Promise<Two> {
  const [engine, other] = await Promise.all([startPrivateEngine(t), startPrivateEngine(t)])
  await Promise.all([engine, other].map(({ host }) => ensureBaseImage(host)))
  const there = rawEngine(other.host)
  t.teardown(() => there.close())
  const cove = await startCove(t, { engine: engine.host, apart: true })
  const second = `other-${cove.mark}`
  const machine = await makeMachine(t, { ...cove, engine: other.host, nodeName: second })
  await machine.start(...(await invite(cove, machine)).words)
  return { cove, scene: await makeBuildScene(cove), first: cove.nodeName, second, engine, there }
}

function textOf(word: string): { readonly dockerfileInline: string } {
  return { dockerfileInline: `FROM ${baseImage}\nRUN echo ${word} > /word\n` }
}

/** What the container of the second node runs on, once it is this image. */
async function runsThere({ scene, there }: Two, id: string): Promise<string> {
  return await eventually(
    async () => {
      const { status, text } = await there.request('GET', `/containers/${scene.engineName('web')}/json`)
      assert.equal(status, 200, text)
      // Engines write it so.
      const found = JSON.parse(text) as { Id: string; Image: string; State: { Running: boolean } }
      assert.equal(found.Image, id)
      assert.equal(found.State.Running, true)
      return found.Id
    },
    { timeoutMs: 60_000, pauseMs: 100, what: `the container of ${id}` },
  )
}

test('what is built on one node is run by another, rolls there, and outlives server and builder', async (t) => {
  const two = await startTwo(t)
  const { cove, scene, first, second } = two
  const one = await build(scene, 'app', ['RUN echo one > /word'], { nodeName: first })
  await scene.run('web', { ...follower, nodeName: second })
  const container = await runsThere(two, one.image.id)
  await scene.ready('web')

  // The server goes in the middle of a build, which goes on: it is no other attempt.
  await scene.patch('Build', 'app', {
    spec: { dockerfileInline: `FROM ${baseImage}\nRUN sleep 4\nRUN echo two > /word\n` },
  })
  await untilBuild(scene, 'app', ({ phase, steps = [] }) => {
    assert.equal(phase, 'Building')
    assert.ok(steps.length >= 2)
  })
  await cove.kill('SIGKILL')
  await cove.restart()
  const after = await attempt(scene, 'app', 2)
  const rolled = await runsThere(two, after.image?.id ?? '')
  t.not(rolled, container)
  await scene.ready('web')

  // The builder is away: who follows runs on, and a change waits for it.
  await cove.endAgent()
  await scene.patch('Build', 'app', { spec: textOf('three') })
  await scene.patchSpec('web', { env: [{ name: 'A', value: '1' }] })
  const again = await scene.replaced('web', rolled)
  t.is(await runsThere(two, after.image?.id ?? ''), again)
  const { status } = await scene.get('Build', 'app')
  t.is(status.attempt, 2)

  // Its Node is deleted: another one makes it, from the beginning.
  await cove.client.delete(nodeKind, { name: first }, noSignal)
  const { metadata, spec } = await untilBuild(scene, 'app', ({ phase, cause }) => {
    assert.equal(phase, 'Succeeded')
    assert.notEqual(cause, after.cause)
  })
  t.is(spec.nodeName, second)
  t.deepEqual(metadata.finalizers, [`node.cove.run/${second}`])
  const moved = await built(scene, 'app')
  await runsThere(two, moved.image.id)
  await scene.ready('web')
  await scene.delete('Container', 'web')
  await scene.gone('Container', 'web')
  await scene.delete('Build', 'app')
  await scene.gone('Build', 'app')
  await eventually(
    async () => {
      assert.equal((await two.there.request('GET', `/images/${imageOf(scene, 'app')}/json`)).status, 404)
    },
    { timeoutMs: 20_000, pauseMs: 100, what: 'the end of its name' },
  )
})

test('an engine that is killed under a build makes it again when it is back', async (t) => {
  const two = await startTwo(t)
  const { scene, engine, first, second } = two
  await scene.run('web', { ...follower, nodeName: second })
  await createBuild(scene, 'app', ['RUN echo one > /word', 'RUN sleep 3', 'RUN echo two > /word'], {
    nodeName: first,
  })
  await untilBuild(scene, 'app', ({ phase, steps = [] }) => {
    assert.equal(phase, 'Building')
    assert.ok(steps.length >= 3)
  })
  await engine.kill()
  await engine.restart()
  const { status } = await untilBuild(scene, 'app', ({ phase }) => assert.equal(phase, 'Succeeded'))
  t.is(status.history?.find(({ number }) => number === 1)?.result === 'Succeeded', false)
  await runsThere(two, status.image?.id ?? '')
  // What the engine could not remove as it died is ended, and goes by a PrunePolicy as any container of nobody's.
  const running = await scene.call('GET', '/containers/json')
  t.deepEqual(running, [])
})
