/** When containers start, in which order, and what becomes of them when they end. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const isThere = (path: string) => ({ shell: `test -e ${path}`, interval: '1s', timeout: '20s', retries: 1 })
const sh = (line: string) => ['sh', '-c', line]

test('a container starts after what it depends on has started, is healthy, has completed', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('app', {
    dependsOn: [
      { container: 'cache' },
      { container: 'db', condition: 'Healthy' },
      { container: 'migrate', condition: 'Completed' },
    ],
  })
  t.regex(
    await scene.notReady('app', 'DependencyNotReady'),
    /Container cache must be Started, but it is not on/,
  )
  await scene.running('cache')
  await scene.run('db', { healthcheck: { ...isThere('/ready'), onUnhealthy: 'None' } })
  await scene.eventually('the reason', async () =>
    assert.match(
      await scene.notReady('app', 'DependencyNotReady'),
      /Container db must be Healthy, but it is/,
    ),
  )
  await scene.sees('db', { State: { Running: true } })
  await scene.exec('db', ['touch', '/ready'])
  await scene.run('migrate', { command: sh('sleep 1; exit 0'), restartPolicy: 'Never' })
  await scene.ready('app')
  const [app, migrate, db] = await Promise.all(['app', 'migrate', 'db'].map((name) => scene.inspect(name)))
  t.true(app.State.StartedAt > migrate.State.FinishedAt)
  t.true(app.State.StartedAt > db.State.StartedAt)
  t.is(migrate.State.ExitCode, 0)
})

test('a container that turns unhealthy is restarted, and its checks are shown', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', {
    command: sh('rm -f /sick; sleep 86400'),
    healthcheck: { shell: 'echo checked; test ! -e /sick', interval: '1s', timeout: '20s', retries: 1 },
  })
  const { status } = await scene.until('web', { health: { status: 'healthy' } })
  t.like(status?.health?.log.at(-1), { exitCode: 0, output: 'checked\n' })
  await scene.exec('web', ['touch', '/sick'])
  await scene.told('web', 'status.health: unhealthy after')
  t.is(await scene.ready('web'), id)
  t.is((await scene.until('web', { restartCount: 1, health: { status: 'healthy' } })).status?.containerID, id)
})

test("a disabled healthcheck switches the image's off", async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('sick', ['HEALTHCHECK --interval=1s --retries=1 CMD false'])
  await scene.running('web', { image, healthcheck: { disabled: true } })
  const { State } = await scene.inspect('web')
  t.is(State.Health, undefined)
  t.is((await scene.until('web', {})).status?.health, undefined)
})

test('what crashes is restarted at once, then ever later, and status says when', async (t) => {
  const scene = await makeScene(cove())
  for (const restartPolicy of ['Always', 'OnFailure'])
    await scene.run(restartPolicy.toLowerCase(), { command: sh('exit 3'), restartPolicy })
  for (const name of ['always', 'onfailure']) {
    const message = await scene.notReady(name, 'CrashLoopBackOff')
    t.regex(message, /back-off 10s after 2 ends in a row, the last with exit code 3/)
    const { status } = await scene.until(name, { restartCount: 1, crashStreak: 2, phase: 'Failed' })
    const pause = Date.parse(status?.nextRestartAt ?? '') - Date.parse(status?.finishedAt ?? '')
    t.true(Math.abs(pause - 10_000) < 1500, `${pause}`)
    t.like(status?.lastTermination, { exitCode: 3, reason: 'Error' })
  }
})

test('what ended as it should stays ended', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('never', { command: sh('exit 3'), restartPolicy: 'Never' })
  await scene.run('once', { command: sh('exit 0'), restartPolicy: 'OnFailure' })
  await scene.until('never', { phase: 'Failed', exitCode: 3 })
  await scene.until('once', { phase: 'Succeeded', exitCode: 0 })
  // A neighbour that comes and goes makes the agent look again.
  await scene.running('neighbour')
  await scene.delete('Container', 'neighbour')
  await scene.gone('Container', 'neighbour')
  for (const name of ['never', 'once']) {
    const { status } = await scene.until(name, {})
    t.is(status?.restartCount, 0)
    t.is((await scene.inspect(name)).State.Status, 'exited')
  }
})

test('a container is stopped, paused and running again as its state says', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  await scene.patchSpec('web', { state: 'Paused' })
  await scene.until('web', { phase: 'Paused' })
  await scene.sees('web', { Id: id, State: { Status: 'paused' } })
  await scene.patchSpec('web', { state: 'Stopped' })
  await scene.until('web', { phase: 'Stopped' })
  await scene.sees('web', { Id: id, State: { Status: 'exited' } })
  // Somebody starts it: stopped is what is wanted, so stopped it becomes.
  await scene.call('POST', `/containers/${id}/start`)
  await scene.told('web', 'spec.state: want Stopped, found running')
  await scene.sees('web', { Id: id, State: { Status: 'exited' } })
  await scene.patchSpec('web', { state: 'Running' })
  t.is(await scene.ready('web'), id)
})
