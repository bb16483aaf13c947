import test from 'ava'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { container, observed, world } from '#test/helpers/world.ts'
import { planContainer } from './container.ts'
import { resolve } from './resolve.ts'
import { delayAfter, restartState } from './restart.ts'

const web = container('web')
const resolved = resolve({ container: web, ...world() })
const fingerprint = 'missing' in resolved ? '' : resolved.fingerprint

/** A container that began and ended at these seconds after noon; ended before it began: it runs. */
function run(startedAt: number, finishedAt?: number, id = 'id-web') {
  const at = (seconds: number) => new Date(Date.parse('2026-01-01T12:00:00Z') + seconds * 1000).toISOString()
  return observed(web, fingerprint, {
    id,
    startedAt: at(startedAt),
    ...(finishedAt !== undefined && { finishedAt: at(finishedAt) }),
    state: finishedAt === undefined || finishedAt < startedAt ? 'running' : 'exited',
  })
}

/** The status after a look, given the one before it. */
function look(previous: ContainerStatus | undefined, found: ReturnType<typeof run>): ContainerStatus {
  const { restartCount, crashStreak } = restartState(previous, found)
  const { id: containerID, startedAt, finishedAt } = found
  return {
    containerID,
    fingerprint,
    restartCount,
    crashStreak,
    ...(startedAt !== undefined && { startedAt }),
    ...(finishedAt !== undefined && { finishedAt }),
  }
}

test('the pause before a restart doubles from ten seconds to five minutes; the first is none', (t) => {
  t.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map((streak) => delayAfter(streak) / 1000),
    [0, 0, 10, 20, 40, 80, 160, 300, 300, 300],
  )
})

test('each end counts once, each start again counts once, however often one looks', (t) => {
  let status = look(undefined, run(0))
  t.like(status, { restartCount: 0, crashStreak: 0 })
  const steps: readonly (readonly [ReturnType<typeof run>, number, number])[] = [
    [run(0, 1), 0, 1],
    [run(0, 1), 0, 1],
    [run(2, 1), 1, 1],
    [run(2, 1), 1, 1],
    [run(2, 3), 1, 2],
    // Ended and started again between two looks.
    [run(14, 13), 2, 3],
  ]
  for (const [found, restartCount, crashStreak] of steps) {
    status = look(status, found)
    t.like(status, { restartCount, crashStreak })
  }
})

test('ten minutes of running forget the ends before', (t) => {
  const before: ContainerStatus = { containerID: 'id-web', crashStreak: 6, restartCount: 9 }
  t.is(restartState(before, run(0, 599)).crashStreak, 7)
  t.is(restartState(before, run(0, 600)).crashStreak, 1)
})

test('a container made anew from the same spec goes on counting, one of another spec begins anew', (t) => {
  const before: ContainerStatus = {
    containerID: 'gone',
    fingerprint,
    crashStreak: 2,
    restartCount: 3,
    startedAt: 'x',
  }
  t.like(restartState(before, run(0)), { restartCount: 4, crashStreak: 2 })
  t.like(restartState({ ...before, fingerprint: 'other' }, run(0)), { restartCount: 0, crashStreak: 0 })
})

test('a restart waits from the end on', (t) => {
  const found = run(0, 5)
  const { notBefore } = restartState({ containerID: 'id-web', crashStreak: 2 }, found)
  t.is(notBefore, Date.parse('2026-01-01T12:00:25Z'))
})

test('an agent that has just started keeps the pause that the one before it began', (t) => {
  const status: ContainerStatus = { containerID: 'id-web', fingerprint, crashStreak: 4, restartCount: 4 }
  const known = { ...web, status }
  const decision = planContainer(known, world({ objects: [known], containers: [run(-2, -1)] }))
  t.is(decision.waiting?.reason, 'CrashLoopBackOff')
  t.is(decision.plan.ops.length, 0)
})

test('an end that somebody asked the engine for is no crash and waits for nothing', (t) => {
  const noon = Date.parse('2026-01-01T12:00:00Z')
  const before = { ...look(undefined, run(0, 1)), crashStreak: 3 }
  const ended = run(10, 20)
  t.deepEqual(restartState(before, ended, noon + 19_500), {
    restartCount: 1,
    crashStreak: 3,
    notBefore: noon + 20_000,
  })
  // Programs may take their time to end, and the stop itself is told afterwards.
  t.like(restartState(before, ended, noon + 12_000), { crashStreak: 3 })
  t.like(restartState(before, ended, noon + 21_000), { crashStreak: 3 })
  // Of the run before, or of nothing that has come yet.
  t.like(restartState(before, ended, noon + 9_000), { crashStreak: 4, notBefore: noon + 60_000 })
  t.like(restartState(before, ended, noon + 25_000), { crashStreak: 4 })
  t.like(restartState(before, ended), { crashStreak: 4 })
})

test('nobody waits for the time that a clock had before it was put back', (t) => {
  const year = 365 * 24 * 3600
  const ended = run(year, year + 1)
  const crashed: ContainerStatus = { ...look(undefined, ended), crashStreak: 3 }
  const plan = (now: number, status: ContainerStatus) => {
    const uid = web.metadata.uid ?? ''
    const at = { now: Date.parse('2026-01-01T12:00:00Z') + now * 1000, statuses: new Map([[uid, status]]) }
    return planContainer(web, world({ objects: [web], containers: [ended] }, at))
  }
  const first = plan(0, crashed)
  t.is(first.plan.ops.length, 0)
  t.is(first.wakeAt, Date.parse('2026-01-01T12:00:20Z'))
  const told = { ...crashed, nextRestartAt: '2026-01-01T12:00:20Z' }
  t.is(plan(10, told).wakeAt, first.wakeAt)
  t.deepEqual(
    plan(20, told).plan.ops.map(({ op }) => op.type),
    ['startContainer'],
  )
})
