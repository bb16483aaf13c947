/** Containers on two nodes that follow one Image: one node asks the registry, and both run the digest that it takes. */
import assert from 'node:assert/strict'
import test from 'ava'
import { checkAnnotation } from '#pkg/apis/wellknown.ts'
import { startCountingProxy } from '#test/helpers/countingproxy.ts'
import { startCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage, rawEngine, testEngineHost } from '#test/helpers/engine.ts'
import { openDoor } from '#test/helpers/enginenetdoor.ts'
import { createImage, imageReady, untilImage } from '#test/helpers/images.ts'
import { invite, makeMachine } from '#test/helpers/machine.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { startRegistry } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'

test('Containers on two nodes run the one digest that the lead takes, and leave a bad one together', async (t) => {
  const host = testEngineHost()
  const engine = await startPrivateEngine(t)
  const there = engine.host
  await ensureBaseImage(host)
  const raw = rawEngine(there)
  t.teardown(() => raw.close())
  const cove = await startCove(t, { engine: host })
  const { bytes } = await cove.raw.request('GET', `/images/${baseImage}/get`)
  assert.match((await raw.request('POST', '/images/load', bytes)).text, /Loaded image/)
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const proxy = await startCountingProxy(registry.address)
  t.teardown(() => proxy.stop())
  await openDoor(t, engine, Number(proxy.address.split(':')[1]))
  const second = `other-${cove.mark}`
  const machine = await makeMachine(t, { ...cove, engine: there, nodeName: second })
  const { words } = await invite(cove, machine)
  await machine.start(...words)
  const scene = await makeScene(cove)
  const repository = `${cove.mark}/${scene.namespace}/app`

  const publish = async (name: string, lines: readonly string[]) => {
    const built = await scene.image(name, [`LABEL version=${name}`, ...lines])
    await registry.push(host, built, `${repository}:1`)
  }
  const check = async (request: string) =>
    await scene.patch('Image', 'app', { metadata: { annotations: { [checkAnnotation]: request } } })
  const runs = async (reference: string | undefined) => {
    for (const name of ['here', 'there'])
      await scene.until(name, ({ image, rollout, phase }) => {
        assert.equal(image?.reference, reference)
        assert.equal(rollout?.phase, 'Complete')
        assert.equal(phase, 'Running')
      })
    const id = `${scene.engineName('there')}`
    const found = JSON.parse((await raw.request('GET', `/containers/${id}/json`)).text)
    t.is(found.Config.Image, reference)
  }

  await publish('v1', ['CMD ["sleep", "86400"]'])
  const reference = `${proxy.address}/${repository}:1`
  const update = { policy: 'Digest', schedule: '0 0 1 1 *' }
  await createImage(scene, 'app', { reference, update, nodeName: cove.nodeName })
  const spec = {
    image: undefined,
    command: undefined,
    imageFrom: { image: 'app' },
    update: { monitor: '1s', healthTimeout: '10s' },
  }
  await scene.run('here', { ...spec, nodeName: cove.nodeName })
  await scene.run('there', { ...spec, nodeName: second })
  const first = await imageReady(scene, 'app')
  await runs(first.reference)

  await publish('v2', ['CMD ["sleep", "86400"]'])
  const heads = () => proxy.seen.filter(({ line }) => line === `HEAD /v2/${repository}/manifests/1`)
  const before = heads().length
  await check('one')
  const { status } = await untilImage(scene, 'app', ({ reference: now, nodes }) => {
    assert.notEqual(now, first.reference)
    assert.deepEqual(
      Object.values(nodes ?? {}).map(({ state }) => state),
      ['Ready', 'Ready'],
    )
  })
  await runs(status.reference)
  // What the engines ask when they pull by digest is no question about the tag.
  t.is(heads().length, before + 1)

  await publish('v3', ['CMD ["sh", "-c", "exit 3"]'])
  await check('two')
  const { status: back } = await untilImage(scene, 'app', ({ reference: now, rejected = [] }) => {
    assert.equal(rejected.length, 1)
    assert.equal(now, status.reference)
  })
  t.is(back.rejected?.[0]?.back, status.reference)
  await runs(status.reference)
})
