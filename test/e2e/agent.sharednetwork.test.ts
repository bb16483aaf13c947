/** Containers that share the network of another one, whatever becomes of that one. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const serve = ['sh', '-c', 'mkdir -p /www && echo hello > /www/index.html && exec httpd -f -p 8080 -h /www']
const shares = { networkMode: 'container:web' }

/** What the follower hears at its own loopback address. */
async function hears(scene: Scene): Promise<void> {
  await scene.eventually('the network of web', async () => {
    const heard = await scene.exec('sidecar', ['timeout', '3', 'wget', '-qO-', 'http://127.0.0.1:8080/'])
    assert.equal(heard, 'hello')
  })
}

test('a follower that is written down first waits for the one whose network it shares, and reaches it at localhost', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('sidecar', shares)
  const message = await scene.eventually('its reason', async () => {
    const { status } = await scene.get('Container', 'sidecar')
    return status.conditions.find(({ type }: { type: string }) => type === 'Ready').message
  })
  t.is(message, 'waits for Container web, whose network it shares')
  const id = await scene.running('web', { command: serve, ports: [{ containerPort: 8080 }] })
  await scene.ready('sidecar')
  t.is((await scene.inspect('sidecar')).HostConfig.NetworkMode, `container:${id}`)
  await hears(scene)
  const ipOf = async (name: string) => (await scene.get('Container', name)).status.ip
  t.is(await ipOf('sidecar'), await ipOf('web'))
})

test('when that one is started anew behind our back, the follower is started anew and hears it again', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: serve })
  const follower = await scene.running('sidecar', shares)
  await hears(scene)
  await scene.call('POST', `/containers/${scene.engineName('web')}/restart?t=0`)
  await scene.told('sidecar', 'it shares the network of Container web, which was started anew')
  await hears(scene)
  t.is(await scene.ready('sidecar'), follower)
})

test('when that one is replaced, the follower goes along, and both serve', async (t) => {
  const scene = await makeScene(cove())
  const web = await scene.running('web', { command: serve })
  const follower = await scene.running('sidecar', shares)
  await scene.patchSpec('web', { env: [{ name: 'A', value: '1' }] })
  const next = await scene.replaced('web', web)
  t.not(await scene.replaced('sidecar', follower), follower)
  t.is((await scene.inspect('sidecar')).HostConfig.NetworkMode, `container:${next}`)
  await hears(scene)
})

test('while that one is stopped, the follower says so; it serves again when that one is back', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: serve })
  await scene.running('sidecar', shares)
  await scene.patchSpec('web', { state: 'Stopped' })
  const message = await scene.notReady('sidecar', 'NetworkContainerNotRunning')
  t.regex(message, /it shares the network of Container web, which is exited/)
  await scene.patchSpec('web', { state: 'Running' })
  await scene.ready('web')
  await scene.ready('sidecar')
  await hears(scene)
})

test('when that one is deleted, the follower names it', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: serve })
  await scene.running('sidecar', shares)
  await scene.delete('Container', 'web')
  t.regex(await scene.notReady('sidecar', 'NetworkContainerNotRunning'), /Container web, which/)
})

test('after a reboot the one whose network is shared comes first', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web', { command: serve })
  await scene.running('sidecar', shares)
  const { lines, stop } = await scene.record()
  t.teardown(stop)
  for (const name of ['sidecar', 'web'])
    await scene.call('POST', `/containers/${scene.engineName(name)}/kill?signal=KILL`)
  await hears(scene)
  const started = lines.filter((line) => line.startsWith('start '))
  t.is(started[0], 'start web')
  t.true(started.includes('start sidecar'), started.join(', '))
})
