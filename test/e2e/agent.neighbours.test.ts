/** An engine is shared: with people who start containers by hand, and with other Coves. */
import test from 'ava'
import { sharedCove, startCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

test("a stranger's container is left as it is, whatever happens to Cove's own", async (t) => {
  const own = await startCove(t)
  const scene = await makeScene(own)
  const strangers = ['runs', 'paused', 'ended'].map((name) => `stranger-${scene.namespace}-${name}`)
  const ids = await Promise.all(strangers.map((name) => scene.stranger(name)))
  await scene.call('POST', `/containers/${ids[1]}/pause`)
  await scene.call('POST', `/containers/${ids[2]}/kill`)
  const look = async () =>
    (await Promise.all(ids.map((id) => scene.inspect(id)))).map(({ Id, Name, State, HostConfig }) => ({
      Id,
      Name,
      State,
      HostConfig,
    }))
  const before = await look()
  await scene.running('web')
  await scene.patchSpec('web', { env: [{ name: 'A', value: '1' }] })
  await scene.ready('web')
  await scene.delete('Container', 'web')
  await scene.gone('Container', 'web')
  await own.kill('SIGTERM')
  await own.restart()
  await scene.running('web')
  t.deepEqual(await look(), before)
})

test('a stranger under the wanted name is named, left alone, and followed when it goes', async (t) => {
  const scene = await makeScene(cove())
  const name = scene.engineName('web')
  const stranger = await scene.stranger(name)
  await scene.run('web')
  const message = await scene.notReady('web', 'NameConflict')
  t.true(message.includes(`another container named ${name} (${stranger.slice(0, 12)}, image `), message)
  t.true((await scene.inspect(stranger)).State.Running)
  await scene.call('DELETE', `/containers/${stranger}?force=1`)
  t.not(await scene.ready('web'), stranger)
})

test('two Coves on one engine do not touch what the other has', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  const mounts = [{ volume: 'data', mountPath: '/data' }]
  const id = await scene.running('web', { mounts })
  await scene.exec('web', ['sh', '-c', 'echo kept > /data/file'])
  const { StartedAt } = (await scene.inspect('web')).State

  const other = await startCove(t)
  const twin = await makeScene(other, scene.namespace)
  await twin.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  await twin.run('web')
  t.regex(await twin.notReady('web', 'NameConflict'), new RegExp(id.slice(0, 12)))
  const mine = await twin.running('own')
  await twin.delete('Container', 'web')
  await twin.delete('Volume', 'data')
  await twin.gone('Container', 'web')
  await twin.gone('Volume', 'data')
  await scene.running('more')
  t.is((await twin.inspect('own')).Id, mine)
  const { Id, State } = await scene.inspect('web')
  t.deepEqual([Id, State.StartedAt, State.Running], [id, StartedAt, true])
  t.is(await scene.exec('web', ['cat', '/data/file']), 'kept')
})
