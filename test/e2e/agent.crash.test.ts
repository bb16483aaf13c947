/** The end of the agent is no event for containers, and the work it was in the middle of is taken up again. */
import assert from 'node:assert/strict'
import test from 'ava'
import { startCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const names = Array.from({ length: 12 }, (_, index) => `c${index}`)

/** Id to when it started, of what runs now. */
async function runs(scene: Scene): Promise<Map<string, string>> {
  const found = await Promise.all(names.map((name) => scene.inspect(name)))
  return new Map(found.filter((each) => each?.State.Running).map(({ Id, State }) => [Id, State.StartedAt]))
}

function manifest(namespace: string): string {
  const spec = { image: baseImage, command: ['sleep', '86400'], terminationGracePeriodSeconds: 0 }
  const items = names.map((name) => ({
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, namespace },
    spec,
  }))
  return items.map((item) => JSON.stringify(item)).join('\n---\n')
}

test('an agent killed in the middle of a plan finishes it, makes nothing twice and touches nothing that runs', async (t) => {
  const cove = await startCove(t)
  const scene = await makeScene(cove)
  const record = await scene.record()
  t.teardown(record.stop)
  const applied = await cove.cli(['apply', '-f', '-'], manifest(scene.namespace))
  t.is(applied.code, 0, applied.stderr)
  await scene.eventually('the third container', async () => {
    assert.ok((await runs(scene)).size >= 3)
  })
  await cove.kill('SIGKILL')
  const before = await runs(scene)
  await cove.restart()
  for (const name of names) await scene.ready(name)
  const after = await runs(scene)
  t.is(after.size, names.length)
  for (const [id, startedAt] of before) t.is(after.get(id), startedAt)
  const history = record.lines
  const expected = (action: string) => names.map((name) => `${action} ${name}`).sort()
  t.deepEqual(history.filter((line) => line.startsWith('create')).sort(), expected('create'))
  t.deepEqual(history.filter((line) => line.startsWith('start')).sort(), expected('start'))
  t.deepEqual(
    history.filter((line) => /^(die|kill|destroy|stop)/.test(line)),
    [],
  )
  t.log(`${before.size} of ${names.length} ran when it was killed`)
})

test('an agent that is stopped and started again touches nothing', async (t) => {
  const cove = await startCove(t)
  const scene = await makeScene(cove)
  await scene.create('Volume', 'data', { spec: {} })
  await scene.create('Network', 'back', { spec: {} })
  await scene.create('Secret', 'login', { stringData: { password: 'one' } })
  const mounts = [
    { mountPath: '/data', volume: 'data' },
    { mountPath: '/login', secret: 'login' },
  ]
  const resources = { limits: { memory: '64Mi', pids: 50 } }
  await scene.running('c0', { mounts, networks: [{ name: 'back', aliases: ['www'] }], resources })
  await scene.running('c1', { healthcheck: { shell: 'true', interval: '1s' } })
  const record = await scene.record()
  t.teardown(record.stop)
  const before = await runs(scene)
  await cove.kill('SIGTERM')
  t.deepEqual(await runs(scene), before)
  await cove.restart()
  await scene.running('probe')
  t.true(record.lines.includes('start probe'))
  const others = record.lines.filter((line) => !line.endsWith(' probe') && !/^(exec|health)/.test(line))
  t.deepEqual(others, [])
  t.deepEqual(await runs(scene), before)
  t.notRegex(cove.log(), /ERROR|op failed/)
})
