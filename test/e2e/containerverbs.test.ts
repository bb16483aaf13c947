/** start, stop, restart, pause, unpause, rm, rename, wait and attach as processes against a real engine. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { ok, oneByOne, run, terminal } from '#test/helpers/lines.ts'

const cove = sharedCove(test)
const titled = oneByOne(test, cove)

titled(
  'stop and start change what is desired, and wait for it; the container stays the same',
  async (_t, scene) => {
    const id = await scene.running('web', { restartPolicy: 'Never' })
    assert.equal(await ok(scene, 'stop web'), 'web\n')
    await scene.sees('web', { Id: id, State: { Status: 'exited' } })
    assert.equal((await scene.get('Container', 'web')).spec.state, 'Stopped')
    await ok(scene, 'stop web')
    await ok(scene, 'start web')
    await scene.sees('web', { Id: id, State: { Status: 'running' } })
    await ok(scene, 'start web')
  },
)

titled('stop -t gives the time this once, and the exit code tells how it ended', async (_t, scene) => {
  const command = ['sh', '-c', "trap 'exit 3' TERM; while true; do sleep 0.1; done"]
  await scene.running('polite', { command, restartPolicy: 'Never', terminationGracePeriodSeconds: 30 })
  await scene.running('deaf', { restartPolicy: 'Never', terminationGracePeriodSeconds: 30 })
  await ok(scene, 'stop -t 1 polite deaf')
  assert.equal((await scene.inspect('polite')).State.ExitCode, 3)
  assert.equal((await scene.inspect('deaf')).State.ExitCode, 137)
  assert.equal((await scene.get('Container', 'deaf')).spec.terminationGracePeriodSeconds, 30)
})

titled('restart begins the same container anew, also one that was stopped', async (_t, scene) => {
  const id = await scene.running('web')
  const first = (await scene.inspect('web')).State.StartedAt
  assert.equal(await ok(scene, 'restart web'), 'web\n')
  const again = await scene.inspect('web')
  assert.equal(again.Id, id)
  assert.notEqual(again.State.StartedAt, first)
  await ok(scene, 'stop web')
  await ok(scene, 'restart web')
  await scene.sees('web', { Id: id, State: { Status: 'running' } })
})

titled('pause freezes and unpause goes on; what cannot be is said', async (_t, scene) => {
  await scene.running('web')
  await ok(scene, 'pause web')
  assert.equal((await scene.inspect('web')).State.Paused, true)
  assert.match((await run(scene, 'pause web')).stderr, /^error: container web is paused already/)
  assert.match((await run(scene, 'start web')).stderr, /is paused: `cove unpause`/)
  await ok(scene, 'unpause web')
  await scene.sees('web', { State: { Status: 'running' } })
  assert.match((await run(scene, 'unpause web')).stderr, /is not paused/)
  await ok(scene, 'stop web')
  const refused = await run(scene, 'pause web nosuch')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /container web is not running\n/)
  assert.match(refused.stderr, /NotFound/)
})

titled('rm refuses what runs, and takes it with -f', async (_t, scene) => {
  await scene.running('web', { terminationGracePeriodSeconds: 60 })
  const refused = await run(scene, 'rm web')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /cannot remove a running container web: stop it first, or use -f/)
  const began = performance.now()
  assert.equal(await ok(scene, 'rm -f web'), 'web\n')
  assert.ok(performance.now() - began < 30_000)
  assert.equal(await scene.inspect('web'), undefined)
  assert.equal((await run(scene, 'rm web')).code, 1)
  assert.equal((await run(scene, 'rm -f web')).code, 0)
  await ok(scene, 'run --name job IMAGE true')
  await ok(scene, 'rm -v job')
})

titled('wait prints the exit code once it is there', async (_t, scene) => {
  const began = performance.now()
  await ok(scene, "run -d --name job IMAGE sh -c 'sleep 1; exit 4'")
  assert.equal(await ok(scene, 'wait job'), '4\n')
  assert.ok(performance.now() - began < 15_000)
  assert.equal(await ok(scene, 'wait container/job'), '4\n')
  await scene.running('web')
  const late = await run(scene, 'wait --timeout 1s web')
  assert.equal(late.code, 1)
})

titled('rename makes a new container with the same Volume, when told to', async (_t, scene) => {
  await ok(
    scene,
    "run -d --name old -v data:/d -l app=web --restart always --stop-timeout 1 IMAGE sh -c 'echo was here >> /d/f; sleep 86400'",
  )
  const refused = await run(scene, 'rename old new')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /by a new container: .* Nothing was done: say --yes/)
  assert.equal(await ok(scene, 'rename old new --yes'), 'container.cove.run/new took the place of old\n')
  await scene.ready('new')
  assert.equal(await scene.inspect('old'), undefined)
  assert.match(await scene.exec('new', ['cat', '/d/f']), /^was here/)
  assert.deepEqual((await scene.get('Container', 'new')).metadata.labels.app, 'web')
})

titled('attach asks first, leaves a shell running by its keys, and ends it by exit', async (t, scene) => {
  await scene.running('shell', { command: ['sh'], stdin: true, tty: true, restartPolicy: 'Never' })
  const no = await terminal(scene, 'attach -it shell', [{ after: '[y/N] ', type: 'n\r' }])
  assert.match(no.output, /exit or Ctrl-D ends container shell; Ctrl-P Ctrl-Q leaves it running/)
  const keys = await terminal(scene, 'attach -it shell', [
    { after: '[y/N] ', type: 'y\r' },
    { after: 'enter.', type: '\r' },
    { after: '# ', type: 'echo $((20+3))\r' },
    { after: '23\r\n', type: '\x10\x11' },
  ])
  t.log(keys.output)
  assert.equal(keys.code, 0)
  assert.equal(keys.restored, true)
  assert.equal((await scene.inspect('shell')).State.Running, true)
  await terminal(scene, 'attach -it --yes shell', [
    { after: 'enter.', type: '\r' },
    { after: '# ', type: 'exit\r' },
  ])
  await scene.sees('shell', { State: { Status: 'exited', ExitCode: 0 } })
})
