import test from 'ava'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { container, now, observed, print, world } from '#test/helpers/world.ts'
import { planNode } from './node.plan.ts'
import { resolve } from './resolve.ts'
import type { Hold } from './world.ts'

const web = container('web', { resources: { limits: { memory: '64Mi' } } })
const resolved = resolve({ container: web, ...world() })
const fingerprint = 'missing' in resolved ? '' : resolved.fingerprint
const hold: Hold = {
  until: now + 3_600_000,
  failures: 3,
  reason: 'InvalidSpec',
  message: 'no',
  action: '',
  generation: 1,
}

function plan(more: Partial<ObservedContainer>, action: string, others: ObservedContainer[] = []) {
  const current = observed(web, fingerprint, more)
  const holds = new Map([['Container/default/web', { ...hold, action }]])
  const decision = planNode(world({ objects: [web], containers: [current, ...others] }, { holds }))
  return { text: print(decision.plan), pending: decision.pending }
}

const ended = { state: 'exited', exitCode: 1, finishedAt: '2026-01-01T11:30:00Z' } as const
const update = 'change the limits of container id-web'

test('a limit that the engine refuses keeps no container down that has ended', (t) => {
  t.regex(plan(ended, update).text, /^Container\/default\/web#1: start container id-web because [^\n]*$/)
})

test('what failed itself rests, and so does what is not urgent', (t) => {
  t.is(plan(ended, 'start container id-web').text, '')
  const running = plan({}, update)
  t.is(running.text, '')
  t.true(running.pending.has('Container/default/web'), 'its rest is not over')
})

test('a start that failed rests also when the container is known by its id now', (t) => {
  const current = observed(web, fingerprint, { ...ended, error: 'no such program' })
  const action = 'start container web'
  const failed: Hold = { ...hold, action, op: { type: 'startContainer', container: 'web' } }
  const holds = new Map([['Container/default/web', failed]])
  t.is(print(planNode(world({ objects: [web], containers: [current] }, { holds })).plan), '')
})

test('a dead container that cannot be removed keeps nobody from being started, and gives its name away', (t) => {
  const dead = observed(web, fingerprint, { id: 'id-dead', name: 'web_old-id-dea', state: 'dead' })
  t.regex(plan(ended, 'remove container id-dead', [dead]).text, /start container id-web/)
  const alone = world({ objects: [web], containers: [observed(web, fingerprint, { state: 'dead' })] })
  t.regex(
    print(planNode(alone).plan),
    /^Container\/default\/web#1: rename container id-web to web_old-id-web/,
  )
})
