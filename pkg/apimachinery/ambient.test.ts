import test from 'ava'
import fc from 'fast-check'
import { ManualClock, pause, seededRandom, sleep, systemClock, systemRandom } from './ambient.ts'

test('timers run in order of their time, those of one time in order of asking', async (t) => {
  const clock = new ManualClock(0)
  const ran: string[] = []
  const at = (ms: number, name: string) => clock.after(ms, () => ran.push(`${name}@${clock.now()}`))
  at(30, 'late')
  at(10, 'first')
  at(10, 'second')
  at(-5, 'past')
  t.is(clock.nextTimer(), 0)
  await clock.advance(20)
  t.deepEqual(ran, ['past@0', 'first@10', 'second@10'])
  t.is(clock.now(), 20)
  await clock.advance(10)
  t.deepEqual(ran.at(-1), 'late@30')
  t.is(clock.nextTimer(), undefined)
})

test('a timer set by a timer runs in the same advance when its time lies within', async (t) => {
  const clock = new ManualClock(0)
  const ran: number[] = []
  const again = () => {
    ran.push(clock.now())
    clock.after(10, again)
  }
  clock.after(10, again)
  await clock.advance(35)
  t.deepEqual(ran, [10, 20, 30])
})

test('a cancelled timer does not run', async (t) => {
  const clock = new ManualClock()
  const cancel = clock.after(10, () => t.fail('it was cancelled'))
  cancel()
  await clock.advance(100)
  t.is(clock.nextTimer(), undefined)
})

test('a sleep ends with its time, or with the reason of its signal', async (t) => {
  const clock = new ManualClock()
  const controller = new AbortController()
  const whole = sleep(clock, 10, controller.signal)
  await clock.advance(10)
  await t.notThrowsAsync(whole)
  const cut = sleep(clock, 10, controller.signal)
  controller.abort(new Error('enough'))
  await t.throwsAsync(cut, { message: 'enough' })
  t.is(clock.nextTimer(), undefined, 'its timer is gone with it')
  await t.throwsAsync(sleep(clock, 10, controller.signal), { message: 'enough' })
})

test('a pause ends with its signal without failing', async (t) => {
  const clock = new ManualClock()
  const controller = new AbortController()
  const paused = pause(clock, 10, controller.signal)
  controller.abort()
  await t.notThrowsAsync(paused)
  t.is(clock.nextTimer(), undefined)
})

test('a seed gives the same numbers again, all of them in [0, 1)', (t) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const [one, other] = [seededRandom(seed), seededRandom(seed)]
      for (let turn = 0; turn < 20; turn++) {
        const number = one.next()
        t.is(number, other.next())
        t.true(number >= 0 && number < 1)
      }
      t.is(one.uuid(), other.uuid())
    }),
  )
  t.not(seededRandom(1).next(), seededRandom(2).next())
})

test('ids look like random UUIDs, whoever makes them', (t) => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
  t.regex(seededRandom(7).uuid(), pattern)
  t.regex(systemRandom().uuid(), pattern)
})

test('the real clock waits also for longer than a timer of the process can', async (t) => {
  const clock = systemClock()
  const cancel = clock.after(2 ** 40, () => t.fail('35 years went fast'))
  await new Promise<void>((resolve) => {
    // Timers of the clock do not keep the process alive; this one must.
    const alive = setInterval(() => {}, 1000)
    clock.after(20, () => {
      clearInterval(alive)
      resolve()
    })
  })
  cancel()
  t.pass()
})
