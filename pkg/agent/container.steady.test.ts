import test from 'ava'
import type { ObservedHealth } from '#pkg/engine/port.ts'
import { container, observed } from '#test/helpers/world.ts'
import { steadyHealth } from './container.steady.ts'

const probe = (second: number) => ({
  start: `2026-01-01T12:00:0${second}Z`,
  end: `2026-01-01T12:00:0${second}Z`,
  exitCode: 1,
  output: `at ${second}`,
})
const sick = (failingStreak: number, second: number): ObservedHealth => ({
  status: 'unhealthy',
  failingStreak,
  log: [probe(second)],
})

test('a check that goes on failing is told again when it has failed twice as often', (t) => {
  const startedAt = '2026-01-01T11:00:01Z'
  const seen = (health: ObservedHealth, told = sick(4, 1), run = startedAt) => {
    const status = { containerID: 'id-web', startedAt: run, health: { ...told, log: [...told.log] } }
    return steadyHealth([observed(container('web'), 'x', { startedAt, health })], [undefined, status])[0]
      ?.health
  }
  t.deepEqual(seen(sick(7, 5)), {
    ...sick(4, 1),
    log: [{ ...probe(1), start: probe(5).start, end: probe(5).end }],
  })
  t.deepEqual(seen(sick(8, 5)), sick(8, 5))
  t.deepEqual(seen(sick(3, 5)), sick(3, 5), 'it was well in between')
  t.deepEqual(seen({ ...sick(5, 5), status: 'healthy' }), { ...sick(5, 5), status: 'healthy' })
  t.deepEqual(seen(sick(5, 5), sick(4, 1), 'another run'), sick(5, 5))
})
