import test from 'ava'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedHealth } from '#pkg/engine/port.ts'
import { container, now, observed, print, world } from '#test/helpers/world.ts'
import { reportHealing, whyWorn } from './container.healing.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'
import { reportContainer } from './status.ts'
import type { World } from './world.ts'

const check = { shell: 'true', interval: '1s' }
const web = container('web', { healthcheck: check })
const sick: ObservedHealth = { status: 'unhealthy', failingStreak: 3, log: [] }
const well: ObservedHealth = { status: 'healthy', failingStreak: 0, log: [] }
const at = (seconds: number) => new Date(now + seconds * 1000).toISOString()

interface Scene {
  readonly status?: ContainerStatus
  readonly seconds?: number
  readonly health?: ObservedHealth
  readonly object?: typeof web
  readonly healed?: readonly { at: number; action: 'Restart' | 'Recreate' }[]
}

function look({ status, seconds = 0, health = sick, object = web, healed }: Scene) {
  const resolved = resolve({ container: object, ...world({ objects: [object] }) })
  const current = observed(object, 'missing' in resolved ? '' : resolved.fingerprint, { health })
  const uid = object.metadata.uid ?? ''
  const of: World = world(
    { objects: [object], containers: [current] },
    {
      now: now + seconds * 1000,
      ...(status && { statuses: new Map([[uid, status]]) }),
      ...(healed && { healed: new Map([[uid, healed]]) }),
    },
  )
  const decision = planContainer(object, of)
  const report = reportContainer({ container: object, decision, world: of, lastAction: undefined })
  return { plan: print(decision.plan), decision, report, world: of, current }
}

const attempts = (...seconds: number[]) => ({
  observedGeneration: 1,
  containerID: 'id-web',
  healing: { attempts: seconds.map((second) => ({ time: at(second), action: 'Restart' as const })) },
})
const spent = attempts(-150, -140, -120, -80, -3)

test('the first time it is unhealthy it is restarted at once, and the attempt is counted when it was done', (t) => {
  const first = look({})
  t.is(
    first.plan,
    'Container/default/web#1: restart container id-web because status.health: unhealthy after 3 failed checks in a row',
  )
  t.is(first.report.healing, undefined)
  const { report } = look({ status: first.report, healed: [{ at: now, action: 'Restart' }], seconds: 1 })
  t.deepEqual(report.healing, {
    attempts: [{ time: '2026-01-01T12:00:00Z', action: 'Restart' }],
    nextAt: '2026-01-01T12:00:10Z',
  })
})

test('the next attempt waits for its pause, and status says until when', (t) => {
  const waits = look({ status: attempts(-30, -5) })
  t.is(waits.plan, '')
  t.is(waits.decision.wakeAt, now + 15_000)
  t.is(waits.report.healing?.nextAt, '2026-01-01T12:00:15Z')
  t.regex(look({ status: attempts(-30), seconds: 1 }).plan, /restart .*, attempt 2 to heal it/)
})

test('after two restarts the container is worn: the third attempt is a new one', (t) => {
  const { world: of, current } = look({ status: attempts(-60, -40) })
  t.is(
    whyWorn(web, of, current),
    'status.health: unhealthy after 3 failed checks in a row, attempt 3 to heal it',
  )
  const early = look({ status: attempts(-60, -5) })
  t.is(whyWorn(web, early.world, early.current), undefined)
})

test('with Recreate it is worn at once', (t) => {
  const object = container('web', { healthcheck: { ...check, onUnhealthy: 'Recreate' } })
  const { world: of, current } = look({ object })
  t.is(whyWorn(object, of, current), 'status.health: unhealthy after 3 failed checks in a row')
})

test('a spent budget holds the healing for an hour, and the hold outlives the agent', (t) => {
  const held = look({ status: spent })
  t.is(held.plan, '')
  t.like(held.report.healing, { heldSince: '2026-01-01T12:00:00Z', nextAt: '2026-01-01T12:59:57Z' })
  const later = look({ status: held.report, seconds: 1800 })
  t.is(later.plan, '')
  t.is(later.report.healing?.heldSince, '2026-01-01T12:00:00Z')
  t.regex(look({ status: later.report, seconds: 3597 }).plan, /restart container/)
})

test('a hold is lifted by health, and the attempts are forgotten after ten minutes of it', (t) => {
  const held = look({ status: spent }).report
  const better = look({ status: held, health: well, seconds: 100 }).report
  t.is(better.healing?.heldSince, undefined)
  t.is(better.healing?.attempts.length, 5)
  const still = look({ status: better, health: well, seconds: 699 }).report
  t.is(still.healing?.attempts.length, 5)
  t.is(look({ status: still, health: well, seconds: 701 }).report.healing, undefined)
})

test('a new generation begins anew', (t) => {
  const held = look({ status: spent }).report
  const object = container('web', { healthcheck: check }, { metadata: { generation: 2 } })
  t.regex(look({ status: held, object }).plan, /restart container id-web/)
})

test('what is tried out is judged, not healed, while there is something to go back to', (t) => {
  const { current, world: of } = look({ status: attempts(-60, -40) })
  const more = { name: 'web_prev-id-old', id: 'id-old' }
  const labels = { ...current.labels, 'cove.run/fingerprint': 'other' }
  const parked = { ...current, ...more, labels, state: 'exited' as const }
  const trial = { ...of, observed: { ...of.observed, containers: [current, parked] } }
  t.is(whyWorn(web, trial, current), undefined)
  const alone = { ...trial, observed: { ...of.observed, containers: [current] } }
  t.truthy(whyWorn(web, alone, current))
})

test('with None it is only shown', (t) => {
  const object = container('web', { healthcheck: { ...check, onUnhealthy: 'None' } })
  t.is(look({ object }).plan, '')
})

test('nothing is said of healing where nothing was tried', (t) => {
  t.deepEqual(reportHealing(web, world({ objects: [web] }), undefined), {})
})

test('another revision has not failed yet', (t) => {
  const held = look({ status: spent }).report
  t.is(look({ status: { ...held, fingerprint: 'other' } }).report.healing, undefined)
})

test('a worn container makes place for a new one, also when an agent was killed in the middle of that', (t) => {
  const { current, world: of } = look({ status: attempts(-60, -40) })
  const withNext = (...more: (typeof current)[]) => ({
    ...of,
    observed: { ...of.observed, containers: [current, ...more] },
  })
  const plan = (world: World) =>
    print(planContainer(web, world).plan).replaceAll(/Container\/default\/web#\d: | because .*/g, '')
  const made = [
    'create container web_next',
    'stop container id-web',
    'rename container id-web to web_old-id-web',
  ]
  const taken = ['rename container web_next to web', 'start container web']
  const names = new Map([['web', 'id-web']])
  const fresh = { ...of, observed: { ...of.observed, containerNames: names } }
  t.deepEqual(plan(fresh).split('\n'), [...made, ...taken])
  const next = { ...current, id: 'id-next', name: 'web_next', state: 'created' as const, pid: 0 }
  t.deepEqual(plan(withNext(next)).split('\n'), ['remove container id-next', ...made, ...taken])
})

test('where something is in the way of a new one, the worn one is restarted', (t) => {
  const { world: of } = look({ status: attempts(-60, -40) })
  const images = of.observed.images.filter(() => false)
  const object = container('web', { healthcheck: check, imagePullPolicy: 'Never' })
  const without = { ...of, observed: { ...of.observed, images } }
  t.regex(
    print(planContainer(object, without).plan),
    /^Container\/default\/web#1: restart container id-web because .*attempt 3/,
  )
})

test('attempts of a time that is yet to come keep nobody waiting: the clock was put back', (t) => {
  const year = 365 * 24 * 3600
  const later = attempts(year, year + 10, year + 30)
  t.regex(look({ status: later }).plan, /restart container id-web/)
})
