import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { makeSimImage } from '#pkg/engine/simregistry.ts'
import { container, world } from '#test/helpers/world.ts'
import { Observer } from './observe.ts'
import { resolve } from './resolve.ts'

async function twoContainers() {
  const engine = new SimEngine({ clock: new ManualClock() })
  engine.registry.set('app:1')
  await engine.pullImage('app:1', { signal: new AbortController().signal })
  for (const name of ['ann', 'bob']) {
    const resolved = resolve({ container: container(name, { command: ['run'] }), ...world() })
    if ('missing' in resolved) throw new Error(resolved.missing.message)
    await engine.createContainer(resolved.create)
  }
  const observer = new Observer(engine)
  const states = async (atWork?: (name: string) => boolean) => {
    const { containers } = await observer.observe(atWork === undefined ? {} : { atWork })
    return Object.fromEntries(containers.map(({ name, state }) => [name, state]))
  }
  return { engine, observer, states }
}

test('a container at work is looked at when its work has ended, and holds up nobody else', async (t) => {
  const { engine, observer, states } = await twoContainers()
  t.deepEqual(await states(), { ann: 'created', bob: 'created' })
  const { containers } = await observer.observe()
  for (const { id, name } of containers) {
    await engine.startContainer(name)
    // Its network tells the id alone.
    observer.hint({ type: 'network', action: 'connect', id: 'n', name: 'n', container: id })
  }
  t.deepEqual(await states((name) => name === 'ann'), { ann: 'created', bob: 'running' })
  t.deepEqual(await states(), { ann: 'running', bob: 'running' })
})

test('what nothing has touched is not looked at again', async (t) => {
  const { engine, observer, states } = await twoContainers()
  await states()
  await engine.startContainer('ann')
  t.deepEqual(await states(), { ann: 'created', bob: 'created' })
  observer.invalidateContainer('ann')
  t.deepEqual(await states(), { ann: 'running', bob: 'created' })
})

test('when one is renamed, those that link are looked at again: links are told by name', async (t) => {
  const { engine, observer } = await twoContainers()
  const web = resolve({ container: container('web', { command: ['run'] }), ...world() })
  if ('missing' in web) throw new Error(web.missing.message)
  const { id } = await engine.createContainer({ ...web.create, links: ['ann:db'] })
  await observer.observe()
  const asked: string[] = []
  const inspect = engine.inspectContainer.bind(engine)
  engine.inspectContainer = (name) => {
    asked.push(name)
    return inspect(name)
  }
  const { id: ann = '' } = (await engine.inspectContainer('ann')) ?? {}
  asked.length = 0
  observer.hint({ type: 'container', action: 'rename', id: ann, name: 'ann2' })
  await observer.observe()
  t.deepEqual(asked.sort(), [ann, id].sort())
})

test('what an image brings is asked once, when somebody asks for it, and forgotten with the image', async (t) => {
  const engine = new SimEngine({ clock: new ManualClock() })
  engine.loadImage('app:1', makeSimImage({ user: '7' }, 'app:1'))
  engine.loadImage('other:1', makeSimImage({}, 'other:1'))
  const asked: string[] = []
  const inspectImage = engine.inspectImage.bind(engine)
  engine.inspectImage = (image) => {
    asked.push(image)
    return inspectImage(image)
  }
  const observer = new Observer(engine)
  const id = (await engine.listImages()).find(({ references }) => references.includes('app:1'))?.id ?? ''
  const look = async (...ids: string[]) => {
    const { imageConfigs } = await observer.observe({ imagesOf: () => new Set(ids) })
    return [...imageConfigs].map(([image, { user }]) => [image, user])
  }
  t.deepEqual(await look(), [])
  t.deepEqual(await look(id), [[id, '7']])
  t.deepEqual(await look(id), [[id, '7']])
  t.deepEqual(asked, [id])
  t.deepEqual(await look('sha256:gone'), [])
  t.deepEqual(await look(id), [[id, '7']])
  t.deepEqual(asked, [id, 'sha256:gone', id])
})

async function withBroken(reason: Reason) {
  const { engine, observer, states } = await twoContainers()
  const inspect = engine.inspectContainer.bind(engine)
  const { id: broken = '' } = (await inspect('ann')) ?? {}
  const breakDown = () => {
    engine.inspectContainer = async (container) => {
      if (container === broken) throw new StatusError(reason, 'RWLayer is unexpectedly nil')
      return await inspect(container)
    }
  }
  return { engine, observer, states, broken, breakDown }
}

test('a container that the engine cannot tell of keeps nobody else from being looked at', async (t) => {
  const { engine, observer, broken, breakDown } = await withBroken('EngineError')
  breakDown()
  const told: string[] = []
  const onUnread = (container: string, message: string) => told.push(`${container}: ${message}`)
  const first = await observer.observe({ onUnread })
  t.deepEqual(
    first.containers.map(({ name }) => name),
    ['bob'],
  )
  // Its name is taken all the same.
  t.is(first.containerNames.get('ann'), broken)
  await engine.startContainer('bob')
  observer.invalidateAll()
  const second = await observer.observe({ onUnread })
  t.deepEqual(
    second.containers.map(({ name, state }) => `${name} ${state}`),
    ['bob running'],
  )
  t.deepEqual(told, [`${broken}: RWLayer is unexpectedly nil`])
})

test('what was known of a container holds while the engine does not answer for it alone', async (t) => {
  const { engine, observer, states, breakDown } = await withBroken('EngineUnavailable')
  t.deepEqual(await states(), { ann: 'created', bob: 'created' })
  breakDown()
  await engine.startContainer('bob')
  observer.invalidateAll()
  t.deepEqual(await states(), { ann: 'created', bob: 'running' })
})

test('an engine that is going away is not taken at its word', async (t) => {
  const { states, breakDown } = await withBroken('EngineUnavailable')
  breakDown()
  await t.throwsAsync(states(), { message: /RWLayer/ })
})
