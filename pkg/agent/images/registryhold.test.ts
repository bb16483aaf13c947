import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { type Reason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import type { AgentOp } from '../ops.ts'
import { RegistryBook } from './registryhold.ts'

const planned = {
  id: 'x#1',
  op: { type: 'pullImage', reference: 'r.io/app:1', secrets: [] },
  cause: 'x',
  after: [],
  group: 'Pull/r.io/app:1',
} as const

const done: OpResult<AgentOp> = { planned, outcome: 'done' }
const failed = (reason: Reason, retryAfterSeconds?: number): OpResult<AgentOp> => ({
  planned,
  outcome: 'failed',
  error: new StatusError(reason, 'no', retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
})

/** A book, and how long r.io rests from now on; seconds. */
function scene() {
  const clock = new ManualClock()
  const book = new RegistryBook({ clock, random: { next: () => 0.5, uuid: () => '' } })
  const rest = () => {
    const hold = book.holds().get('r.io')
    return hold === undefined ? undefined : Math.round((hold.until - clock.now()) / 1000)
  }
  return { clock, book, rest }
}

test('a registry that is away rests longer each time, and not at all once it has answered', async (t) => {
  const { book, rest, clock } = scene()
  const rests: (number | undefined)[] = []
  for (let round = 0; round < 8; round++) {
    // Those that fail together count as one.
    for (let pull = 0; pull < 3; pull++) book.note(failed('RegistryUnavailable'))
    rests.push(rest())
    await clock.advance((rest() ?? 0) * 1000)
  }
  t.deepEqual(rests, [2, 4, 8, 16, 32, 60, 60, 60])
  book.note(failed('ImageNotFound'))
  t.is(rest(), undefined)
  book.note(failed('RegistryUnavailable'))
  t.is(rest(), 2)
  book.note(done)
  t.is(rest(), undefined)
})

test('one that wants to be asked less rests as long as it says, and by itself half a minute at first', (t) => {
  const { book, rest } = scene()
  book.note(failed('RegistryRateLimited'))
  t.is(rest(), 30)
  book.note(failed('RegistryRateLimited', 600))
  t.is(rest(), 600)
  t.regex(
    book.holds().get('r.io')?.message ?? '',
    /^registry r\.io is not asked before 2026-01-01T00:10:00Z: no$/,
  )
})

test('what was under way when it asked to be left alone does not end that, but what comes after does', async (t) => {
  const { book, rest, clock } = scene()
  book.note(failed('RegistryRateLimited', 600))
  book.note(done)
  book.note(failed('RegistryRateLimited'))
  t.is(rest(), 600)
  await clock.advance(600_000)
  book.note(done)
  t.is(rest(), undefined)
})

test('what the engine or the disk fails with says nothing of the registry', (t) => {
  const { book, rest } = scene()
  book.note({ planned, outcome: 'failed', error: new Error('x') })
  book.note(failed('EngineUnavailable'))
  book.note({ planned, outcome: 'skipped' })
  t.is(rest(), undefined)
  book.note(failed('RegistryUnavailable'))
  book.note(failed('NoSpace'))
  t.is(rest(), 2)
})

test('pulls count when they have ended, well or not', async (t) => {
  const { book, clock } = scene()
  const start = clock.now()
  book.note(done)
  await clock.advance(1000)
  book.note(failed('ImageNotFound'))
  book.note({ planned, outcome: 'skipped' })
  t.deepEqual(book.pulledAt().get('r.io'), [start, start + 1000])
})

test('a clock that is put back makes no rest longer', (t) => {
  let now = Date.parse('2030-01-01T00:00:00Z')
  const clock = { now: () => now, after: () => () => {} }
  const book = new RegistryBook({ clock, random: { next: () => 0.5, uuid: () => '' } })
  book.note(failed('RegistryRateLimited', 21_600))
  t.is(book.holds().size, 1)
  now -= 365 * 86_400_000
  t.is(book.holds().size, 0)
})
