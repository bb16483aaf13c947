/** Nodes without their server: the server, the controllers and the agents are the real ones, on one manual clock. */
import test, { type ExecutionContext } from 'ava'
import { type LogFields, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import type { Container } from '#pkg/apis/container.ts'
import { secretKind } from '#pkg/apis/core.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import { volumeKind } from '#pkg/apis/volume.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { type Cluster, type ClusterOptions, startCluster } from '#pkg/sim/cluster.ts'

const never = new AbortController().signal
const cove = '/apis/cove.run/v1/namespaces/default'

interface Scene extends Cluster {
  readonly told: string[]
  /** Makes an object; `path` is its collection's. */
  create(
    kind: 'Container' | 'Image' | 'Volume' | 'Network' | 'Secret',
    name: string,
    fields?: object,
  ): Promise<void>
  patch(name: string, spec: object): Promise<void>
  get(name: string): Promise<Container>
  seen(name: string): Promise<ObservedContainer | undefined>
  events(name: string): Promise<readonly Event[]>
  /** The agent and every process of the node end, without a word. */
  reboot(): Promise<void>
}

async function start(t: ExecutionContext, options: Partial<ClusterOptions> = {}): Promise<Scene> {
  const told: string[] = []
  const tell = (message: string, fields: LogFields = {}) =>
    void told.push(`${message} ${JSON.stringify(fields)}`)
  const log = { ...silentLogger, info: tell, warn: tell, error: tell }
  const cluster = await startCluster({ nodes: 1, log, ...options })
  t.teardown(() => cluster.close())
  for (const tag of [1, 2]) cluster.registry.set(`app:${tag}`, { cmd: ['serve'] })
  await cluster.advance(1000)
  const { client } = cluster
  const at = (name: string) => ({ namespace: 'default', name })
  return {
    ...cluster,
    told,
    async create(kind, name, fields = {}) {
      const isSecret = kind === 'Secret'
      const path = isSecret ? '/api/v1/namespaces/default/secrets' : `${cove}/${kind.toLowerCase()}s`
      const apiVersion = isSecret ? 'v1' : 'cove.run/v1'
      const body = JSON.stringify({ apiVersion, kind, metadata: { name }, ...fields })
      const headers = { 'content-type': 'application/json' }
      await client.json({ method: 'POST', path, body, headers }, never)
    },
    patch: async (name, spec) => void (await client.patch(containerKind, at(name), { spec }, never)),
    get: (name) => client.get(containerKind, at(name), never),
    async seen(name) {
      return await cluster.engine('n1').inspectContainer(name)
    },
    async events(name) {
      const fieldSelector = `involvedObject.name=${name}`
      return (await client.list(eventKind, { namespace: 'default', fieldSelector }, never)).items
    },
    async reboot() {
      await cluster.killAgent('n1')
      cluster.engine('n1').reboot()
      cluster.startAgent('n1')
    },
  }
}

const app = (spec: object = {}) => ({ spec: { image: 'app:1', ...spec } })

/** When each of them last started, by name. */
async function starts(scene: Scene, ...names: string[]): Promise<number[]> {
  return await Promise.all(names.map(async (name) => Date.parse((await scene.seen(name))?.startedAt ?? '')))
}

test('while the server is away containers are healed, with growing pauses; it hears of all of it later', async (t) => {
  const scene = await start(t, {
    behaviour: ({ name }) => (name === 'crasher' ? { exit: { after: 1000, code: 7 } } : {}),
  })
  await scene.create('Container', 'web', app())
  await scene.advance(5000)
  const { phase } = (await scene.get('web')).status ?? {}
  t.is(phase, 'Running')
  await scene.create('Container', 'crasher', app())
  await scene.advance(500)
  scene.wire('n1').cut()
  const cutAt = scene.clock.now()
  const web = await scene.seen('web')
  await scene.engine('n1').stopContainer(web?.id ?? '', 0)
  await scene.advance(120_000)
  t.is((await scene.seen('web'))?.state, 'running')
  t.not((await scene.seen('web'))?.startedAt, web?.startedAt)
  // 0, 10, 20 and 40 s, and each run lasts one.
  const calls = scene.engine('n1').calls.filter(({ method }) => method === 'startContainer')
  t.true(calls.length >= 5 && calls.length <= 7, `${calls.length} starts`)
  t.is((await scene.get('crasher')).status?.restartCount ?? 0, 0)

  const backAt = scene.clock.now()
  scene.wire('n1').mend()
  await scene.advance(40_000)
  const { status } = await scene.get('crasher')
  t.true((status?.restartCount ?? 0) >= 4)
  t.is(status?.lastTermination?.exitCode, 7)
  t.is((await scene.get('web')).status?.restartCount, 1)
  const times = (await scene.events('web')).map(({ lastTimestamp = '' }) => Date.parse(lastTimestamp))
  // Times of events are of whole seconds.
  t.true(times.some((time) => time >= cutAt - 1000 && time < backAt))
  const again = (await scene.events('crasher')).find(({ count = 0 }) => count > 1)
  t.true(again !== undefined && Date.parse(again.firstTimestamp ?? '') < backAt)
})

test('after a reboot without the server containers start in order, with what they were to have', async (t) => {
  const scene = await start(t, {
    behaviour: ({ name }) =>
      name === 'db' ? { probe: ({ sinceStart }) => (sinceStart > 4000 ? 0 : 1) } : {},
  })
  await scene.create('Secret', 'login', { stringData: { password: 'one' } })
  await scene.create('Volume', 'data')
  await scene.create('Network', 'back')
  await scene.create('Container', 'db', {
    ...app({
      mounts: [
        { volume: 'data', mountPath: '/data' },
        { secret: 'login', mountPath: '/login' },
      ],
      networks: [{ name: 'back' }],
      healthcheck: { shell: 'true', interval: '1s', retries: 100, startPeriod: '0s' },
    }),
  })
  await scene.create('Container', 'web', app({ dependsOn: [{ container: 'db', condition: 'Healthy' }] }))
  await scene.advance(20_000)
  t.is((await scene.seen('web'))?.state, 'running')
  const before = [(await scene.seen('db'))?.id, (await scene.seen('web'))?.id]

  scene.wire('n1').cut()
  await scene.advance(60_000)
  const rebooted = scene.clock.now()
  await scene.reboot()
  await scene.advance(2000)
  const [db = 0] = await starts(scene, 'db')
  t.true(db - rebooted < 1000, `db began ${db - rebooted} ms after the reboot`)
  t.is((await scene.seen('web'))?.state, 'exited')
  await scene.advance(30_000)
  const [, web = 0] = await starts(scene, 'db', 'web')
  t.true(web - db >= 4000, 'web waits until db is healthy')
  t.deepEqual([(await scene.seen('db'))?.id, (await scene.seen('web'))?.id], before)
  const { mutations } = scene.engine('n1')
  scene.wire('n1').mend()
  await scene.advance(60_000)
  t.is(scene.engine('n1').mutations, mutations)
  t.is((await scene.get('web')).status?.phase, 'Running')
})

test('what was changed and deleted while a node was alone is carried out when it meets its server again', async (t) => {
  const scene = await start(t)
  for (const name of ['web', 'gone']) await scene.create('Container', name, app())
  await scene.create('Volume', 'data')
  await scene.create('Container', 'user', app({ mounts: [{ volume: 'data', mountPath: '/d' }] }))
  await scene.advance(10_000)
  scene.wire('n1').cut()
  await scene.patch('web', { image: 'app:2' })
  await scene.client.delete(containerKind, { namespace: 'default', name: 'gone' }, never)
  await scene.create('Container', 'new', app({ nodeName: 'n1' }))
  await scene.advance(5000)
  await scene.reboot()
  await scene.advance(60_000)
  // All of it runs as it was when the server was last heard.
  t.is((await scene.seen('gone'))?.state, 'running')
  t.is((await scene.seen('web'))?.image, 'app:1')
  t.is(await scene.seen('new'), undefined)

  scene.wire('n1').mend()
  await scene.advance(60_000)
  t.is((await scene.seen('web'))?.image, 'app:2')
  t.is(await scene.seen('gone'), undefined)
  t.is((await scene.seen('new'))?.state, 'running')
  await t.throwsAsync(scene.get('gone'), { message: /not found/ })
  t.truthy(await scene.client.get(volumeKind, { namespace: 'default', name: 'data' }, never))
})

test('a deletion that the node knows of goes on without the server, and is told when it answers', async (t) => {
  const scene = await start(t, {
    behaviour: ({ name }) => (name === 'slow' ? { stop: { after: 8000, code: 0 } } : {}),
  })
  await scene.create('Container', 'slow', app({ terminationGracePeriodSeconds: 30 }))
  await scene.advance(5000)
  await scene.client.delete(containerKind, { namespace: 'default', name: 'slow' }, never)
  await scene.advance(1000)
  scene.wire('n1').cut()
  // The stop that is under way ends with the agent.
  await Promise.all([scene.killAgent('n1'), scene.advance(10_000)])
  t.is((await scene.seen('slow'))?.state, 'exited')
  scene.startAgent('n1')
  await scene.advance(60_000)
  t.is(await scene.seen('slow'), undefined)
  t.truthy((await scene.get('slow')).metadata.deletionTimestamp)
  await scene.reboot()
  await scene.advance(60_000)
  t.is(await scene.seen('slow'), undefined, 'it does not come back from the copy')
  scene.wire('n1').mend()
  await scene.advance(40_000)
  await t.throwsAsync(scene.get('slow'), { message: /not found/ })
})

test('back-off goes on after a reboot without the server, and the server hears of ends that only the node saw', async (t) => {
  const scene = await start(t, {
    behaviour: (_create, run) => ({ exit: { after: 1000, code: run } }),
  })
  await scene.create('Container', 'crasher', app())
  await scene.advance(500)
  scene.wire('n1').cut()
  await scene.advance(40_000)
  const copied = () => Object.values(JSON.parse(scene.copy('n1').text ?? '').statuses)[0]
  const before = copied() as { crashStreak: number; restartCount: number }
  t.true(before.crashStreak >= 3)
  await scene.killAgent('n1')
  scene.startAgent('n1')
  await scene.advance(1000)
  t.like(copied(), { crashStreak: before.crashStreak, restartCount: before.restartCount })
  scene.wire('n1').mend()
  await scene.advance(30_000)
  const { status } = await scene.get('crasher')
  t.true((status?.restartCount ?? 0) >= before.restartCount)
  t.true((await scene.events('crasher')).length > 0)
})

test('events that waited are sent once, though the agent is killed as soon as they are', async (t) => {
  const scene = await start(t)
  await scene.create('Container', 'web', app())
  await scene.advance(10_000)
  scene.wire('n1').cut()
  await scene.engine('n1').stopContainer((await scene.seen('web'))?.id ?? '', 0)
  await scene.advance(5000)
  t.true(JSON.parse(scene.copy('n1').text ?? '').events.length > 0)
  await scene.killAgent('n1')
  scene.startAgent('n1')
  await scene.advance(2000)
  scene.wire('n1').mend()
  const count = async () =>
    (await scene.events('web')).find(({ message }) => message?.includes('exited'))?.count
  for (let turn = 0; turn < 60 && (await count()) === undefined; turn++) await scene.advance(500)
  await scene.advance(1100)
  t.deepEqual(JSON.parse(scene.copy('n1').text ?? '').events, [])
  await scene.killAgent('n1')
  scene.startAgent('n1')
  await scene.advance(20_000)
  t.is(await count(), 1)
})

test('a server of another cluster is sent nothing, and containers stay as they are', async (t) => {
  const scene = await start(t)
  const other = await start(t, { seed: 2 })
  await scene.create('Container', 'web', app())
  await other.create('Container', 'web', app({ image: 'app:2', nodeName: 'n1' }))
  await scene.advance(10_000)
  await other.killAgent('n1')
  const { revision } = other.apiServer.cache
  const { mutations } = scene.engine('n1')
  scene.wire('n1').mend(other.transport('n1'))
  for (let turn = 0; turn < 2; turn++) {
    await scene.advance(60_000)
    t.is(scene.engine('n1').mutations, mutations)
    t.is(other.apiServer.cache.revision, revision)
    const warnings = scene.told.filter((line) => line.startsWith('the server is of another cluster'))
    t.is(warnings.length, turn + 1)
    t.regex(warnings[turn] ?? '', /start the agent again without \/node\.copy/)
    await scene.killAgent('n1')
    scene.startAgent('n1')
  }
  // The node goes on by itself all the while.
  await scene.engine('n1').stopContainer((await scene.seen('web'))?.id ?? '', 0)
  await scene.advance(20_000)
  t.is((await scene.seen('web'))?.state, 'running')
  scene.wire('n1').mend(scene.transport('n1'))
  await scene.advance(40_000)
  t.is((await scene.get('web')).status?.restartCount, 1)
})

test('a copy that is torn is told of, and the node waits for its server and touches nothing', async (t) => {
  const scene = await start(t)
  await scene.create('Container', 'web', app())
  await scene.advance(5000)
  scene.wire('n1').cut()
  await scene.killAgent('n1')
  const copy = scene.copy('n1')
  copy.text = copy.text?.slice(0, 200)
  const { mutations } = scene.engine('n1')
  scene.engine('n1').reboot()
  scene.startAgent('n1')
  await scene.advance(60_000)
  t.is(scene.engine('n1').mutations, mutations)
  t.true(scene.told.some((line) => /copy of the desired state cannot be used.*not JSON/.test(line)))
  scene.wire('n1').mend()
  await scene.advance(40_000)
  t.is((await scene.seen('web'))?.state, 'running')
})

test('a container that the copy does not know is left alone until the server has spoken', async (t) => {
  const scene = await start(t)
  await scene.create('Container', 'web', app())
  await scene.advance(5000)
  const early = scene.copy('n1').text
  await scene.create('Container', 'late', app())
  await scene.advance(5000)
  scene.wire('n1').cut()
  await scene.killAgent('n1')
  // As if the disk had not taken the last writes.
  scene.copy('n1').text = early
  scene.startAgent('n1')
  await scene.advance(60_000)
  t.is((await scene.seen('late'))?.state, 'running')
  scene.wire('n1').mend()
  await scene.advance(60_000)
  t.is((await scene.seen('late'))?.state, 'running')
})

test('a Secret that was changed while the agent was down is not acted on in its old form', async (t) => {
  const scene = await start(t)
  await scene.create('Secret', 'login', { stringData: { password: 'one' } })
  const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } }]
  await scene.create('Container', 'web', app({ env }))
  await scene.advance(10_000)
  await scene.killAgent('n1')
  const at = { namespace: 'default', name: 'login' }
  const data = { password: Buffer.from('two').toString('base64') }
  await scene.client.patch(secretKind, at, { data }, never)
  await scene.patch('web', { image: 'app:2' })
  const creations = () => scene.engine('n1').calls.filter(({ method }) => method === 'createContainer').length
  const before = creations()
  scene.startAgent('n1')
  await scene.advance(30_000)
  t.is((await scene.seen('web'))?.image, 'app:2')
  t.is(creations(), before + 1)
})

test('a server that refuses, fails or breaks off in the middle has not said that anything is gone', async (t) => {
  const scene = await start(t)
  await scene.create('Secret', 'login', { stringData: { password: 'one' } })
  const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } }]
  await scene.create('Container', 'web', app({ env }))
  await scene.advance(10_000)
  const { mutations } = scene.engine('n1')
  const server = scene.transport('n1')
  const statusOf = (code: number) => ({
    status: code,
    headers: {},
    body: JSON.stringify({ kind: 'Status', code, message: 'no' }),
  })
  const halfAList = {
    status: 200,
    headers: {},
    body: '{"kind":"List","metadata":{"resourceVersion":"1"},"it',
  }
  for (const answer of [401, 403, 404, 500, 503].map(statusOf).concat(halfAList)) {
    // It says whose it is, and nothing else.
    scene.wire('n1').mend(async (request) => {
      if (request.path.endsWith('/namespaces/default')) return await server(request)
      return answer
    })
    await scene.advance(40_000)
    await scene.killAgent('n1')
    scene.startAgent('n1')
    await scene.advance(40_000)
    t.is(scene.engine('n1').mutations, mutations, `after ${answer.status}`)
  }
  await scene.engine('n1').stopContainer((await scene.seen('web'))?.id ?? '', 0)
  await scene.advance(5000)
  t.is((await scene.seen('web'))?.state, 'running')
})

test('a rollout that went wrong while the server was away is not tried again after a reboot without it', async (t) => {
  const scene = await start(t, {
    behaviour: ({ image }) => (image === 'app:2' ? { exit: { after: 500, code: 1 } } : {}),
  })
  await scene.create('Container', 'web', app())
  await scene.advance(30_000)
  const { id } = (await scene.seen('web')) ?? {}
  const creations = () => scene.engine('n1').calls.filter(({ method }) => method === 'createContainer').length
  await scene.patch('web', { image: 'app:2' })
  await scene.advance(100)
  scene.wire('n1').cut()
  await scene.advance(60_000)
  t.is((await scene.seen('web'))?.id, id, 'the old one is back')
  t.is((await scene.get('web')).status?.rollout?.failed, undefined)
  const before = creations()
  await scene.reboot()
  await scene.advance(120_000)
  t.like(await scene.seen('web'), { id, state: 'running' })
  t.is(creations(), before)
  scene.wire('n1').mend()
  await scene.advance(60_000)
  const { metadata, status } = await scene.get('web')
  t.is(status?.rollout?.failed?.generation, metadata.generation)
  t.is(creations(), before)
})

test('a server that takes requests and never answers holds nobody up', async (t) => {
  const scene = await start(t)
  for (const name of ['web', ...Array.from({ length: 10 }, (_, index) => `gone${index}`)])
    await scene.create('Container', name, app({ terminationGracePeriodSeconds: 0 }))
  await scene.advance(10_000)
  for (let index = 0; index < 10; index++)
    await scene.client.delete(containerKind, { namespace: 'default', name: `gone${index}` }, never)
  await scene.advance(0)
  const silent = () => new Promise<never>(() => {})
  scene.wire('n1').mend(silent)
  await scene.engine('n1').stopContainer((await scene.seen('web'))?.id ?? '', 0)
  await scene.advance(1000)
  t.is((await scene.seen('web'))?.state, 'running')
  await scene.advance(60_000)
  t.is(await scene.seen('gone9'), undefined)
  await Promise.all([scene.killAgent('n1'), scene.advance(60_000)])
  scene.engine('n1').reboot()
  scene.startAgent('n1')
  // It is the second end in a row, so it rests for 10 s.
  await scene.advance(11_000)
  t.is((await scene.seen('web'))?.state, 'running', 'it goes on from the copy')
  scene.wire('n1').mend(scene.transport('n1'))
  await scene.advance(60_000)
  t.deepEqual(
    (await scene.client.list(containerKind, {}, never)).items.map(({ metadata }) => metadata.name),
    ['web'],
  )
})

test('after a reboot without the server a Container that follows an Image is what that last said, also when it is made anew', async (t) => {
  const scene = await start(t)
  await scene.create('Image', 'app', { spec: { reference: 'app:1' } })
  for (const name of ['kept', 'lost'])
    await scene.create('Container', name, { spec: { imageFrom: { image: 'app' } } })
  await scene.advance(30_000)
  const [kept, lost] = [await scene.seen('kept'), await scene.seen('lost')]
  t.regex(kept?.image ?? '', /^app:1@sha256:|library\/app:1@sha256:/)
  scene.wire('n1').cut()
  await scene.engine('n1').removeContainer('lost', { anonymousVolumes: true })
  await scene.reboot()
  await scene.advance(60_000)
  t.is((await scene.seen('kept'))?.id, kept?.id)
  const anew = await scene.seen('lost')
  t.is(anew?.state, 'running')
  t.not(anew?.id, lost?.id)
  t.is(anew?.image, lost?.image)
  const { mutations } = scene.engine('n1')
  scene.wire('n1').mend()
  await scene.advance(60_000)
  t.is(scene.engine('n1').mutations, mutations)
})
