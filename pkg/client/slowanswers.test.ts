import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { withSlowAnswers } from './slowanswers.ts'

function world(tell?: () => Promise<void>) {
  const clock = new ManualClock()
  const answers: (() => void)[] = []
  let told = 0
  const count = async () => {
    told++
  }
  const never = new AbortController().signal
  const transport = withSlowAnswers(
    async () => {
      await new Promise<void>((resolve) => answers.push(resolve))
      return { status: 200, headers: {}, body: '' } satisfies ApiResponse
    },
    { clock, afterMs: 1000, tell: tell ?? count },
  )
  const ask = (query = '', more: Partial<ApiRequest> = {}) =>
    transport({
      method: 'GET',
      path: '/x',
      query: new URLSearchParams(query),
      headers: {},
      signal: never,
      ...more,
    })
  const answer = () => {
    for (const resolve of answers.splice(0)) resolve()
  }
  return { clock, ask, answer, told: () => told }
}

test('a server that lets people wait is told of once, and again when it does it again', async (t) => {
  const { clock, ask, answer, told } = world()
  const quick = ask()
  await clock.advance(900)
  answer()
  await quick
  await clock.advance(5000)
  t.is(told(), 0)
  const slow = [ask(), ask(), ask()]
  await clock.advance(5000)
  t.is(told(), 1)
  answer()
  await Promise.all(slow)
  const more = ask()
  await clock.advance(1000)
  t.is(told(), 2)
  answer()
  await more
})

test('what takes long by its nature is not told of', async (t) => {
  const { clock, ask, answer, told } = world()
  async function* input() {}
  const asked = [ask('watch=true'), ask('follow=true'), ask('', { input: input() })]
  await clock.advance(5000)
  t.is(told(), 0)
  answer()
  await Promise.all(asked)
})

test('when nobody can read that any more, nothing further is asked', async (t) => {
  const { clock, ask, answer } = world(async () => {
    throw new Error('broken pipe')
  })
  const first = ask()
  await clock.advance(1000)
  answer()
  await first
  await t.throwsAsync(ask(), { message: 'broken pipe' })
})
