/** What a container is made from: content counts, wording does not, and what can change in place does. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

test('a changed Secret and a changed ConfigMap make the container anew, with the new content', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Secret', 'login', { stringData: { password: 'one' } })
  await scene.create('ConfigMap', 'settings', { data: { mode: 'slow', 'app.conf': 'a=1\n' } })
  const env = [
    { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'login', key: 'password' } } },
    { name: 'MODE', valueFrom: { configMapKeyRef: { name: 'settings', key: 'mode' } } },
  ]
  const mounts = [
    { mountPath: '/login', secret: 'login' },
    { mountPath: '/settings', configMap: 'settings' },
  ]
  const show = () =>
    scene.exec('app', ['sh', '-c', 'echo $PASSWORD $MODE $(cat /login/password) $(cat /settings/app.conf)'])
  const first = await scene.running('app', { env, mounts })
  t.is(await show(), 'one slow one a=1')

  await scene.patch('Secret', 'login', { stringData: { password: 'two' } })
  const second = await scene.replaced('app', first)
  t.is(await show(), 'two slow two a=1')

  await scene.patch('ConfigMap', 'settings', { data: { mode: 'fast', 'app.conf': 'a=2\n' } })
  await scene.replaced('app', second)
  t.is(await show(), 'two fast two a=2')
})

test('labels and the order of keys do not touch the container', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('ConfigMap', 'settings', { data: { a: '1', b: '2' } })
  const [a, b] = [
    { name: 'A', value: '1' },
    { name: 'B', value: '2' },
  ]
  const mounts = [{ mountPath: '/settings', configMap: 'settings' }]
  const id = await scene.running('app', { env: [a, b], mounts })
  await scene.patch('ConfigMap', 'settings', { data: { b: '2', a: '1' }, metadata: { labels: { x: 'y' } } })
  await scene.patch('Container', 'app', { metadata: { labels: { x: 'y' } }, spec: { env: [b, a] } })
  await scene.patchSpec('app', { terminationGracePeriodSeconds: 1 })
  t.is(await scene.ready('app'), id)
})

test('limits change in place, down to the cgroup', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('app', { resources: { limits: { memory: '64Mi', pids: 40 } } })
  const { StartedAt } = (await scene.inspect('app')).State
  await scene.patchSpec('app', { resources: { limits: { memory: '96Mi', pids: 50, cpu: '250m' } } })
  t.is(await scene.ready('app'), id)
  const { State } = await scene.sees('app', {
    HostConfig: { Memory: 96 * 2 ** 20, PidsLimit: 50, NanoCpus: 25e7 },
  })
  t.is(State.StartedAt, StartedAt)
  const groups = await readFile(`/proc/${State.Pid}/cgroup`, 'utf8')
  const path = /^\d+:memory:(.*)$/m.exec(groups)?.[1]
  const file =
    path === undefined
      ? `/sys/fs/cgroup${/^0::(.*)$/m.exec(groups)?.[1]}/memory.max`
      : `/sys/fs/cgroup/memory${path}/memory.limit_in_bytes`
  t.is(Number(await readFile(file, 'utf8')), 96 * 2 ** 20)
})

test('networks are joined and left by a running container; names and aliases resolve within them only', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'front', { spec: {} })
  await scene.create('Network', 'back', { spec: {} })
  await scene.running('db', { networks: [{ name: 'back', aliases: ['database'] }] })
  const id = await scene.running('web', { networks: [{ name: 'front' }] })
  const { StartedAt } = (await scene.inspect('web')).State
  const lookup = (name: string) => scene.exec('web', ['nslookup', name, '127.0.0.11'])
  await t.throwsAsync(lookup('db'))

  await scene.patchSpec('web', { networks: [{ name: 'front' }, { name: 'back' }] })
  t.is(await scene.ready('web'), id)
  const back = scene.engineName('back')
  const address = (await scene.inspect('db')).NetworkSettings.Networks[back].IPAddress
  for (const name of ['db', 'database']) t.true((await lookup(name)).includes(address))
  await scene.exec('web', ['ping', '-c', '1', '-W', '2', address])

  await scene.patchSpec('web', { networks: [{ name: 'front' }] })
  t.is(await scene.ready('web'), id)
  await t.throwsAsync(lookup('db'))
  await t.throwsAsync(scene.exec('web', ['ping', '-c', '1', '-W', '1', address]))
  const { State, NetworkSettings } = await scene.inspect('web')
  t.is(State.StartedAt, StartedAt)
  assert.deepEqual(Object.keys(NetworkSettings.Networks), [scene.engineName('front')])
})
