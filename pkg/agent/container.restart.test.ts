import test from 'ava'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels, restartAnnotation } from '#pkg/apis/wellknown.ts'
import { container, observed, print, world } from '#test/helpers/world.ts'
import { afterRestart } from './container.restart.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'
import { reportContainer } from './status.ts'
import type { World } from './world.ts'

const asked = '2026-01-01T12:00:00Z'
const ended = { state: 'exited', exitCode: 1, pid: 0, finishedAt: '2026-01-01T11:59:59Z' } as const

function web(spec: Record<string, unknown> = {}, status: ContainerStatus = {}): Container {
  return container('web', spec, { metadata: { annotations: { [restartAnnotation]: asked } }, status })
}

function worldOf(object: Container, more: Parameters<typeof observed>[2] = {}): World {
  const resolved = resolve({ container: object, ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return world({ objects: [object], containers: [observed(object, resolved.fingerprint, more)] })
}

const planned = (object: Container, more: Parameters<typeof observed>[2] = {}) =>
  print(planContainer(object, worldOf(object, more)).plan)

test('a container is restarted once for each request', (t) => {
  const restart = `Container/default/web#1: restart container id-web because cove.run/restartedAt is ${asked}`
  t.is(planned(web()), restart)
  t.is(planned(web({}, { restartRequest: 'an older one' })), restart)
  t.is(planned(web({}, { restartRequest: asked })), '')
})

test('a container that was made after the request is not restarted, and answers it', (t) => {
  const labels = { ...worldOf(web()).observed.containers[0]?.labels, [engineLabels.restartedAt]: asked }
  t.is(planned(web(), { labels }), '')
  const of = worldOf(web(), { labels })
  const input = { container: web(), decision: planContainer(web(), of), world: of, lastAction: undefined }
  t.is(reportContainer(input).restartRequest, asked)
  const created = planContainer(web(), world({ objects: [web()] })).plan.ops[0]?.op
  t.is(created?.type === 'createContainer' && created.create.labels[engineLabels.restartedAt], asked)
})

test('the request is no part of what a container is: its fingerprint stays', (t) => {
  const of = (object: Container) => resolve({ container: object, ...world() })
  t.like(of(web()), { fingerprint: (of(container('web')) as { fingerprint: string }).fingerprint })
})

test('a restart that is asked for ends the back-off, and runs what has finished once more', (t) => {
  const start = `Container/default/web#1: start container id-web because cove.run/restartedAt is ${asked}`
  const crashing = { crashStreak: 5, containerID: 'id-web', finishedAt: ended.finishedAt }
  t.is(planned(web({}, crashing), ended), start)
  t.is(planned(web({}, { ...crashing, restartRequest: asked }), ended), '')
  t.is(planned(web({ restartPolicy: 'Never' }), ended), start)
  t.is(planned(web({ restartPolicy: 'Never' }, { restartRequest: asked }), ended), '')
})

test('neither a stopped container nor a frozen one is restarted', (t) => {
  t.is(planned(web({ state: 'Stopped' }), ended), '')
  t.is(planned(web({ state: 'Paused' }), { state: 'paused' }), '')
})

test('one restart is enough for a container that is unhealthy too', (t) => {
  const health = { status: 'unhealthy', failingStreak: 3, log: [] } as const
  const checked = web({ healthcheck: { command: ['true'] } })
  t.is(planned(checked, { health }).split('\n').length, 1)
})

test('the request is answered when the op was done, not when it failed', (t) => {
  const [op] = planContainer(web(), worldOf(web())).plan.ops
  if (op === undefined) return t.fail()
  t.deepEqual(afterRestart({ restartCount: 3 }, { planned: op, outcome: 'done' }), {
    restartCount: 3,
    restartRequest: asked,
  })
  t.is(afterRestart({}, { planned: op, outcome: 'failed', error: new Error('no') }), undefined)
})
