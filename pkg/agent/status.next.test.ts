import test from 'ava'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { container, observed, volume, world } from '#test/helpers/world.ts'
import { planNode } from './node.plan.ts'
import { resolve } from './resolve.ts'
import { reportContainer } from './status.ts'
import { groupOf, type Hold, type World } from './world.ts'

function made(object: Container, more: Parameters<typeof observed>[2] = {}) {
  const resolved = resolve({ container: object, ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return observed(object, resolved.fingerprint, more)
}

function report(
  object: Container,
  parts: Parameters<typeof world>[0] = {},
  more: Partial<World> = {},
): ContainerStatus {
  const of = world({ objects: [object], ...parts }, more)
  const decision = planNode(of).decisions.get(groupOf('Container', object.metadata))
  if (decision === undefined) throw new Error('nothing was decided')
  return reportContainer({ container: object, decision, world: of, lastAction: undefined })
}

const web = container('web')

test('nothing comes next for a container that is as desired, and nothing differs', (t) => {
  const { next, differences } = report(web, { containers: [made(web)] })
  t.deepEqual([next, differences], [undefined, undefined])
})

test('the first op comes next, because of what it was planned for', (t) => {
  t.deepEqual(report(web).next, { action: 'create container web', cause: 'it does not exist' })
})

test('a failed op comes next when it has rested, with what it failed of', (t) => {
  const hold: Hold = {
    until: Date.parse('2026-01-01T12:00:08Z'),
    failures: 3,
    reason: 'InternalError',
    message: 'no space left on device',
    action: 'create container web',
    generation: 1,
  }
  t.deepEqual(report(web, {}, { holds: new Map([['Container/default/web', hold]]) }).next, {
    action: 'try again to create container web',
    cause: 'it failed (3 times in a row): no space left on device',
    time: '2026-01-01T12:00:08Z',
  })
})

test('what is missing is waited for, however long', (t) => {
  const needing = container('web', { mounts: [{ volume: 'data', mountPath: '/d' }] })
  t.deepEqual(report(needing, { objects: [needing, volume('data')] }).next, {
    action: 'wait',
    cause: 'Volume default/data is not made yet',
  })
})

test('the next start after ends in a row has its time', (t) => {
  const finishedAt = '2026-01-01T11:59:59Z'
  const ended = made(web, {
    state: 'exited',
    exitCode: 1,
    pid: 0,
    finishedAt,
    startedAt: '2026-01-01T11:59:58Z',
  })
  const crashing = container('web', {}, { status: { crashStreak: 2, containerID: ended.id, finishedAt } })
  const { next } = report(crashing, { containers: [ended] })
  t.like(next, { action: 'start the container', time: '2026-01-01T12:00:09Z' })
  t.regex(next?.cause ?? '', /^back-off 10s after 2 ends in a row/)
})

test('what differs is told while its mending waits', (t) => {
  const limited = container('web', { resources: { limits: { memory: '64Mi' } } })
  const { differences } = report(limited, { containers: [made(limited)] })
  t.deepEqual(differences, [
    { field: 'spec.resources.limits.memory', want: '67108864', found: 'none', change: 'in place' },
  ])
})
