/** What a container may do to its node: set in the manifest, seen in the engine and in the process, changed, defended. */
import assert from 'node:assert/strict'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { type Fields, makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

/** What `cove diff` tells of changing Container web to this spec. */
async function announced(scene: Scene, spec: Fields): Promise<string> {
  const manifest = {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name: 'web', namespace: scene.namespace },
    spec: { image: baseImage, command: ['sleep', '86400'], terminationGracePeriodSeconds: 0, ...spec },
  }
  const { code, stdout, stderr } = await cove().cli(['diff', '-f', '-'], JSON.stringify(manifest))
  assert.equal(code, 1, stderr)
  return stdout
}

/** Of the container's first process, by the kernel: `CapEff`, `NoNewPrivs`, `Seccomp`. */
async function kernelSays(scene: Scene, line: string): Promise<string> {
  const found = await scene.exec('web', ['sh', '-c', `grep ^${line}: /proc/1/status`])
  return found.split(/\s+/)[1] ?? ''
}

test('a read-only root file system cannot be written, until the manifest lets it', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', {
    mounts: [{ tmpfs: {}, mountPath: '/scratch' }],
    securityContext: { readOnlyRootFilesystem: true },
  })
  await scene.sees('web', { HostConfig: { ReadonlyRootfs: true } })
  await t.throwsAsync(scene.exec('web', ['touch', '/file']), { message: /Read-only file system/ })
  await scene.exec('web', ['touch', '/scratch/file'])
  const open = { securityContext: { readOnlyRootFilesystem: false } }
  t.regex(
    await announced(scene, { ...open, mounts: [{ tmpfs: {}, mountPath: '/scratch' }] }),
    /spec\.securityContext\.readOnlyRootFilesystem: true -> false {2}\(recreate\)/,
  )
  await scene.patchSpec('web', open)
  await scene.replaced('web', id)
  await scene.sees('web', { HostConfig: { ReadonlyRootfs: false } })
  await scene.exec('web', ['touch', '/file'])
})

test('capabilities are those of the manifest', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', {
    securityContext: { capabilities: { drop: ['ALL'], add: ['CHOWN'] } },
  })
  await scene.sees('web', { HostConfig: { CapAdd: ['CHOWN'], CapDrop: ['ALL'] } })
  t.is(await kernelSays(scene, 'CapEff'), '0000000000000001')
  const less = { securityContext: { capabilities: { drop: ['ALL'], add: [] } } }
  t.regex(
    await announced(scene, less),
    /spec\.securityContext\.capabilities\.add\[0\]: removed "CHOWN" {2}\(recreate\)/,
  )
  await scene.patchSpec('web', less)
  await scene.replaced('web', id)
  t.is(await kernelSays(scene, 'CapEff'), '0000000000000000')
})

test('a process gains no rights where escalation is not allowed', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { securityContext: { allowPrivilegeEscalation: false } })
  await scene.sees('web', { HostConfig: { SecurityOpt: ['no-new-privileges'] } })
  t.is(await kernelSays(scene, 'NoNewPrivs'), '1')
  const allowed = { securityContext: { allowPrivilegeEscalation: true } }
  t.regex(
    await announced(scene, allowed),
    /spec\.securityContext\.allowPrivilegeEscalation: false -> true {2}\(recreate\)/,
  )
  await scene.patchSpec('web', allowed)
  await scene.replaced('web', id)
  t.is(await kernelSays(scene, 'NoNewPrivs'), '0')
})

test('system calls are filtered unless the manifest says otherwise', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  t.is(await kernelSays(scene, 'Seccomp'), '2')
  const unconfined = { securityContext: { seccompProfile: { type: 'Unconfined' } } }
  t.regex(
    await announced(scene, unconfined),
    /spec\.securityContext\.seccompProfile\.type: added "Unconfined" {2}\(recreate\)/,
  )
  await scene.patchSpec('web', unconfined)
  await scene.replaced('web', id)
  await scene.sees('web', { HostConfig: { SecurityOpt: ['seccomp=unconfined'] } })
  t.is(await kernelSays(scene, 'Seccomp'), '0')
})

test('a privileged container is one to the engine, and the next is none', async (t) => {
  const scene = await makeScene(cove())
  // Whether it starts is up to the machine: in a machine within a machine root may not have every right itself.
  await scene.run('web', { securityContext: { privileged: true } })
  const { Id } = await scene.sees('web', { HostConfig: { Privileged: true } })
  const usual = { securityContext: { privileged: false } }
  t.regex(await announced(scene, usual), /spec\.securityContext\.privileged: true -> false {2}\(recreate\)/)
  await scene.patchSpec('web', usual)
  await scene.eventually('another container', async () =>
    assert.notEqual((await scene.inspect('web'))?.Id ?? Id, Id),
  )
  await scene.sees('web', { HostConfig: { Privileged: false }, State: { Running: true } })
  await scene.ready('web')
})

test('an image that runs as root is refused where that is forbidden, and a user by number runs', async (t) => {
  const scene = await makeScene(cove())
  const forbidden = { securityContext: { runAsNonRoot: true } }
  await scene.run('web', forbidden)
  t.is(
    await scene.notReady('web', 'CreateContainerConfigError'),
    'spec.securityContext.runAsNonRoot: container has runAsNonRoot and image will run as root; set spec.user to a number other than 0',
  )
  t.is(await scene.inspect('web'), undefined)
  t.regex(
    await cove().kubectl.ok(['get', 'pods', '-n', scene.namespace]),
    /^web +0\/1 +CreateContainerConfigError /m,
  )
  await scene.patchSpec('web', { user: '1000:1000' })
  const id = await scene.ready('web')
  t.is(await scene.exec('web', ['id', '-u']), '1000')
  const allowed = { user: '1000:1000', securityContext: { runAsNonRoot: false } }
  t.regex(
    await announced(scene, allowed),
    /spec\.securityContext\.runAsNonRoot: true -> false {2}\(recreate\)/,
  )
  await scene.patchSpec('web', allowed)
  await scene.replaced('web', id)
})

test('what runs goes on when its successor would be root', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { user: '1000', securityContext: { runAsNonRoot: true } })
  await scene.patchSpec('web', { user: null })
  const { status } = await scene.until('web', ({ conditions }) => {
    assert.equal(findCondition(conditions, 'UpToDate')?.reason, 'CreateContainerConfigError')
  })
  t.is(status?.phase, 'Running')
  t.is(status?.containerID, id)
  await scene.sees('web', { Id: id, State: { Running: true } })
})

test('whom an image runs as decides: a number may, a name cannot be told from root', async (t) => {
  const scene = await makeScene(cove())
  const securityContext = { runAsNonRoot: true }
  const numbered = await scene.image('numbered', ['USER 1234'])
  const named = await scene.image('named', ['RUN echo app:x:0:0::/: > /etc/passwd', 'USER app'])
  await scene.running('web', { image: numbered, securityContext })
  t.is(await scene.exec('web', ['id', '-u']), '1234')
  await scene.run('named', { image: named, securityContext })
  t.regex(
    await scene.notReady('named', 'CreateContainerConfigError'),
    /image has non-numeric user \(app\), cannot verify user is non-root/,
  )
})

test("on the node's network a container sees its links, and on none only itself", async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { networkMode: 'host' })
  await scene.sees('web', { HostConfig: { NetworkMode: 'host' } })
  const links = async () =>
    (await scene.exec('web', ['ls', '/sys/class/net'])).split(/\s+/).filter((link) => link !== '')
  t.true((await links()).length > 1)
  t.regex(
    await announced(scene, { networkMode: 'none' }),
    /spec\.networkMode: "host" -> "none" {2}\(recreate\)/,
  )
  await scene.patchSpec('web', { networkMode: 'none' })
  const second = await scene.replaced('web', id)
  await scene.sees('web', { HostConfig: { NetworkMode: 'none' } })
  t.is((await scene.exec('web', ['ip', '-o', 'link', 'show', 'up'])).split('\n').length, 1)
  await scene.patchSpec('web', { networkMode: 'bridge' })
  await scene.replaced('web', second)
  await scene.sees('web', { HostConfig: { NetworkMode: 'bridge' } })
})

test('a container that shall have no network, and was connected to one, is cut off again', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { networkMode: 'none' })
  await scene.call('POST', '/networks/none/disconnect', { Container: id })
  // Cove may be back before somebody joins another network: then there is nothing left to put right but this.
  const joined = await scene.raw.request('POST', '/networks/bridge/connect', { Container: id })
  if (joined.status !== 200) t.regex(joined.text, /private \(none\) mode/)
  await scene.eventually('the network none, alone', async () => {
    const { NetworkSettings } = await scene.inspect(id)
    assert.deepEqual(Object.keys(NetworkSettings.Networks), ['none'])
  })
  t.is(await scene.ready('web'), id)
  await scene.told('web', 'spec.networks: want none, found it disconnected')
})

test('a container that has the labels but more rights than the manifest does not stay', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  const { Config } = await scene.inspect('web')
  // Made and not started: Cove may take it away before a start.
  const { Id: look } = await scene.call('POST', `/containers/create?name=${scene.engineName('web')}.double`, {
    Image: Config.Image,
    Cmd: Config.Entrypoint,
    Labels: { ...Config.Labels, 'cove-test/owner': cove().mark },
    HostConfig: { CapAdd: ['NET_RAW', 'SYS_CHROOT'], NetworkMode: 'bridge' },
  })
  await scene.vanished(look)
  t.is(await scene.ready('web'), id)
})
