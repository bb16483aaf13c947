/** Data outlives containers, and objects when that is asked for; nothing in use is taken away. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const mounts = [{ volume: 'data', mountPath: '/data' }]

async function withData(scene: Scene, spec: Record<string, unknown> = {}): Promise<string> {
  await scene.create('Volume', 'data', { spec })
  const id = await scene.running('db', { mounts })
  await scene.exec('db', ['sh', '-c', 'echo kept > /data/file'])
  return id
}

test('data outlives every change of the container, and the container', async (t) => {
  const scene = await makeScene(cove())
  const ids = [await withData(scene)]
  const image = await scene.image('other', ['ENV B=1'])
  const changes = [{ env: [{ name: 'A', value: '1' }] }, { command: ['sleep', '86401'] }, { image }]
  for (const change of changes) {
    await scene.patchSpec('db', change)
    ids.push(await scene.ready('db'))
    t.is(await scene.exec('db', ['cat', '/data/file']), 'kept')
  }
  t.is(new Set(ids).size, 4)
  await scene.delete('Container', 'db')
  await scene.gone('Container', 'db')
  for (const id of ids) t.is(await scene.inspect(id), undefined)
  await scene.running('db', { mounts })
  t.is(await scene.exec('db', ['cat', '/data/file']), 'kept')
})

test('a Volume that retains leaves its data to the next object of its name', async (t) => {
  const scene = await makeScene(cove())
  await withData(scene)
  await scene.delete('Container', 'db')
  await scene.delete('Volume', 'data')
  await scene.gone('Volume', 'data')
  await scene.call('GET', `/volumes/${scene.engineName('data')}`)
  await scene.create('Volume', 'data', { spec: {} })
  await scene.running('db', { mounts })
  t.is(await scene.exec('db', ['cat', '/data/file']), 'kept')
})

test('a Volume in use waits for its user, and goes with its data when it says so', async (t) => {
  const scene = await makeScene(cove())
  await withData(scene, { reclaimPolicy: 'Delete' })
  await scene.delete('Volume', 'data')
  await scene.eventually('the reason', async () => {
    const { status } = await scene.get('Volume', 'data')
    const message = `mounted by ${scene.engineName('db')}`
    assert.partialDeepStrictEqual(status.conditions, [
      { type: 'Ready', status: 'False', reason: 'InUse', message },
    ])
  })
  t.is(await scene.exec('db', ['cat', '/data/file']), 'kept')
  await scene.delete('Container', 'db')
  await scene.gone('Volume', 'data')
  const answer = await scene.raw.request('GET', `/volumes/${scene.engineName('data')}`)
  t.is(answer.status, 404)
})

test('a volume that somebody removed is made again', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: {} })
  const path = `/volumes/${scene.engineName('data')}`
  await scene.eventually('the volume', () => scene.call('GET', path))
  await scene.call('DELETE', path)
  await scene.eventually('the volume again', () => scene.call('GET', path))
  await scene.told('data', 'because it does not exist')
  t.pass()
})
