/** What fills a disk is broken off before it is full, and of a failure it is known whether there was room just before. */
import test from 'ava'
import { ManualClock, sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { rememberRoom, whileThereIsRoom } from './roomwatch.ts'

const signal = new AbortController().signal
const full = 'no room for it'

function disk() {
  const state = { clock: new ManualClock(0), isFull: false, looks: 0 }
  const whyNone = async () => {
    state.looks++
    return state.isFull ? full : undefined
  }
  return { state, sight: { clock: state.clock, whyNone } }
}

test('what there is no room for is not begun', async (t) => {
  const { state, sight } = disk()
  state.isFull = true
  const error = await t.throwsAsync(whileThereIsRoom(sight, signal, async () => t.fail()))
  t.true(isReason(error, 'NoSpace'))
  t.is(error?.message, full)
})

test('what goes on when there is no room any more is broken off, and the disk is not looked at afterwards', async (t) => {
  const { state, sight } = disk()
  const work = whileThereIsRoom(sight, signal, (within) => sleep(state.clock, 60_000, within))
  const ended = t.throwsAsync(work)
  await state.clock.advance(10_000)
  state.isFull = true
  await state.clock.advance(1000)
  t.true(isReason(await ended, 'NoSpace'))
  const { looks } = state
  await state.clock.advance(10_000)
  t.is(state.looks, looks)
})

test('what ends by itself or is broken off by others ends as it ends', async (t) => {
  const { state, sight } = disk()
  t.is(await whileThereIsRoom(sight, signal, async () => 'done'), 'done')
  const over = new AbortController()
  const work = whileThereIsRoom(sight, over.signal, (within) => sleep(state.clock, 60_000, within))
  const ended = t.throwsAsync(work)
  await state.clock.advance(1000)
  over.abort(new Error('enough'))
  t.is((await ended)?.message, 'enough')
  const { looks } = state
  await state.clock.advance(10_000)
  t.is(state.looks, looks)
})

test('a disk that was full is remembered for as long as the builder may take to remove what filled it', async (t) => {
  const { state, sight } = disk()
  const room = rememberRoom(sight)
  t.is(await room.whyNone(), undefined)
  state.isFull = true
  await state.clock.advance(1000)
  state.isFull = false
  await state.clock.advance(9000)
  t.is(await room.whyNone(), full)
  await state.clock.advance(2000)
  t.is(await room.whyNone(), undefined)
  state.isFull = true
  t.is(await room.whyNone(), full)
  room.stop()
  const { looks } = state
  await state.clock.advance(10_000)
  t.is(state.looks, looks)
})

test('a step that speaks of a full disk has it looked at while what fills it is there', async (t) => {
  const { state, sight } = disk()
  const room = rememberRoom(sight)
  state.isFull = true
  room.hear('ordinary words\n')
  t.is(state.looks, 0)
  for (let line = 0; line < 100; line++) room.hear('dd: x: No space left on device\n')
  t.is(state.looks, 1)
  state.isFull = false
  await state.clock.advance(0)
  t.is(await room.whyNone(), full)
  room.stop()
})
