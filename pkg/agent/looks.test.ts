import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { decodeNodeContainers, decodeNodeUsages } from '#pkg/apis/looks.ts'
import { engineLabels, nobodysLabel } from '#pkg/apis/wellknown.ts'
import type { ContainerCreate } from '#pkg/engine/port.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { call } from '#test/helpers/apiserver.ts'
import { clusterID, container, world } from '#test/helpers/world.ts'
import type { ReadMachine } from './machine.ts'
import { ownedBy, tellOwner } from './owned.ts'
import { resolve } from './resolve.ts'
import { streamsHandler } from './streams.ts'

const base = '/containers/default/web'
const bare = { image: 'app:1', cmd: ['run'], env: {}, ports: [], mounts: [], networks: [] }
const noLimits = { cpus: 0, memoryBytes: 0, pids: 0 }

/** A node that runs Container web, half a core and two mebibytes of it. */
async function serve(machine?: ReadMachine) {
  const clock = new ManualClock()
  const usage = () => ({ cpus: 0.5, memoryBytes: 2 * 1024 ** 2 })
  const engine = new SimEngine({ clock, usage })
  engine.registry.set('app:1')
  await engine.pullImage('app:1', { signal: new AbortController().signal })
  const resolved = resolve({ container: container('web', { command: ['run'] }), ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const { id } = await engine.createContainer(resolved.create)
  await engine.startContainer('web')
  const handler = streamsHandler({
    engine,
    clock,
    nodeName: 'n1',
    ownerOf: (found) => {
      const owned = ownedBy(found, { clusterID, containers: [], statuses: new Map() })
      return owned && { ...owned, status: { health: { status: 'healthy', failingStreak: 0, log: [] } } }
    },
    ...(machine !== undefined && { machine }),
  })
  const user = { name: 'server', groups: [] }
  const ask = async (line: string, signal?: AbortSignal) => {
    const answer = await call((request) => handler(request, user), line, signal ? { signal } : {})
    return { status: answer.status, type: answer.headers['content-type'], text: await readAll(answer.body) }
  }
  /** With time going on meanwhile. */
  const soon = async (line: string) => {
    const asked = ask(line)
    await clock.advance(500)
    const { status, text } = await asked
    return { status, body: JSON.parse(text) }
  }
  const make = (
    name: string,
    labels: Readonly<Record<string, string>> = {},
    more: Partial<ContainerCreate> = {},
  ) => engine.createContainer({ ...bare, limits: noLimits, name, labels, ...more })
  return { clock, engine, id, ask, soon, make, create: resolved.create }
}

test('processes, ports and changes of a container are told', async (t) => {
  const { ask, engine } = await serve()
  const pid = (await engine.inspectContainer('web'))?.pid
  t.deepEqual(JSON.parse((await ask(`GET ${base}/top`)).text), {
    kind: 'ContainerProcesses',
    apiVersion: 'cove.run/v1',
    titles: ['UID', 'PID', 'CMD'],
    processes: [['root', String(pid), 'run']],
  })
  t.like(JSON.parse((await ask(`GET ${base}/changes`)).text), { items: [] })
  t.like(JSON.parse((await ask(`GET ${base}/ports`)).text), { items: [] })
})

test('nobody makes ps show the processes of others: what it is asked for leaves the titles as they are', async (t) => {
  const { ask } = await serve()
  const top = async (args: string) =>
    (await ask(`GET ${base}/top?${new URLSearchParams({ ps: args })}`)).status
  for (const args of [
    '-ef',
    'aux',
    'axfu',
    '-eo pid,ppid,cmd',
    '-o pid -o args',
    'axo pid,thcount',
    '-eopid,sched',
    '-L',
    '-eo pid,pcpu --sort -pcpu',
    '',
  ])
    t.is(await top(args), 200, args)
  for (const args of [
    '-orss=PID -oargs -e',
    '-eo rss=PID,args',
    'axo nlwp=PID',
    '--no-headers -eo comm,rss,args',
    '--no-heading -e',
    'axh',
    'h -eo comm,rss',
    '-e h',
    '-Co h -eo comm,rss',
    '-C -o h -eo comm,rss',
    'hocomm,rss',
    '-Ch',
    '-ef; id',
    '-ef\nx',
    `-o ${'pid,'.repeat(100)}`,
  ])
    t.is(await top(args), 400, args)
})

test('usage is told once, or each second until the container ends', async (t) => {
  const { ask, soon, clock, engine } = await serve()
  const { body } = await soon(`GET ${base}/stats`)
  t.like(body, { kind: 'ContainerUsage', cpu: 0.5, memoryBytes: 2 * 1024 ** 2, windowMs: 500 })
  const following = ask(`GET ${base}/stats?stream=true`)
  for (let second = 0; second < 3; second++) await clock.advance(1000)
  await engine.stopContainer('web', 0)
  await clock.advance(1000)
  const { type, text } = await following
  t.is(type, 'application/json;stream=watch')
  const windows = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line).windowMs)
  t.deepEqual(windows, [500, 1000, 1000, 1000])
})

test('who hangs up ends the stream of usage, which is no failure', async (t) => {
  const { ask, clock } = await serve()
  const aborter = new AbortController()
  const following = ask(`GET ${base}/stats?stream=true`, aborter.signal)
  await clock.advance(500)
  aborter.abort()
  t.is((await following).text.trim().split('\n').length, 1)
})

test('a signal is sent to what runs, and told as wrong when it is none', async (t) => {
  const { ask, engine } = await serve()
  const refused: Readonly<Record<string, RegExp>> = {
    [`POST ${base}/kill?signal=NONSENSE`]: /container \\"web\\": Invalid signal: NONSENSE/,
    [`POST ${base}/kill?signal=../x`]: /signal: \\"..\/x\\" is no signal/,
  }
  for (const [line, message] of Object.entries(refused)) {
    const { status, text } = await ask(line)
    t.is(status, 400, line)
    t.regex(text, message)
  }
  t.is((await ask(`POST ${base}/kill?signal=usr1`)).status, 200)
  t.is((await engine.inspectContainer('web'))?.state, 'running')
  t.is((await ask(`POST ${base}/kill`)).status, 200)
  t.like(await engine.inspectContainer('web'), { state: 'exited', exitCode: 137 })
  for (const line of [`POST ${base}/kill`, `GET ${base}/top`, `GET ${base}/stats`]) {
    const { status, text } = await ask(line)
    t.is(status, 400, line)
    t.regex(text, /container \\"web\\" is not running: it ended with exit code 137/)
  }
})

test('an image is made as it was asked for', async (t) => {
  const { ask, engine } = await serve()
  const query = 'reference=kept:1&author=me&message=why&change=CMD+a&change=ENV+A=1&pause=false'
  const { text } = await ask(`POST ${base}/commit?${query}`)
  const made = (await engine.listImages()).find(({ references }) => references.includes('kept:1'))
  t.is(JSON.parse(text).image, made?.id)
  t.like(engine.calls.at(-1)?.args[1], {
    reference: 'kept:1',
    author: 'me',
    message: 'why',
    changes: [nobodysLabel, 'CMD a', 'ENV A=1'],
    pause: false,
  })
  await ask(`POST ${base}/commit`)
  t.like(engine.calls.at(-1)?.args[1], { reference: undefined, changes: [nobodysLabel], pause: true })
})

test('the engine tells of a container in its own words', async (t) => {
  const { ask, id } = await serve()
  t.like(JSON.parse((await ask(`GET ${base}/inspect`)).text), { Id: id, Name: '/web' })
})

test('a node tells of all its containers and whose they are', async (t) => {
  const { ask, make, id } = await serve()
  await make('db-1', { 'com.docker.compose.project': 'shop' })
  await make('lonely')
  const items = decodeNodeContainers(JSON.parse((await ask('GET /containers')).text))
  const shown = items.map(({ name, state, health, owner }) => ({ name, state, health, owner }))
  t.deepEqual(shown, [
    {
      name: 'web',
      state: 'running',
      health: 'healthy',
      owner: { type: 'Container', namespace: 'default', name: 'web' },
    },
    { name: 'db-1', state: 'created', health: '', owner: { type: 'ComposeProject', name: 'shop' } },
    { name: 'lonely', state: 'created', health: '', owner: { type: 'Nobody' } },
  ])
  t.is(items[0]?.id, id)
})

test('an owner is known by labels', (t) => {
  const cove = { [engineLabels.cluster]: 'x', [engineLabels.namespace]: 'a', [engineLabels.name]: 'b' }
  t.deepEqual(tellOwner(cove, undefined), { type: 'OtherCluster', namespace: 'a', name: 'b' })
  t.deepEqual(tellOwner({ ...cove, [engineLabels.cluster]: '' }, undefined), { type: 'Nobody' })
  t.deepEqual(tellOwner({ 'com.docker.swarm.service.name': 's' }, undefined), {
    type: 'SwarmService',
    name: 's',
  })
  const pod = { 'io.kubernetes.pod.name': 'p', 'io.kubernetes.pod.namespace': 'n' }
  t.deepEqual(tellOwner(pod, undefined), { type: 'KubernetesPod', name: 'p', namespace: 'n' })
})

test('a node tells what its Containers use, under their names and not those of strangers or of what stands aside', async (t) => {
  const { soon, make, engine, create } = await serve()
  await make('web_next', create.labels, { env: {} })
  await make('lonely')
  for (const name of ['web_next', 'lonely']) await engine.startContainer(name)
  const { node, items } = decodeNodeUsages((await soon('GET /stats')).body)
  t.deepEqual(
    items.map(({ namespace, name, usage }) => [namespace, name, usage.cpu]),
    [['default', 'web', 0.5]],
  )
  t.like(node, { cpu: 1.5, memoryBytes: 6 * 1024 ** 2 })
  t.deepEqual(decodeNodeUsages((await soon('GET /stats?namespace=shop')).body).items, [])
})

test('of a machine that can be looked at a node tells what all of it uses, and the second time at once', async (t) => {
  let looks = 0
  const { soon, ask } = await serve(async () => ({ busyMs: 750 * looks++, memoryBytes: 7 }))
  const { node } = decodeNodeUsages((await soon('GET /stats')).body)
  t.like(node, { windowMs: 500, cpu: 1.5, memoryBytes: 7 })
  t.like(decodeNodeUsages(JSON.parse((await ask('GET /stats')).text)).node, { cpu: 1.5 })
  t.is(looks, 2)
})
