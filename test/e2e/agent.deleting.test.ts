/** Deleting is graceful, complete, and waited for by the tools people use. */
import test from 'ava'
import { sharedCove, startCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

test('kubectl delete waits until the container has ended gracefully and is gone', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: {} })
  const mounts = [{ volume: 'data', mountPath: '/data' }]
  const trap = "trap 'echo goodbye > /data/last; exit 0' TERM; touch /data/up; while :; do sleep 0.1; done"
  const id = await scene.running('app', {
    mounts,
    command: ['sh', '-c', trap],
    terminationGracePeriodSeconds: 10,
  })
  await scene.eventually('the trap', () => scene.exec('app', ['test', '-e', '/data/up']))
  const object = ['containers.cove.run/app', '-n', scene.namespace]
  await cove().kubectl.ok(['delete', ...object, '--timeout=30s'])
  t.is(await scene.inspect(id), undefined)
  await scene.running('reader', { mounts })
  t.is(await scene.exec('reader', ['cat', '/data/last']), 'goodbye')
})

test('anonymous volumes of the image go with the container', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('anon', ['VOLUME /scratch'])
  await scene.running('app', { image })
  const [{ Name }] = (await scene.inspect('app')).Mounts
  t.is((await scene.raw.request('GET', `/volumes/${Name}`)).status, 200)
  await scene.delete('Container', 'app')
  await scene.gone('Container', 'app')
  t.is((await scene.raw.request('GET', `/volumes/${Name}`)).status, 404)
})

test('a namespace takes everything in it along', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  await scene.create('Network', 'back', { spec: {} })
  await scene.create('ConfigMap', 'settings', { data: { a: '1' } })
  const id = await scene.running('app', {
    networks: [{ name: 'back' }],
    mounts: [
      { volume: 'data', mountPath: '/data' },
      { configMap: 'settings', mountPath: '/settings' },
    ],
  })
  await scene.run('broken', { command: ['nosuch'] })
  await scene.notReady('broken', 'ExecutableNotFound')
  await cove().kubectl.ok(['delete', 'namespace', scene.namespace, '--timeout=30s'])
  t.is(await scene.inspect(id), undefined)
  t.is(await scene.inspect('broken'), undefined)
  for (const path of [`/volumes/${scene.engineName('data')}`, `/networks/${scene.engineName('back')}`])
    t.is((await scene.raw.request('GET', path)).status, 404, path)
})

test('a container that somebody removed first is deleted all the same', async (t) => {
  const own = await startCove(t)
  const scene = await makeScene(own)
  const id = await scene.running('app')
  await own.kill('SIGTERM')
  await scene.call('DELETE', `/containers/${id}?force=1`)
  await own.restart()
  await scene.delete('Container', 'app')
  await scene.gone('Container', 'app')
  t.is(await scene.inspect('app'), undefined)
})
