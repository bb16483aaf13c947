import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { image, now } from '#test/helpers/world.ts'
import { encodeBook } from './lastused.text.ts'
import { LastUsed, type UseStore } from './lastused.ts'

const hour = 3_600_000
const day = 24 * hour
const a = image('a:1', `sha256:${'a'.repeat(64)}`)
const b = image('b:1', `sha256:${'b'.repeat(64)}`)

function make(text?: string) {
  const clock = new ManualClock(now)
  const warnings: string[] = []
  const saved: string[] = []
  let failure: Error | undefined
  const store: UseStore = {
    path: '/book',
    load: async () => saved.at(-1) ?? text,
    save: async (next) => {
      if (failure !== undefined) throw failure
      saved.push(next)
    },
  }
  const nothing = () => {}
  const warn = (message: string) => void warnings.push(message)
  const log = { debug: nothing, info: nothing, error: nothing, warn }
  const open = () => new LastUsed({ ambient: { clock, log }, store })
  const fill = (error: Error | undefined) => {
    failure = error
  }
  return { clock, warnings, saved, open, fill }
}

test('the first look counts as use, and a container uses its image as long as it exists', async (t) => {
  const { clock, open } = make()
  const book = open()
  book.sync([a, b], [{ imageID: a.id }])
  for (let passed = 0; passed < day; passed += hour) {
    await clock.advance(hour)
    book.sync([a, b], [{ imageID: a.id }])
  }
  t.deepEqual([book.of(a.id), book.of(b.id)], [now + day, now])
})

test('to pull an image or to name it is to use it, by whatever name the engine tells of it', async (t) => {
  const { clock, open } = make()
  const book = open()
  book.sync([a, b], [])
  await clock.advance(hour)
  book.noteEvent({ type: 'image', action: 'pull', id: 'a:1', name: 'a:1', at: now + 5000 })
  book.noteEvent({ type: 'image', action: 'delete', id: b.id, name: b.id })
  book.sync([a, b], [])
  t.deepEqual([book.of(a.id), book.of(b.id)], [now + 5000, now])
})

test('a clock that is set forward, and a machine that has slept, make nothing older', async (t) => {
  const { clock, open } = make(encodeBook(new Map([[a.id, now + 60 * day]])))
  const book = open()
  // As at the start of a machine that has no clock of its own.
  await book.recall()
  book.sync([a, b], [])
  await clock.advance(60_000)
  book.sync([a, b], [])
  t.is(book.of(a.id), now)
  await clock.advance(20_000 * day)
  book.sync([a, b], [])
  t.deepEqual([book.of(a.id), book.of(b.id)], [now + 20_000 * day, now + 20_000 * day])
  await clock.advance(60_000)
  book.sync([a, b], [])
  t.is(book.of(a.id), now + 20_000 * day)
})

test('a restart forgets nothing', async (t) => {
  const { clock, open } = make()
  const book = open()
  book.sync([a, b], [])
  await book.close()
  await clock.advance(3 * day)
  const later = open()
  await later.recall()
  later.sync([a, b], [])
  t.deepEqual([later.of(a.id), later.of(b.id)], [now, now])
})

test('it is written at most every ten minutes, and at the end', async (t) => {
  const { clock, saved, open } = make()
  const book = open()
  for (let minute = 0; minute < 25; minute++) {
    book.sync([a], [{ imageID: a.id }])
    book.keep()
    await clock.advance(60_000)
  }
  t.is(saved.length, 3)
  await book.close()
  t.is(saved.length, 4)
})

test('a book that is damaged makes all images as if used now, and says so', async (t) => {
  for (const text of [
    '',
    '{',
    '{"version":1}',
    '{"version":1,"images":{"x":"soon"}}',
    '{"version":9,"images":{}}',
  ]) {
    const { warnings, open } = make(text)
    const book = open()
    await book.recall()
    book.sync([a], [])
    t.is(book.of(a.id), now)
    t.is(warnings.length, 1, text)
  }
})

test('times of a clock that was put back make nothing young for ever', async (t) => {
  const future = new Date(now + 900 * day).toISOString()
  const { open } = make(JSON.stringify({ version: 1, images: { [a.id]: future } }))
  const book = open()
  await book.recall()
  t.is(book.of(a.id), now)
})

test('a disk that is full is told of, ends nothing, and the book is written when there is room', async (t) => {
  const { clock, warnings, saved, open, fill } = make()
  const book = open()
  fill(new Error('ENOSPC: no space left on device'))
  book.sync([a], [])
  book.keep()
  await clock.advance(1)
  t.is(warnings.length, 1)
  fill(undefined)
  await clock.advance(600_000)
  book.keep()
  await clock.advance(1)
  t.is(saved.length, 1)
})

test('images that are no more are forgotten', async (t) => {
  const { clock, open } = make()
  const book = open()
  book.sync([a, b], [])
  await clock.advance(day)
  book.sync([a], [])
  book.sync([a, b], [])
  t.is(book.of(b.id), now + day)
})
