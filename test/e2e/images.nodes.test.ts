/**
 * Images from node to node, without a registry: two engines, each with an agent of its own, and a witness between the second
 * one and its engine that counts what is loaded.
 */
import assert from 'node:assert/strict'
import test, { type ExecutionContext } from 'ava'
import { type CountingSocket, startCountingSocket } from '#test/helpers/countingsocket.ts'
import { startCove } from '#test/helpers/cove.ts'
import {
  baseImage,
  ensureBaseImage,
  type RawEngine,
  rawEngine,
  testEngineHost,
} from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { createImage, imageReady, untilImage } from '#test/helpers/images.ts'
import { invite, type Machine, makeMachine } from '#test/helpers/machine.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const mebibyte = 1024 ** 2

interface Two {
  readonly scene: Scene
  /** Where images are made. */
  readonly first: string
  readonly second: string
  readonly machine: Machine
  /** The second node's engine, past everything. */
  readonly raw: RawEngine
  readonly door: CountingSocket
}

/** Both engines have the base image, the very same; the first is one of the test's own, or `given`. */
async function startTwo(t: ExecutionContext, given?: string): Promise<Two> {
  const first = given === undefined ? startPrivateEngine(t) : { host: given }
  const [here, there] = await Promise.all([first, startPrivateEngine(t)])
  await ensureBaseImage(here.host)
  const raw = rawEngine(there.host)
  t.teardown(() => raw.close())
  const cove = await startCove(t, { engine: here.host })
  const { bytes } = await cove.raw.request('GET', `/images/${baseImage}/get`)
  assert.match((await raw.request('POST', '/images/load', bytes)).text, /Loaded image/)
  const door = await startCountingSocket(t, there.host)
  const second = `other-${cove.mark}`
  const machine = await makeMachine(t, { ...cove, engine: door.host, nodeName: second })
  const { words } = await invite(cove, machine)
  await machine.start(...words)
  const scene = await makeScene(cove)
  return { scene, first: cove.nodeName, second, machine, raw, door }
}

/** An image of the first node: the base with a layer that nothing makes smaller. */
async function build({ scene }: Two, name: string, mebibytes: number): Promise<string> {
  const size = mebibytes * mebibyte
  return await scene.image(name, [`RUN head -c ${size} /dev/urandom > /own`])
}

async function idOn(raw: RawEngine, image: string): Promise<string | undefined> {
  const { status, text } = await raw.request('GET', `/images/${image}/json`)
  // Engines write it so.
  return status === 404 ? undefined : (JSON.parse(text) as { Id: string }).Id
}

test('an image comes from another node, only the layers that are missing', async (t) => {
  const two = await startTwo(t)
  const { scene, first, second, raw, door } = two
  const name = await build(two, 'app', 3)
  door.count()
  await createImage(scene, 'app', { reference: name, source: { node: first }, nodeName: second })
  const status = await imageReady(scene, 'app')
  const bytes = door.count()
  const id = await idOn(scene.raw, name)
  t.is(await idOn(raw, name), id)
  t.is(status.id, id)
  t.is(status.reference, id)
  t.log(`${bytes} bytes went to the engine for a layer of ${3 * mebibyte}`)
  t.true(bytes > 3 * mebibyte)
  t.true(bytes < 3.2 * mebibyte, `${bytes} bytes`)

  // What was made here goes to all who are to have it, by its id.
  await scene.running('web', {
    nodeName: first,
    command: ['sh', '-c', 'head -c 500000 /dev/urandom > /x; exec sleep 86400'],
  })
  const made = `${name}-made`
  const source = { commit: { container: 'web', changes: ['LABEL a=b'] } }
  await createImage(scene, 'made', { reference: made, source, nodeName: first, nodeSelector: {} })
  await untilImage(scene, 'made', { nodes: { [first]: { state: 'Ready' }, [second]: { state: 'Ready' } } })
  t.is(await idOn(raw, made), await idOn(scene.raw, made))
  t.true(door.count() < mebibyte)
})

test('a transfer that is killed leaves no image, and the next run of the agent finishes it', async (t) => {
  const two = await startTwo(t)
  const { scene, first, second, raw, door, machine } = two
  const name = await build(two, 'app', 6)
  const before = (await raw.request('GET', '/images/json?all=1')).text
  const killed = new Promise<void>((resolve, reject) => {
    door.at(4 * mebibyte, () => void machine.agent.end('SIGKILL').then(resolve, reject))
  })
  await createImage(scene, 'app', { reference: name, source: { node: first }, nodeName: second })
  await killed
  t.is(await idOn(raw, name), undefined)
  await eventually(async () => assert.equal((await raw.request('GET', '/images/json?all=1')).text, before))
  await machine.start()
  t.is((await imageReady(scene, 'app')).id, await idOn(scene.raw, name))
  t.is(await idOn(raw, name), await idOn(scene.raw, name))
})

test('an image of a registry comes from another node where the registry is out of reach', async (t) => {
  // The second engine has a network of its own, where nobody is.
  const two = await startTwo(t, testEngineHost())
  const { scene, first, second, raw } = two
  const registry = await startRegistry()
  t.teardown(registry.stop)
  const reference = await registry.push(
    scene.cove.engine,
    await build(two, 'app', 1),
    `${scene.cove.mark}/app:1`,
  )
  const spec = { reference, nodeName: first, nodeSelector: {} }
  await createImage(scene, 'alone', spec)
  await untilImage(scene, 'alone', { nodes: { [first]: { state: 'Ready' }, [second]: { state: 'Failed' } } })
  t.is(await idOn(raw, reference), undefined)
  await scene.patch('Image', 'alone', { spec: { peers: true } })
  const { status } = await untilImage(scene, 'alone', { nodes: { [second]: { state: 'Ready' } } })
  t.is(await idOn(raw, reference), status.id)
  t.regex(status.reference ?? '', /@sha256:/)
})
