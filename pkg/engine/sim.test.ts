/** What the simulated engine offers beyond the port: scripted trouble, and time that only moves when told. */
import test from 'ava'
import fc from 'fast-check'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { classify, isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { ContainerCreate, Engine, PullProgress } from './port.ts'
import { SimEngine, type SimEngineOptions } from './sim.ts'
import { makeSimImage, SimRegistry } from './simregistry.ts'

const image = 'app:1'

test('a scripted failure strikes the call it names and leaves no trace of it', async (t) => {
  const { engine } = make()
  engine.fail({ method: 'createContainer', call: 2, times: 2, reason: 'EngineError' })
  await engine.createContainer(makeCreate('app-a'))
  for (const name of ['app-b', 'app-c']) {
    const error: unknown = await t.throwsAsync(engine.createContainer(makeCreate(name)))
    t.true(isReason(error, 'EngineError'))
  }
  await engine.createContainer(makeCreate('app-d'))
  t.deepEqual(
    (await engine.listContainers()).map(({ name }) => name),
    ['app-a', 'app-d'],
  )
})

test('a lost answer means that the call took effect all the same', async (t) => {
  const { engine } = make()
  await engine.createContainer(makeCreate('app-a'))
  engine.fail({ method: 'startContainer', reason: 'EngineUnavailable', afterEffect: true })
  await t.throwsAsync(engine.startContainer('app-a'))
  t.is((await engine.inspectContainer('app-a'))?.state, 'running')
})

test('in an outage nothing answers and streams break, but processes run on', async (t) => {
  const { engine, clock } = make({ behaviour: () => ({ exit: { after: 1000, code: 4 } }) })
  await engine.createContainer(makeCreate('app-a'))
  await engine.startContainer('app-a')
  const next = engine.events(new AbortController().signal)[Symbol.asyncIterator]().next()
  engine.outage(true)
  t.true(isReason(await t.throwsAsync(next), 'EngineUnavailable'))
  t.true(isReason(await t.throwsAsync(engine.listContainers()), 'EngineUnavailable'))
  t.true(
    isReason(
      await t.throwsAsync(engine.removeContainer('app-a', { anonymousVolumes: true })),
      'EngineUnavailable',
    ),
  )
  await clock.advance(1000)
  engine.outage(false)
  t.is((await engine.inspectContainer('app-a'))?.exitCode, 4)
})

test('the journal holds the calls that wanted to change something, failed ones with their error', async (t) => {
  const { engine } = make()
  await engine.createContainer(makeCreate('app-a'))
  await engine.inspectContainer('app-a')
  await t.throwsAsync(engine.startContainer('app-b'))
  t.deepEqual(
    engine.calls.map(({ method }) => method),
    ['createContainer', 'startContainer'],
  )
  t.deepEqual(
    engine.calls.map(({ error }) => isReason(error, 'NotFound')),
    [false, true],
  )
  engine.calls.length = 0
  t.is(engine.mutations, 2)
})

test('a reboot ends all processes and keeps everything else', async (t) => {
  const { engine } = make()
  await engine.createContainer(makeCreate('app-a'))
  await engine.startContainer('app-a')
  engine.reboot()
  const after = await engine.inspectContainer('app-a')
  t.is(after?.state, 'exited')
  t.is(after?.exitCode, 255)
})

test('a pull takes its time, shows its layers and fetches none twice', async (t) => {
  const clock = new ManualClock()
  const registry = new SimRegistry()
  const layers = { aaaaaaaaaaaa: 300, bbbbbbbbbbbb: 700 }
  registry.set('registry.test/app:1', { layers }, { pullTime: 1000 })
  registry.set('registry.test/app:2', { layers: { ...layers, cccccccccccc: 1000 } }, { pullTime: 2000 })
  const engine = new SimEngine({ clock, registry })
  const finished: string[] = []
  const pull = async (reference: string) => {
    const onProgress = ({ layer, state }: PullProgress) => state === 'Pull complete' && finished.push(layer)
    await engine.pullImage(reference, { signal: new AbortController().signal, onProgress })
  }
  const first = pull('registry.test/app:1')
  await clock.advance(999)
  t.deepEqual(finished, ['aaaaaaaaaaaa'])
  await clock.advance(1)
  await first
  const second = pull('registry.test/app:2')
  await clock.advance(1000)
  await second
  t.deepEqual(finished, ['aaaaaaaaaaaa', 'bbbbbbbbbbbb', 'cccccccccccc'])
})

test('a pull can be aborted on its way and leaves no image', async (t) => {
  const clock = new ManualClock()
  const engine = new SimEngine({ clock })
  engine.registry.set('registry.test/app:1', { layers: { aaaaaaaaaaaa: 300 } }, { pullTime: 1000 })
  const controller = new AbortController()
  const pull = engine.pullImage('registry.test/app:1', { signal: controller.signal })
  await clock.advance(500)
  const reason = new Error('enough')
  controller.abort(reason)
  t.is(await t.throwsAsync(pull), reason)
  t.deepEqual(await engine.listImages(), [])
})

test('a moved tag is another image, the old one stays without it', async (t) => {
  const engine = new SimEngine({ clock: new ManualClock() })
  const options = { signal: new AbortController().signal }
  const old = engine.registry.set('app:1', { content: 'old' })
  await engine.pullImage('app:1', options)
  const young = engine.registry.set('app:1', { content: 'new' })
  await engine.pullImage('app:1', options)
  const images = await engine.listImages()
  t.deepEqual(images.find(({ id }) => id === old.id)?.references, [])
  t.deepEqual(images.find(({ id }) => id === young.id)?.references, ['app:1'])
})

test('a paused process gets no older', async (t) => {
  const { engine, clock } = make({ behaviour: () => ({ exit: { after: 1000, code: 0 } }) })
  await engine.createContainer(makeCreate('app-a'))
  await engine.startContainer('app-a')
  await clock.advance(600)
  await engine.pauseContainer('app-a')
  await clock.advance(5000)
  await engine.unpauseContainer('app-a')
  await clock.advance(399)
  t.is((await engine.inspectContainer('app-a'))?.state, 'running')
  await clock.advance(1)
  t.is((await engine.inspectContainer('app-a'))?.state, 'exited')
})

test('each start may behave otherwise, and calls may take time', async (t) => {
  const behaviour = (_create: ContainerCreate, run: number) => ({ exit: { after: 0, code: run } })
  const { engine, clock } = make({ behaviour, delays: { startContainer: 300 } })
  await engine.createContainer(makeCreate('app-a'))
  for (const run of [1, 2]) {
    const start = engine.startContainer('app-a')
    await clock.advance(299)
    t.is((await engine.inspectContainer('app-a'))?.exitCode, run - 1)
    await clock.advance(1)
    await start
    await clock.advance(1)
    t.is((await engine.inspectContainer('app-a'))?.exitCode, run)
  }
})

test('whatever is called in whatever order, names and host ports stay single and the same calls give the same world', async (t) => {
  const name = fc.constantFrom('app-a', 'app-b', 'app-c')
  const call = fc.constantFrom(
    'create',
    'create',
    'start',
    'start',
    'stop',
    'remove',
    'pause',
    'unpause',
    'rename',
  )
  const step = fc.record({ call, name, other: name, wait: fc.constantFrom(0, 60) })
  let containers = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = await play(steps)
      const names = world.map((one) => one?.name)
      t.is(new Set(names).size, names.length)
      t.true(world.filter((one) => one?.ports.length).length <= 1)
      t.deepEqual(await play(steps), world)
      containers += world.length
    }),
    { numRuns: 60 },
  )
  t.true(containers > 0)
})

interface Step {
  readonly call: string
  readonly name: string
  readonly other: string
  readonly wait: number
}

/** The containers after all steps, on an engine of their own. */
async function play(steps: readonly Step[]) {
  const { engine, clock } = make({ behaviour: () => ({ exit: { after: 100, code: 1 } }) })
  for (const { call, name, other, wait } of steps) {
    await perform(engine, call, name, other)
    await clock.advance(wait)
  }
  const listed = await engine.listContainers()
  return await Promise.all(listed.map(({ id }) => engine.inspectContainer(id)))
}

async function perform(engine: Engine, call: string, name: string, other: string): Promise<void> {
  const ports = [{ containerPort: 80, protocol: 'tcp', hostPort: 8080 }] as const
  const calls: Record<string, () => Promise<unknown>> = {
    create: () => engine.createContainer({ ...makeCreate(name), ports }),
    start: () => engine.startContainer(name),
    stop: () => engine.stopContainer(name, 0),
    remove: () => engine.removeContainer(name, { anonymousVolumes: true }),
    pause: () => engine.pauseContainer(name),
    unpause: () => engine.unpauseContainer(name),
    rename: () => engine.renameContainer(name, other),
  }
  try {
    await calls[call]?.()
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    classify(error)
  }
}

function make(options: Partial<SimEngineOptions> = {}) {
  const clock = new ManualClock()
  const engine = new SimEngine({ clock, ...options })
  engine.loadImage(image, makeSimImage({ cmd: ['serve'] }, image))
  return { engine, clock }
}

function makeCreate(name: string): ContainerCreate {
  const limits = { cpus: 0, memoryBytes: 0, pids: 0 }
  return { name, image, env: {}, labels: {}, ports: [], mounts: [], networks: [], limits }
}
