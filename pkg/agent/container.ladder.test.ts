import test from 'ava'
import fc from 'fast-check'
import { type Attempt, heldPause, type LadderInput, nextRung, pauseBefore } from './container.ladder.ts'

const usual = { onUnhealthy: 'Restart' as const, budget: { restarts: 5, window: 300_000 } }

interface Step {
  readonly at: number
  readonly action: string
  readonly held: boolean
}

/** A container that is unhealthy again `sickAfter` ms after each attempt, until `end`: every attempt, in seconds. */
function climb(sickAfter: number, end: number, more: Partial<LadderInput> = {}): Step[] {
  const steps: Step[] = []
  const attempts: Attempt[] = []
  let heldSince: number | undefined
  for (let now = 0; now <= end; ) {
    const rung = nextRung({ ...usual, ...more, now, attempts, heldSince })
    heldSince = rung.heldSince
    const at = Math.max(now, rung.due)
    attempts.push({ at, action: rung.action })
    steps.push({ at: at / 1000, action: rung.action, held: heldSince !== undefined })
    now = at + sickAfter
  }
  return steps
}

test('the pause before an attempt doubles from ten seconds to five minutes; before the first there is none', (t) => {
  t.deepEqual(
    [0, 1, 2, 3, 4, 5, 6, 7, 100].map((attempts) => pauseBefore(attempts) / 1000),
    [0, 10, 20, 40, 80, 160, 300, 300, 300],
  )
})

test('two restarts, a new container, two restarts; then the budget is spent and it is tried once an hour', (t) => {
  t.deepEqual(climb(3000, 7_400_000), [
    { at: 0, action: 'Restart', held: false },
    { at: 10, action: 'Restart', held: false },
    { at: 30, action: 'Recreate', held: false },
    { at: 70, action: 'Restart', held: false },
    { at: 150, action: 'Restart', held: false },
    { at: 3750, action: 'Restart', held: true },
    { at: 7350, action: 'Restart', held: true },
    { at: 10_950, action: 'Restart', held: true },
  ])
})

test('one that takes ninety seconds to be found unhealthy stays within its budget and is never held', (t) => {
  const steps = climb(90_000, 3_600_000)
  t.false(steps.some(({ held }) => held))
  t.deepEqual(
    steps.slice(0, 6).map(({ at }) => at),
    [0, 90, 180, 270, 360, 520],
  )
})

test('with Recreate every attempt is a new container', (t) => {
  t.true(climb(1000, 100_000, { onUnhealthy: 'Recreate' }).every(({ action }) => action === 'Recreate'))
})

const inputs = fc.record({
  sickAfter: fc.integer({ min: 1, max: 400_000 }),
  restarts: fc.integer({ min: 1, max: 8 }),
  window: fc.integer({ min: 1000, max: 1_000_000 }),
})

test('however a container fails, the budget holds in every window, and nothing is given up for good', (t) => {
  fc.assert(
    fc.property(inputs, ({ sickAfter, restarts, window }) => {
      const end = 20_000_000
      const steps = climb(sickAfter, end, { budget: { restarts, window } })
      for (const { at } of steps.filter(({ held }) => !held)) {
        const within = steps.filter((other) => other.at > at - window / 1000 && other.at <= at)
        t.true(within.length <= restarts)
      }
      steps.slice(1).forEach((step, index) => {
        const waited = Math.round((step.at - (steps[index]?.at ?? 0)) * 1000)
        t.true(waited <= Math.max(heldPause, sickAfter))
        t.true(waited >= Math.min(pauseBefore(index + 1), heldPause))
      })
      t.is(steps.filter(({ action }) => action === 'Recreate').length, steps.length > 2 ? 1 : 0)
    }),
  )
})

test('a hold stays when the window has forgotten what led to it', (t) => {
  const attempts = [{ at: 0, action: 'Restart' as const }]
  const rung = nextRung({ ...usual, now: 3_000_000, attempts, heldSince: 1000 })
  t.deepEqual(rung, { action: 'Restart', due: heldPause, heldSince: 1000 })
})
