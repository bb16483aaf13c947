/** Server and node as processes of their own: what the node does while the server is away, and what the server hears of it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { diskCopy } from '#pkg/agent/nodecopyfile.ts'
import { type Event, eventKind } from '#pkg/apis/event.ts'
import { startCove, type TestCove } from '#test/helpers/cove.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { endWithUs } from '#test/helpers/guard.ts'
import { invite, type Machine, makeMachine } from '#test/helpers/machine.ts'
import { startPrivateEngine } from '#test/helpers/private-engine.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const patience = { timeoutMs: 60_000, pauseMs: 100 }
const noSignal = new AbortController().signal
const isRoot = process.getuid?.() === 0
const withRoot = isRoot ? test.serial : test.serial.skip

interface Stage {
  readonly cove: TestCove
  readonly machine: Machine
  readonly scene: Scene
}

/** A server and a machine that has joined it. */
async function start(t: ExecutionContext, engine?: string): Promise<Stage> {
  const cove = await startCove(t, { alone: true, ...(engine !== undefined && { engine }) })
  const machine = await makeMachine(t, cove)
  await machine.start(...(await invite(cove, machine)).words)
  return { cove, machine, scene: await makeScene(cove) }
}

async function untilLogged({ agent }: Machine, text: RegExp): Promise<void> {
  await eventually(async () => assert.match(agent.log(), text), { ...patience, what: 'the log' })
}

/** Waits until the container runs since another time than `before`; resolves with when. */
async function startedAnew(scene: Scene, name: string, before: string): Promise<number> {
  return await eventually(
    async () => {
      const { State } = await scene.inspect(name)
      assert.equal(State.Running, true)
      assert.notEqual(State.StartedAt, before)
      return Date.parse(State.StartedAt)
    },
    { ...patience, what: `a new start of ${name}` },
  )
}

async function eventsOf({ cove, namespace }: Scene, name: string): Promise<readonly Event[]> {
  const options = { namespace, fieldSelector: `involvedObject.name=${name}` }
  return (await cove.client.list(eventKind, options, noSignal)).items
}

test.serial(
  'with its server killed a node heals what it runs, and tells all of it when the server is back',
  async (t) => {
    const { cove, machine, scene } = await start(t)
    const healthcheck = { shell: 'test ! -e /sick', interval: '1s', timeout: '20s', retries: 1 }
    const until = 'rm -f /sick; while [ ! -e /end ]; do sleep 0.1; done; exit 3'
    await scene.run('web')
    await scene.run('crasher', { command: ['sh', '-c', until] })
    await scene.run('patient', { command: ['sh', '-c', until], healthcheck })
    for (const name of ['web', 'crasher', 'patient']) await scene.ready(name)
    const before = await Promise.all(['web', 'crasher', 'patient'].map((name) => scene.inspect(name)))
    const [web, crasher, patient] = before.map(({ State }) => State.StartedAt)
    const record = await scene.record()
    t.teardown(record.stop)

    await cove.kill('SIGKILL')
    const killedAt = Date.now()
    await scene.call('POST', `/containers/${before[0].Id}/kill`)
    await scene.exec('crasher', ['touch', '/end'])
    await scene.exec('patient', ['touch', '/sick'])
    const healed = (await startedAnew(scene, 'web', web)) - killedAt
    await startedAnew(scene, 'patient', patient)
    const starts = () => record.lines.filter((line) => line === 'start crasher').length
    await eventually(async () => assert.ok(starts() >= 2), { ...patience, what: 'the second start' })
    t.not((await scene.inspect('crasher')).State.StartedAt, crasher)
    const crashed = Date.now() - killedAt
    t.true(crashed > 9000, `the second start of a crash loop waits for 10 s, not ${crashed} ms`)
    t.is(starts(), 2)

    const backAt = Date.now()
    await cove.restart()
    await scene.until('crasher', ({ restartCount = 0, lastTermination }) => {
      assert.ok(restartCount >= 2)
      assert.equal(lastTermination?.exitCode, 3)
    })
    const told = Date.now() - backAt
    await scene.until('web', { restartCount: 1 })
    for (const name of ['web', 'patient']) {
      await scene.eventually(`events of ${name}`, async () => {
        const times = (await eventsOf(scene, name)).map(({ lastTimestamp = '' }) => Date.parse(lastTimestamp))
        assert.ok(times.some((time) => time >= killedAt - 1000 && time < backAt))
      })
    }
    t.notRegex(machine.agent.log(), /event not written|events dropped|status not written/)
    t.log(`healed ${healed} ms after the kill; status there ${told} ms after the server was started again`)
  },
)

withRoot(
  'after a reboot without the server containers start from the copy, in order and with their Secrets; what changed meanwhile is carried out when the server is back',
  async (t) => {
    const engine = await startPrivateEngine(t)
    const { cove, machine, scene } = await start(t, engine.host)
    await scene.create('Secret', 'login', { stringData: { password: 'open-sesame' } })
    const mounts = [{ secret: 'login', mountPath: '/login' }]
    const env = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } }]
    const healthcheck = { shell: 'test -e /ready', interval: '1s', timeout: '20s', retries: 100 }
    const slowly = 'rm -f /ready; sleep 3; touch /ready; exec sleep 86400'
    await scene.run('db', { command: ['sh', '-c', slowly], mounts, env, healthcheck })
    await scene.run('web', { dependsOn: [{ container: 'db', condition: 'Healthy' }] })
    for (const name of ['gone', 'edited']) await scene.run(name)
    const names = ['db', 'web', 'gone', 'edited']
    const ids = await Promise.all(names.map((name) => scene.ready(name)))
    const path = join(machine.dir, 'agent/node.copy')
    await eventually(() => stat(path), { ...patience, what: 'the copy' })
    t.is((await stat(path)).mode & 0o777, 0o600)
    t.is((await stat(join(machine.dir, 'agent'))).mode & 0o777, 0o700)
    // The last status has been written within a second or two; only then is the copy as the server has it.
    const copied = async () => assert.match((await diskCopy(join(machine.dir, 'agent')).load()) ?? '', /"db"/)
    await eventually(copied, patience)
    const file = await readFile(path, 'latin1')
    for (const secret of ['open-sesame', Buffer.from('open-sesame').toString('base64')])
      t.false(file.includes(secret))

    await machine.agent.end('SIGKILL')
    await scene.delete('Container', 'gone')
    await scene.patchSpec('edited', { env: [{ name: 'NEW', value: 'yes' }] })
    await cove.kill('SIGKILL')
    await engine.kill()
    await engine.restart()
    for (const name of names) t.false((await scene.inspect(name)).State.Running)
    const began = Date.now()
    await machine.start()
    const db = await startedAnew(scene, 'db', '')
    const dbStarted = (await scene.inspect('db')).State.StartedAt
    const web = await startedAnew(scene, 'web', (await scene.inspect('web')).State.StartedAt)
    t.true(web - Date.parse(dbStarted) >= 2900, `web started ${web - Date.parse(dbStarted)} ms after db`)
    t.is((await scene.inspect('db')).State.Health.Status, 'healthy')
    t.is(await scene.exec('db', ['cat', '/login/password']), 'open-sesame')
    t.is(await scene.exec('db', ['sh', '-c', 'echo $PASSWORD']), 'open-sesame')
    for (const name of names) await scene.sees(name, { State: { Running: true } })
    t.deepEqual(await Promise.all(names.map(async (name) => (await scene.inspect(name)).Id)), ids)

    await cove.restart()
    await scene.gone('Container', 'gone')
    await scene.vanished('gone')
    await scene.replaced('edited', ids[3] ?? '')
    t.is(await scene.exec('edited', ['sh', '-c', 'echo $NEW']), 'yes')
    await scene.until('web', { restartCount: 1 })
    t.deepEqual([await scene.ready('db'), await scene.ready('web')], ids.slice(0, 2))
    t.false(machine.agent.log().includes('open-sesame'))
    t.log(`db ran ${db - began} ms after the agent was started, web ${web - began} ms`)
  },
)

test.serial('a torn copy is told of; the node waits for its server and touches nothing', async (t) => {
  const { cove, machine, scene } = await start(t)
  const id = await scene.running('web')
  const path = join(machine.dir, 'agent/node.copy')
  await eventually(() => stat(path), patience)
  await machine.agent.end('SIGKILL')
  await cove.kill('SIGKILL')
  const { size } = await stat(path)
  await truncate(path, Math.floor(size / 2))
  const record = await scene.record()
  t.teardown(record.stop)
  await scene.call('POST', `/containers/${id}/kill`)
  await machine.start()
  await untilLogged(machine, /copy of the desired state cannot be used.*cut short or changed/)
  await untilLogged(machine, /watch broken/)
  t.false((await scene.inspect('web')).State.Running)
  await cove.restart()
  await scene.sees('web', { State: { Running: true } })
  t.is(await scene.ready('web'), id)
  t.false(record.lines.some((line) => line.startsWith('destroy')))
})

test.serial('whoever is killed while it writes the copy leaves a whole one', async (t) => {
  const dir = await makeTempDir(t, 'copy')
  const writer = fileURLToPath(new URL('../helpers/copy-writer.ts', import.meta.url))
  for (let turn = 0; turn < 12; turn++) {
    const child = spawn(process.execPath, [writer, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
    endWithUs(child)
    await once(child.stdout, 'data')
    // Somewhere between two writes or in one: later in each turn.
    await new Promise((resolve) => setTimeout(resolve, turn * 3))
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
    const text = (await diskCopy(dir).load()) ?? ''
    const [first = ''] = text.split(' ', 1)
    t.is(text, `${first} `.repeat(200_000))
  }
})
