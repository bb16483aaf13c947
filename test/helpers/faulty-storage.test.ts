import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { makeFaulty } from './faulty-storage.ts'

test('a scripted fault hits the calls it names and no other', async (t) => {
  const storage = makeFaulty(openInProcessStorage(), [
    { on: 'create', under: '/a', call: 2, effect: { do: 'fail', reason: 'Timeout' } },
  ])
  t.true((await storage.create('/b', '')).ok)
  t.true((await storage.create('/a/1', '')).ok)
  t.true(isReason(await t.throwsAsync(storage.create('/a/2', '')), 'Timeout'))
  t.is(await storage.get('/a/2'), undefined)
  t.true((await storage.create('/a/2', '')).ok)
  t.is(storage.calls('create'), 4)
})

test('a write can happen although its caller gets an error', async (t) => {
  const storage = makeFaulty(openInProcessStorage())
  storage.inject({ on: 'create', effect: { do: 'failAfter', reason: 'ServiceUnavailable' } })
  t.true(isReason(await t.throwsAsync(storage.create('/a', 'x')), 'ServiceUnavailable'))
  t.is((await storage.get('/a'))?.value, 'x')
})

test('a delayed call waits for the clock, and healing ends all faults', async (t) => {
  const clock = new ManualClock()
  const storage = makeFaulty(openInProcessStorage())
  storage.inject({ on: 'get', times: Number.POSITIVE_INFINITY, effect: { do: 'delay', ms: 1_000, clock } })
  let answered = false
  const getting = storage.get('/a').then(() => {
    answered = true
  })
  await clock.advance(999)
  t.false(answered)
  await clock.advance(1)
  await getting
  storage.heal()
  await storage.get('/a')
  t.is(clock.nextTimer(), undefined)
})

test('a watch can be cut after some batches', async (t) => {
  const storage = makeFaulty(openInProcessStorage())
  storage.inject({ on: 'watch', effect: { do: 'cut', afterBatches: 1, reason: 'Expired' } })
  await storage.create('/a', '')
  let seen = 0
  const watching = (async () => {
    for await (const batch of storage.watch('/', 0, new AbortController().signal)) seen += batch.length
  })()
  t.true(isReason(await t.throwsAsync(watching), 'Expired'))
  t.is(seen, 1)
})
