/** Checks over HTTP and TCP by the agent, those of the image, and none: what a container without tools is told by. */
import assert from 'node:assert/strict'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

const often = { interval: '300ms', timeout: '20s', retries: 2 }
const serve = ['sh', '-c', 'mkdir -p /www && echo yes >/www/ok && exec httpd -f -p 8080 -h /www']

test('a container is checked over HTTP, and the engine makes no check beside it', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('checked', ['HEALTHCHECK --interval=1s CMD false'])
  const healthcheck = { http: { port: 8080, path: '/ok' }, ...often }
  await scene.running('web', { image, command: serve, healthcheck })
  const { status } = await scene.until('web', { health: { status: 'healthy', failingStreak: 0 } })
  t.is(status?.health?.log[0]?.output, 'HTTP 200 OK')
  const { State, Config } = await scene.inspect('web')
  t.is(State.Health, undefined)
  t.deepEqual(Config.Healthcheck.Test, ['NONE'])
})

test('what stops answering is unhealthy, is restarted, and is healthy again', async (t) => {
  const scene = await makeScene(cove())
  const healthcheck = { http: { port: 8080, path: '/ok' }, ...often }
  const id = await scene.running('web', { command: serve, healthcheck })
  await scene.exec('web', ['rm', '/www/ok'])
  // How many there were by then is up to how soon the agent is told.
  await scene.told('web', 'checks in a row failed, the last with exit code 1: HTTP 404 Not Found')
  await scene.told('web', 'status.health: unhealthy after')
  await scene.until('web', { restartCount: 1, health: { status: 'healthy' } })
  t.is(await scene.ready('web'), id)
})

test('a container is checked over TCP, in the network of the node and in that of another one too', async (t) => {
  const scene = await makeScene(cove())
  const listens = (port: number) => ['sh', '-c', `exec nc -ll -p ${port} -e true`]
  const port = 20_000 + Math.floor(Math.random() * 10_000)
  const check = (tcp: number) => ({ healthcheck: { tcp: { port: tcp }, ...often } })
  await scene.run('own', { command: listens(9000), ...check(9000) })
  await scene.run('host', { command: listens(port), networkMode: 'host', ...check(port) })
  await scene.run('shares', { networkMode: 'container:own', ...check(9000) })
  await scene.run('closed', {
    ...check(9001),
    healthcheck: { tcp: { port: 9001 }, ...often, onUnhealthy: 'None' },
  })
  await Promise.all(['own', 'host', 'shares'].map((name) => scene.ready(name)))
  const { status } = await scene.until('closed', { health: { status: 'unhealthy' } })
  t.regex(findCondition(status?.conditions, 'Healthy')?.message ?? '', /nothing listens there/)
})

test.serial('an agent that restarts takes a healthy container for healthy', async (t) => {
  const scene = await makeScene(cove())
  const healthcheck = {
    http: { port: 8080, path: '/ok' },
    interval: '30s',
    startPeriod: '60s',
    startInterval: '300ms',
  }
  const id = await scene.running('web', { command: serve, healthcheck })
  await cove().kill('SIGKILL')
  await cove().restart()
  const states = new Set<string | undefined>()
  await scene.eventually('a look of the new agent', async () => {
    const { status } = await scene.get('Container', 'web')
    states.add(status.health?.status)
    assert.match(cove().log(), /listening|serving|ready/i)
    assert.equal(findCondition(status.conditions, 'Ready')?.status, 'True')
  })
  t.deepEqual([...states], ['healthy'])
  t.is(await scene.ready('web'), id)
})

test("the image's own HEALTHCHECK counts, and disabled switches it off", async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('own', [
    'HEALTHCHECK --interval=300ms --retries=2 CMD echo chk; test -e /ok',
  ])
  await scene.run('sick', { image, healthcheck: undefined, command: ['sleep', '86400'] })
  await scene.told('sick', 'status.health: unhealthy after')
  const works = ['sh', '-c', 'touch /ok; sleep 86400']
  await scene.running('well', { image, command: works })
  const { status } = await scene.until('well', { health: { status: 'healthy' } })
  t.is(status?.health?.log[0]?.output, 'chk\n')
  await scene.running('off', { image, healthcheck: { disabled: true } })
  const off = await scene.until('off', {})
  t.is(off.status?.health, undefined)
  t.is((await scene.inspect('off')).State.Health, undefined)
})

test('a health command that is not in the image is explained', async (t) => {
  const scene = await makeScene(cove())
  const onUnhealthy = 'None'
  await scene.run('exec', {
    healthcheck: { command: ['curl', '-f', 'http://localhost'], ...often, onUnhealthy },
  })
  await scene.run('shell', { healthcheck: { shell: 'curl -f http://localhost', ...often, onUnhealthy } })
  for (const name of ['exec', 'shell']) {
    const { status } = await scene.until(name, { health: { status: 'unhealthy' } })
    const healthy = findCondition(status?.conditions, 'Healthy')
    t.is(healthy?.reason, 'CheckCommandNotFound')
    t.regex(healthy?.message ?? '', /no program "curl".*healthcheck\.http or healthcheck\.tcp/)
  }
})

test('five results are kept, and a long output is cut', async (t) => {
  const scene = await makeScene(cove())
  const shell = 'head -c 9000 /dev/zero | tr "\\0" x; exit 1'
  await scene.run('web', { healthcheck: { shell, ...often, retries: 8, onUnhealthy: 'None' } })
  await scene.eventually('eight checks', async () => {
    const { Health } = (await scene.inspect('web')).State
    assert.ok(Health.FailingStreak >= 8)
  })
  const { status } = await scene.until('web', { health: { status: 'unhealthy' } })
  t.is(status?.health?.log.length, 5)
  t.is(status?.health?.log[0]?.output.length, 4099)
})

test('a container depends on what the agent checks', async (t) => {
  const scene = await makeScene(cove())
  const healthcheck = { http: { port: 8080, path: '/late' }, ...often, retries: 1000 }
  await scene.run('db', { command: serve, healthcheck })
  await scene.sees('db', { State: { Running: true } })
  await scene.run('web', { dependsOn: [{ container: 'db', condition: 'Healthy' }] })
  t.regex(await scene.notReady('web', 'DependencyNotReady'), /must be Healthy, but it is starting/)
  await scene.exec('db', ['touch', '/www/late'])
  await scene.ready('web')
})
