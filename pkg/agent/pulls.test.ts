import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { OpOf } from './ops.ts'
import { PullBook } from './pulls.ts'

const pull: OpOf<'pullImage'> = { type: 'pullImage', reference: 'app', secrets: [] }
const key = 'docker.io/library/app:latest'

test('a pull that runs shows its layers; one that ended well shows when', async (t) => {
  const clock = new ManualClock(5000)
  const book = new PullBook(clock, () => {})
  await book.follow(pull, async () => {
    book.progress(pull, { layer: 'a', state: 'Waiting' })
    book.progress(pull, { layer: 'b', state: 'Waiting' })
    book.progress(
      { ...pull, reference: 'docker.io/library/app:latest' },
      { layer: 'a', state: 'Downloading', currentBytes: 1 },
    )
    t.deepEqual(book.snapshot().get(key), {
      running: true,
      layers: [
        { layer: 'a', state: 'Downloading', currentBytes: 1 },
        { layer: 'b', state: 'Waiting' },
      ],
    })
  })
  t.deepEqual(book.snapshot().get(key), { running: false, layers: [], finishedAt: 5000 })
  await clock.advance(1000)
  const failed = book.follow(pull, () => Promise.reject(new Error('no network')))
  await t.throwsAsync(failed, { message: 'no network' })
  t.deepEqual(book.snapshot().get(key), { running: false, layers: [], finishedAt: 5000 })
})

test('who wants what is being pulled shares that pull and its end, and goes on when it is broken off', async (t) => {
  const book = new PullBook(new ManualClock(5000), () => {})
  const first = Promise.withResolvers<void>()
  let pulls = 0
  const again = () => {
    pulls++
    return Promise.resolve()
  }
  const all = [
    book.follow(pull, () => first.promise),
    book.follow(pull, again),
    book.follow({ ...pull, reference: key }, again),
  ]
  await Promise.resolve()
  first.resolve()
  await Promise.all(all)
  t.is(pulls, 0)
  const refused = Promise.withResolvers<void>()
  const failing = [book.follow(pull, () => refused.promise), book.follow(pull, again)]
  refused.reject(new Error('no'))
  for (const each of failing) await t.throwsAsync(each, { message: 'no' })
  const cut = new AbortController()
  const broken = Promise.withResolvers<void>()
  const begun = book.follow(pull, () => broken.promise, cut.signal)
  const goesOn = book.follow(pull, again)
  cut.abort()
  broken.reject(new Error('broken off'))
  await t.throwsAsync(begun)
  await goesOn
  t.is(pulls, 1)
})

test('progress is shown once a second at most', async (t) => {
  const clock = new ManualClock(5000)
  let shown = 0
  const book = new PullBook(clock, () => shown++)
  await book.follow(pull, async () => {
    for (let turn = 0; turn < 20; turn++) {
      book.progress(pull, { layer: 'a', state: 'Downloading', currentBytes: turn })
      await clock.advance(100)
    }
  })
  t.is(shown, 2)
  book.progress(pull, { layer: 'a', state: 'Downloading', currentBytes: 20 })
  t.deepEqual(book.snapshot().get(key)?.layers, [])
})

test('what ended is forgotten: at once when it failed, after an hour when it was well', async (t) => {
  const clock = new ManualClock(5000)
  const book = new PullBook(clock, () => {})
  await t.throwsAsync(book.follow({ ...pull, reference: 'bad' }, () => Promise.reject(new Error('no'))))
  await book.follow(pull, async () => {})
  t.deepEqual([...book.snapshot().keys()], [key])
  await clock.advance(3_600_001)
  t.is(book.snapshot().size, 0)
})

test('a pull with Secrets is another pull', async (t) => {
  const book = new PullBook(new ManualClock(5000), () => {})
  await book.follow({ ...pull, secrets: ['shop/login'] }, async () => {})
  t.deepEqual([...book.snapshot().keys()], [`${key} with shop/login`])
})

test('other ops just run', async (t) => {
  const book = new PullBook(new ManualClock(), () => t.fail('no progress'))
  await book.follow({ type: 'removeVolume', volume: 'data' }, async () => {})
  t.is(book.snapshot().size, 0)
})
