/** When places are asked, and what is held of their answers; on a clock that is moved by hand. */
import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { ContextSource } from '../port.ts'
import { SourceFollower, type SourceQuestion } from './sourcefollower.ts'

const minute = 60_000

function scene(answer: () => string | Error = () => '1') {
  const clock = new ManualClock()
  const begin = clock.now()
  const asked: number[] = []
  let told = 0
  const follower = new SourceFollower({
    clock,
    onAnswer: () => {
      told++
    },
  })
  const ask: SourceQuestion['ask'] = async () => {
    asked.push(clock.now() - begin)
    const revision = answer()
    if (revision instanceof Error) throw revision
    return { type: 'tar', url: 'https://example.org/a', revision }
  }
  const question = (more: Partial<SourceQuestion> = {}): SourceQuestion => ({
    uid: 'u',
    key: 'k',
    interval: 10 * minute,
    again: true,
    ask,
    ...more,
  })
  const revision = (uid = 'u') => revisionOf(follower.answers().get(uid)?.source)
  return { clock, asked, follower, question, revision, told: () => told }
}

function revisionOf(source: ContextSource | undefined): string | undefined {
  return source?.type === 'tar' ? source.revision : undefined
}

test('a place is asked at once, then in intervals, each Build a little earlier by its own', async (t) => {
  let revision = 'one'
  const { clock, asked, follower, question, told, revision: known } = scene(() => revision)
  follower.follow([question()])
  await clock.advance(0)
  t.deepEqual(asked, [0])
  t.is(known(), 'one')
  const next = follower.nextAskAt('u') ?? 0
  t.true(next - clock.now() > 9 * minute - 1 && next - clock.now() <= 10 * minute)
  revision = 'two'
  await clock.advance(10 * minute)
  t.is(asked.length, 2)
  t.is(known(), 'two')
  t.is(told(), 2)
  await clock.advance(50 * minute)
  t.true(asked.length >= 7)
})

test('who wants one answer gets one, and another one by a poke or a request', async (t) => {
  const { clock, asked, follower, question } = scene()
  follower.follow([question({ again: false })])
  await clock.advance(100 * minute)
  t.is(asked.length, 1)
  t.is(follower.nextAskAt('u'), undefined)
  follower.poke('u')
  await clock.advance(0)
  t.is(asked.length, 2)
  follower.follow([question({ again: false, request: 'now' })])
  t.is(follower.answers().get('u')?.request, undefined, 'what is known is of before the request')
  await clock.advance(0)
  t.is(asked.length, 3)
  t.is(follower.answers().get('u')?.request, 'now')
  follower.follow([question({ again: false, request: 'now', stamp: 'another secret' })])
  t.not(follower.answers().get('u')?.source, undefined, 'what is known is known with any credentials')
  await clock.advance(0)
  t.is(asked.length, 4)
})

test('a failure stands beside what was known, and is tried again later each time', async (t) => {
  let answer: string | Error = 'one'
  const { clock, asked, follower, question, revision } = scene(() => answer)
  follower.follow([question()])
  await clock.advance(0)
  answer = new StatusError('SourceUnavailable', 'away')
  follower.poke('u')
  await clock.advance(0)
  t.is(revision(), 'one')
  t.deepEqual(follower.answers().get('u')?.failure, { reason: 'SourceUnavailable', message: 'away' })
  const from = clock.now()
  await clock.advance(80_000)
  t.deepEqual(
    asked.slice(2).map((at) => at - (asked[1] ?? 0)),
    [10_000, 30_000, 70_000],
  )
  t.is(clock.now() - from, 80_000)
  answer = 'two'
  await clock.advance(90_000)
  t.is(revision(), 'two')
  t.is(follower.answers().get('u')?.failure, undefined)
})

test('an answer to what is not asked any more counts for nothing', async (t) => {
  const { clock, follower, question, told } = scene()
  const held = Promise.withResolvers<ContextSource>()
  follower.follow([question({ ask: () => held.promise })])
  await clock.advance(0)
  follower.follow([question({ key: 'other' })])
  held.resolve({ type: 'tar', url: 'x', revision: 'old' })
  await clock.advance(0)
  t.is(revisionOf(follower.answers().get('u')?.source), '1')
  t.is(told(), 1)
  follower.follow([question({ key: 'third' })])
  t.false(follower.answers().has('u'), 'before it is answered nothing is known')
  follower.follow([])
  await clock.advance(0)
  t.is(follower.answers().size, 0)
})

test('a poke while it is asked makes it ask again: the answer may be of before', async (t) => {
  const { clock, follower, question } = scene()
  const answers = [Promise.withResolvers<ContextSource>(), Promise.withResolvers<ContextSource>()]
  let asked = 0
  const ask = () => answers[asked++]?.promise ?? Promise.reject(new Error('too often'))
  follower.follow([question({ ask })])
  await clock.advance(0)
  follower.poke('u')
  answers[0]?.resolve({ type: 'tar', url: 'x', revision: 'before' })
  await clock.advance(0)
  t.is(asked, 2)
  answers[1]?.resolve({ type: 'tar', url: 'x', revision: 'after' })
  await clock.advance(0)
  t.is(asked, 2)
  t.is(revisionOf(follower.answers().get('u')?.source), 'after')
})

test('a few are asked at a time, and whoever ends breaks all off', async (t) => {
  const { clock, follower, question, told } = scene()
  let underWay = 0
  let most = 0
  const ask: SourceQuestion['ask'] = (signal) => {
    most = Math.max(most, ++underWay)
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
  }
  follower.follow(Array.from({ length: 20 }, (_, at) => question({ uid: String(at), ask })))
  await clock.advance(0)
  t.is(most, 4)
  await follower.close()
  t.is(most, 4)
  t.is(told(), 0)
})
