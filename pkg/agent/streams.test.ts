import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { framesType } from '#pkg/apimachinery/frames.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { call } from '#test/helpers/apiserver.ts'
import { clusterID, container, world } from '#test/helpers/world.ts'
import { ownedBy } from './owned.ts'
import { resolve } from './resolve.ts'
import { streamsHandler } from './streams.ts'

/** A node that runs Container web, which says two things at once and one after a minute. */
async function serve() {
  const clock = new ManualClock()
  const behaviour = () => ({
    output: [
      { stream: 'stdout', text: 'out\n' },
      { stream: 'stderr', text: 'ärr\n' },
      { after: 60_000, stream: 'stdout', text: 'later\n' },
    ] as const,
  })
  const engine = new SimEngine({ clock, behaviour })
  engine.registry.set('app:1')
  await engine.pullImage('app:1', { signal: new AbortController().signal })
  const resolved = resolve({ container: container('web', { command: ['run'] }), ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  await engine.createContainer(resolved.create)
  await engine.startContainer('web')
  await clock.advance(0)
  const handler = streamsHandler({
    engine,
    clock,
    nodeName: 'n1',
    ownerOf: (found) => ownedBy(found, { clusterID, containers: [], statuses: new Map() }),
  })
  const user = { name: 'server', groups: [] }
  const get = async (path: string, accept = '*/*') => {
    const answer = await call((request) => handler(request, user), `GET ${path}`, { headers: { accept } })
    return { ...answer, text: await readAll(answer.body) }
  }
  return { clock, engine, get }
}

const log = '/containers/default/web/log'

test('the output of a Container is plain text, or frames for who asks for them', async (t) => {
  const { get } = await serve()
  const plain = await get(log)
  t.deepEqual([plain.status, plain.headers['content-type'], plain.text], [200, 'text/plain', 'out\närr\n'])
  const framed = await get(log, framesType)
  t.is(framed.headers['content-type'], framesType)
  t.is(framed.text, '\x01\0\0\0\x04out\n\x02\0\0\0\x05ärr\n')
})

test('the options choose what is shown', async (t) => {
  const { get, clock } = await serve()
  t.is((await get(`${log}?tailLines=1`)).text, 'ärr\n')
  t.is((await get(`${log}?tailLines=0`)).text, '')
  t.regex((await get(`${log}?timestamps=true&tailLines=1`)).text, /^2026-01-01T00:00:00\S*Z ärr\n$/)
  await clock.advance(60_000)
  t.is((await get(`${log}?sinceSeconds=30`)).text, 'later\n')
  t.is((await get(`${log}?sinceTime=2026-01-01T00:00:30Z`)).text, 'later\n')
})

test('what cannot be answered is told with a Status', async (t) => {
  const { get } = await serve()
  const refused: Readonly<Record<string, readonly [number, RegExp]>> = {
    '/containers/default/other/log': [400, /container \\"other\\" was not made yet/],
    '/containers/default/%zz/log': [400, /is no part of a path/],
    '/containers/default/web/exec': [404, /nothing at GET/],
    [`${log}?tailLines=-1`]: [400, /tailLines: \\"-1\\" must be a whole number/],
    [`${log}?sinceTime=yesterday`]: [400, /sinceTime: \\"yesterday\\" is not an RFC 3339 time/],
  }
  for (const [path, [status, message]] of Object.entries(refused)) {
    const answer = await get(path)
    t.is(answer.status, status, path)
    t.regex(answer.text, message)
    t.is(JSON.parse(answer.text).kind, 'Status')
  }
})

test('a stranger who has the name of an object keeps its output to itself', async (t) => {
  const { engine, get } = await serve()
  await engine.renameContainer('web', 'mine')
  const create = {
    name: 'web',
    image: 'app:1',
    cmd: ['run'],
    env: {},
    labels: {},
    ports: [],
    mounts: [],
    networks: [],
  }
  await engine.createContainer({ ...create, limits: { cpus: 0, memoryBytes: 0, pids: 0 } })
  t.is((await get(log)).status, 400)
})

test('a container is reached as what it was made for, whatever name the engine has for it meanwhile', async (t) => {
  const { engine, get } = await serve()
  for (const [name, path] of [
    ['shop.web', '/containers/shop/web/log'],
    ['web.next', '/containers/web/next/log'],
  ] as const) {
    await engine.renameContainer((await engine.inspectContainer('web'))?.id ?? '', name)
    const { status, text } = await get(path)
    t.is(status, 400, path)
    t.regex(text, /was not made yet/)
    await engine.renameContainer(name, 'web')
  }
  t.is((await get(log)).text, 'out\närr\n')
})

test('a container that was started again shows its run now, and the one before when asked', async (t) => {
  const { engine, clock, get } = await serve()
  const missing = await get(`${log}?previous=true`)
  t.is(missing.status, 400)
  t.is(JSON.parse(missing.text).message, 'previous terminated container "web" in pod "web" not found')
  await clock.advance(90_000)
  await engine.stopContainer('web', 0)
  t.is((await get(`${log}?previous=true`)).text, 'out\närr\nlater\n')
  await clock.advance(10_000)
  await engine.startContainer('web')
  await clock.advance(0)
  t.is((await get(log)).text, 'out\närr\n')
  t.is((await get(`${log}?previous=true&follow=true`)).text, 'out\närr\nlater\n')
  t.is((await get(`${log}?previous=true&tailLines=1`)).text, 'later\n')
})
