/** A container whose healthcheck fails is begun anew, ever more slowly, until its budget is spent; and status says so. */
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

/** Passes while /ok is there. */
const check = { shell: 'test -e /ok', interval: '300ms', timeout: '2s', retries: 2 }
const works = { command: ['sh', '-c', 'touch /ok; sleep 86400'] }

function mustBeHeld({ conditions, healing }: ContainerStatus): void {
  const stalled = findCondition(conditions, 'Stalled')
  if (stalled?.reason !== 'HealingBudgetSpent') throw new Error(`Stalled: ${stalled?.reason}`)
  if (healing?.heldSince === undefined || healing.nextAt === undefined) throw new Error('no hold in status')
}

test('an unhealthy container is restarted at once and is well again', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web', { ...works, healthcheck: check })
  await scene.exec('web', ['rm', '/ok'])
  await scene.told('web', 'status.health: unhealthy after')
  t.is(await scene.ready('web'), id)
  const { status } = await scene.until('web', { restartCount: 1, health: { status: 'healthy' } })
  t.like(status?.healing?.attempts, [{ action: 'Restart' }])
})

test('with Recreate an unhealthy container makes place for a new one', async (t) => {
  const scene = await makeScene(cove())
  // What is in the container is gone with it, what is in the volume stays: only the first one is sick.
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  const command = ['sh', '-c', 'test -e /data/old && touch /ok; touch /data/old /ok; sleep 86400']
  const mounts = [{ volume: 'data', mountPath: '/data' }]
  const id = await scene.running('web', {
    command,
    mounts,
    healthcheck: { ...check, onUnhealthy: 'Recreate' },
  })
  await scene.until('web', { rollout: { phase: 'Complete' } })
  await scene.exec('web', ['rm', '/ok'])
  const next = await scene.replaced('web', id)
  t.not(next, id)
  await scene.vanished(id)
  const { status } = await scene.until('web', { health: { status: 'healthy' } })
  t.like(status?.healing?.attempts, [{ action: 'Recreate' }])
})

test('a spent budget is held visibly, and lifted by a restart that is asked for and by a new spec', async (t) => {
  const scene = await makeScene(cove())
  const budget = { restarts: 1, window: '10m' }
  await scene.run('web', { healthcheck: { ...check, budget } })
  await scene.until('web', mustBeHeld)
  await scene.told(
    'web',
    'its healthcheck fails although it was begun anew 1 times within 10m: tried again at',
  )
  const before = (await scene.inspect('web')).State.StartedAt
  await scene.patch('Container', 'web', { metadata: { annotations: { 'cove.run/restartedAt': 'now' } } })
  await scene.until('web', { restartRequest: 'now' })
  t.not((await scene.inspect('web')).State.StartedAt, before)
  await scene.until('web', mustBeHeld)
  await scene.patchSpec('web', { ...works })
  await scene.ready('web')
  const { status } = await scene.until('web', { health: { status: 'healthy' } })
  t.is(status?.healing, undefined)
  t.is(findCondition(status?.conditions, 'Stalled')?.status, 'False')
})

test.serial('attempts outlive the agent, and so does the hold', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { healthcheck: { ...check, budget: { restarts: 1, window: '10m' } } })
  const { status } = await scene.until('web', mustBeHeld)
  await cove().kill('SIGKILL')
  await cove().restart()
  const again = await scene.until('web', mustBeHeld)
  t.is(again.status?.healing?.heldSince, status?.healing?.heldSince)
  t.deepEqual(again.status?.healing?.attempts, status?.healing?.attempts)
})

test('with None it is only shown', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { healthcheck: { ...check, onUnhealthy: 'None' } })
  const message = await scene.notReady('web', 'Unhealthy')
  t.is(message, 'it runs, but its healthcheck is unhealthy')
  const { status } = await scene.until('web', { health: { status: 'unhealthy' } })
  t.is(status?.restartCount, 0)
  t.is(status?.healing, undefined)
  const selected = await cove().cli([
    'get',
    'containers',
    '-n',
    scene.namespace,
    '--field-selector',
    'status.health=unhealthy',
    '-o',
    'name',
  ])
  t.is(selected.stdout.trim(), 'container.cove.run/web')
})

test('a kill for memory is told as such, with the limit', async (t) => {
  const scene = await makeScene(cove())
  // tail keeps what has no end of line in memory. The engine may miss a kill in the first moments of a container, before
  // it has begun to watch for it, and one that the container ends with.
  const command = ['sh', '-c', 'sleep 1; echo filling; tail /dev/zero; sleep 1; exit 137']
  await scene.run('web', { command, restartPolicy: 'Never', resources: { limits: { memory: '16Mi' } } })
  const { status } = await scene.until('web', { lastTermination: { reason: 'OOMKilled', exitCode: 137 } })
  t.deepEqual([...(status?.lastTermination?.log ?? [])].sort(), ['Killed', 'filling'])
  t.regex(await scene.notReady('web', 'OOMKilled'), /more memory than its limit of 16Mi/)
  await scene.told('web', 'the kernel killed it because it used more memory than its limit of 16Mi')
})

test('an end is told with its last lines, and the next start with its time', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { command: ['sh', '-c', 'echo one; echo two >&2; exit 3'] })
  const message = await scene.notReady('web', 'CrashLoopBackOff')
  t.regex(
    message,
    /back-off 10s after 2 ends in a row, the last with exit code 3; it is started again at .*Z; it wrote last: (one|two)$/,
  )
  const { status } = await scene.until('web', { lastTermination: { exitCode: 3, reason: 'Error' } })
  t.deepEqual([...(status?.lastTermination?.log ?? [])].sort(), ['one', 'two'])
  t.truthy(status?.nextRestartAt)
  await scene.told('web', 'ended with exit code 3; it wrote last:')
})

test('a log that cannot be read is told as such', async (t) => {
  const scene = await makeScene(cove())
  const logging = { driver: 'none' }
  await scene.run('web', { command: ['sh', '-c', 'exit 3'], restartPolicy: 'Never', logging })
  const { status } = await scene.until('web', { lastTermination: { exitCode: 3 } })
  t.regex(status?.lastTermination?.log?.[0] ?? '', /^\(the log cannot be read: .*reading.*\)$/)
})

test('an entry point that ends at once, and a program that is not there, are explained', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('daemon', { command: ['true'], restartPolicy: 'Never' })
  await scene.told('daemon', 'the main process ended within a second; a service must run in the foreground')
  await scene.run('missing', { command: ['nosuch'] })
  t.regex(
    await scene.notReady('missing', 'ExecutableNotFound'),
    /the image has no program "nosuch" in its \$PATH/,
  )
  await scene.until('missing', { lastTermination: { reason: 'StartError' } })
})

test('a container that somebody stops again and again is started at once each time', async (t) => {
  const scene = await makeScene(cove())
  const id = await scene.running('web')
  for (const round of [1, 2, 3]) {
    await scene.call('POST', `/containers/${id}/stop?t=0`)
    await scene.until('web', { restartCount: round })
    await scene.ready('web')
  }
  const { status } = await scene.until('web', {})
  t.is(status?.crashStreak, 0)
  t.notRegex((await scene.messages('web')).join('\n'), /back-off/)
})

test('who shares the network of a container that is healed begins anew with it', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('owner', { ...works, healthcheck: check })
  const follower = await scene.running('follower', { networkMode: 'container:owner' })
  const before = (await scene.inspect('follower')).State.StartedAt
  await scene.exec('owner', ['rm', '/ok'])
  await scene.until('owner', { restartCount: 1, health: { status: 'healthy' } })
  await scene.until('follower', { restartCount: 1 })
  t.is(await scene.ready('follower'), follower)
  const [owner, after] = await Promise.all(['owner', 'follower'].map((name) => scene.inspect(name)))
  t.not(after.State.StartedAt, before)
  t.true(Date.parse(after.State.StartedAt) > Date.parse(owner.State.StartedAt))
})
