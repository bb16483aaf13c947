/** What somebody does to a container behind Cove's back is put right, and an event names the field. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

test.after('nothing was tried in vain, and nothing twice', () => {
  assert.doesNotMatch(cove().log(), /op failed/)
})

test('a killed container is started again, the same one', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  const { StartedAt } = (await scene.inspect('web')).State
  await scene.call('POST', `/containers/${id}/kill`)
  await scene.told('web', 'spec.state: want Running, found exited with exit code 137')
  const { State } = await scene.sees('web', { Id: id, State: { Running: true } })
  t.not(State.StartedAt, StartedAt)
  const { status } = await scene.until('web', { restartCount: 1 })
  t.like(status?.lastTermination, { exitCode: 137, reason: 'Error' })
})

test('a stopped container is started again, the same one', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('POST', `/containers/${id}/stop?t=0`)
  await scene.told('web', 'spec.state: want Running, found exited')
  t.is(await scene.ready('web'), id)
})

test('a removed container is made again', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('DELETE', `/containers/${id}?force=1`)
  const { Id } = await scene.sees('web', { State: { Running: true } })
  t.not(Id, id)
  await scene.told('web', 'because it does not exist')
})

test('a paused container goes on', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('POST', `/containers/${id}/pause`)
  await scene.told('web', 'spec.state: want Running, found paused')
  await scene.sees('web', { State: { Status: 'running', Paused: false } })
  t.is(await scene.ready('web'), id)
})

test('an image that lost its name is named again', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('own', ['ENV A=1'])
  const id = await scene.running('web', { image })
  await scene.call('DELETE', `/images/${image}?force=1`)
  await scene.told('web', `spec.image: the name ${image} was taken from the image that runs`)
  await scene.call('GET', `/images/${image}/json`)
  t.is(await scene.ready('web'), id)
})

test('a disconnected network is connected again, without a restart', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Network', 'back', { spec: {} })
  const id = await scene.running('web', { networks: [{ name: 'back', aliases: ['www'] }] })
  const network = scene.engineName('back')
  await scene.call('POST', `/networks/${network}/disconnect`, { Container: id, Force: true })
  await scene.told('web', `spec.networks: want ${network}, found it disconnected`)
  const { NetworkSettings } = await scene.sees('web', { NetworkSettings: { Networks: { [network]: {} } } })
  t.true(NetworkSettings.Networks[network].Aliases.includes('www'))
  t.is(await scene.ready('web'), id)
})

test('limits that were raised are lowered in place', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { resources: { limits: { memory: '64Mi', pids: 50, cpu: '500m' } } })
  const wrong = { Memory: 128 * 2 ** 20, MemorySwap: 128 * 2 ** 20, PidsLimit: 99 }
  await scene.call('POST', `/containers/${id}/update`, wrong)
  const memory = `spec.resources.limits.memory: want ${64 * 2 ** 20}, found ${128 * 2 ** 20}`
  await scene.told('web', `${memory}; spec.resources.limits.pids: want 50, found 99`)
  await scene.sees('web', {
    HostConfig: {
      Memory: 64 * 2 ** 20,
      PidsLimit: 50,
      NanoCpus: 5e8,
    },
  })
  t.is(await scene.ready('web'), id)
})

test('a memory limit where none is wanted costs the container its life', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('POST', `/containers/${id}/update`, { Memory: 64 * 2 ** 20, MemorySwap: 64 * 2 ** 20 })
  await scene.told('web', `spec.resources.limits.memory: want none, found ${64 * 2 ** 20}`)
  const { Id } = await scene.sees('web', { State: { Running: true }, HostConfig: { Memory: 0 } })
  t.not(Id, id)
  await scene.vanished(id)
})

test('a renamed container gets its name back', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('POST', `/containers/${id}/rename?name=${scene.engineName('other')}`)
  await scene.told(
    'web',
    `metadata.name: want ${scene.engineName('web')}, found ${scene.engineName('other')}`,
  )
  const { Id } = await scene.sees('web', { Name: `/${scene.engineName('web')}` })
  t.is(Id, id)
})

test('a restart policy of the engine is taken away: Cove restarts, and only Cove', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.call('POST', `/containers/${id}/update`, { RestartPolicy: { Name: 'always' } })
  await scene.told('web', "the engine's restart policy: want no, found always")
  await scene.sees('web', { HostConfig: { RestartPolicy: { Name: 'no' } } })
  t.is(await scene.ready('web'), id)
})
