/** Host ports and host paths that are not to be had: said as such, and taken as soon as they are. */
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { freePort } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test)

test("a host port that somebody's container has is told with its holder, and taken when it is free", async (t) => {
  const scene = await makeScene(cove())
  const hostPort = await freePort()
  const name = `stranger-${scene.namespace}`
  const stranger = await scene.stranger(name, {
    ExposedPorts: { '80/tcp': {} },
    HostConfig: { PortBindings: { '80/tcp': [{ HostPort: String(hostPort) }] } },
  })
  const holder = `host port ${hostPort} is held by container ${name} (${stranger.slice(0, 12)})`
  await scene.run('web', { ports: [{ containerPort: 80, hostPort }] })
  const message = await scene.notReady('web', 'HostPortInUse')
  t.true(message.includes(holder), message)
  await scene.call('DELETE', `/containers/${stranger}?force=1`)
  await scene.ready('web')
  const { status } = await scene.until('web', { phase: 'Running' })
  t.true(status?.ports?.some((port) => port.hostPort === hostPort && port.containerPort === 80))
})

test('a host port that a process has is told, and taken when it is free', async (t) => {
  const scene = await makeScene(cove())
  const hostPort = await freePort()
  const server = createServer()
  server.listen(hostPort, '0.0.0.0')
  await once(server, 'listening')
  await scene.run('web', { ports: [{ containerPort: 80, hostPort }] })
  const message = await scene.notReady('web', 'HostPortInUse')
  t.true(message.includes(String(hostPort)), message)
  server.close()
  await once(server, 'close')
  await scene.ready('web')
})

test('another host port is tried at once', async (t) => {
  const scene = await makeScene(cove())
  const [taken, free] = [await freePort(), await freePort()]
  const server = createServer()
  server.listen(taken, '0.0.0.0')
  await once(server, 'listening')
  t.teardown(() => server.close())
  await scene.run('web', { ports: [{ containerPort: 80, hostPort: taken }] })
  await scene.notReady('web', 'HostPortInUse')
  await scene.patchSpec('web', { ports: [{ containerPort: 80, hostPort: free }] })
  t.truthy(await scene.ready('web'))
})

test('a host path that is not there is told, and never made', async (t) => {
  const scene = await makeScene(cove())
  const hostPath = join(await makeTempDir(t, 'mount'), 'missing')
  await scene.run('web', { mounts: [{ hostPath, mountPath: '/host' }] })
  const message = await scene.notReady('web', 'MountSourceMissing')
  t.true(message.includes(hostPath), message)
  await mkdir(hostPath)
  await scene.ready('web')
})
