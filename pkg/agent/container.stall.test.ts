import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { container, now, observed, print, world } from '#test/helpers/world.ts'
import { lastCheck } from './container.stall.ts'
import { planContainer } from './container.ts'
import { RearmBook } from './rearmbook.ts'
import { resolve } from './resolve.ts'
import type { Rearmed } from './world.ts'

const check = { shell: 'true', interval: '10s', timeout: '5s' }
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString()

function found(
  secondsAgo: number,
  more: Partial<ObservedContainer> = {},
  spec: Record<string, unknown> = {},
) {
  const object = container('web', { healthcheck: check, ...spec })
  const resolved = resolve({ container: object, ...world({ objects: [object] }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const probe = { start: ago(secondsAgo + 1), end: ago(secondsAgo), exitCode: 0, output: '' }
  const base = observed(object, resolved.fingerprint)
  const healthcheck = {
    disabled: false as const,
    test: ['CMD-SHELL', 'true'],
    interval: 10_000,
    timeout: 5000,
    retries: 3,
    startPeriod: 0,
  }
  const container_ = {
    ...base,
    labels: resolved.create.labels,
    health: { status: 'healthy' as const, failingStreak: 0, log: [probe] },
    settings: { ...base.settings, healthcheck },
    ...more,
  }
  return { object, observed: container_ }
}

interface Found {
  readonly object: ReturnType<typeof container>
  readonly observed: ObservedContainer
}

function plan({ object, observed: seen }: Found, rearmed?: Rearmed): string {
  const of = world(
    { objects: [object], containers: [seen] },
    rearmed === undefined ? {} : { rearmed: new Map([[seen.id, rearmed]]) },
  )
  return print(planContainer(object, of).plan)
}

test('a container that the engine has not checked for three times as long as it should is frozen for an instant', (t) => {
  t.is(plan(found(44)), '')
  t.is(
    plan(found(46)),
    [
      'Container/default/web#1: pause container id-web because status.health: the engine has not checked it for 46 s, and begins anew after a pause',
      'Container/default/web#2: unpause container id-web because status.health: the engine has not checked it for 46 s, and begins anew after a pause (after Container/default/web#1)',
    ].join('\n'),
  )
})

test('what counts is how it was when it was last asked about', (t) => {
  const { object, observed: seen } = found(100)
  const of = world({ objects: [object], containers: [seen] })
  const old = { ...of, observed: { ...of.observed, lookedAt: new Map([[seen.id, now - 90_000]]) } }
  t.is(print(planContainer(object, old).plan), '')
})

test('one that has just been started or let go on is given its time', (t) => {
  t.is(plan(found(500, { startedAt: ago(20) })), '')
  t.is(plan(found(500), { at: now - 20_000, count: 0 }), '')
})

test('what did not help is tried again ever more slowly', (t) => {
  const after = (seconds: number, count: number) =>
    plan(found(5000), { at: now - seconds * 1000, count }) !== ''
  t.deepEqual([after(89, 1), after(91, 1), after(179, 2), after(181, 2)], [false, true, false, true])
  t.true(plan(found(46), { at: now - 100_000, count: 5 }) !== '')
})

test('frozen containers, those without a check and those that the agent checks are left alone', (t) => {
  t.is(plan(found(500, { state: 'paused' }, { state: 'Paused' })), '')
  t.is(plan(found(500, {}, { state: 'Paused' })).includes('unpause'), false)
  const { health: _, ...unchecked } = found(500).observed
  t.is(plan({ ...found(500), observed: unchecked }), '')
  t.is(plan(found(500, {}, { healthcheck: { tcp: { port: 1 } } })), '')
})

test('the book counts attempts, forgets them with the next check, and forgets who is gone', async (t) => {
  const clock = new ManualClock(now)
  const book = new RearmBook(clock)
  const op = (type: 'pauseContainer' | 'unpauseContainer', outcome: 'done' | 'failed') =>
    book.noteOp({
      planned: { id: '1', op: { type, container: 'id-web', rearms: true }, cause: '', after: [], group: '' },
      outcome,
      error: undefined,
    })
  op('pauseContainer', 'done')
  op('unpauseContainer', 'done')
  t.deepEqual(book.snapshot().get('id-web'), { at: now, count: 1 })
  op('pauseContainer', 'failed')
  t.is(book.snapshot().get('id-web')?.count, 2)
  await clock.advance(1000)
  book.noteEvent({ type: 'container', action: 'unpause', id: 'id-web', name: 'web' })
  t.deepEqual(book.snapshot().get('id-web'), { at: now + 1000, count: 2 })
  book.sync(lastCheck([found(-2).observed]))
  t.is(book.snapshot().get('id-web')?.count, 0)
  book.sync(lastCheck([]))
  t.is(book.snapshot().size, 0)
})
