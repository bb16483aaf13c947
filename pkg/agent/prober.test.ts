import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import type { ObservedContainer, ObservedHealth } from '#pkg/engine/port.ts'
import { container, observed } from '#test/helpers/world.ts'
import type { Probe } from './probe.ts'
import { Prober, type ProbeTarget, type RunCheck } from './prober.ts'

const probe: Probe = {
  check: { type: 'tcp', port: 80 },
  interval: 1000,
  timeout: 500,
  retries: 2,
  startPeriod: 0,
  startInterval: 1000,
}

function scene(answers: readonly (number | 'never' | 'throws')[]) {
  const clock = new ManualClock()
  const startedAt = new Date(clock.now()).toISOString()
  const asked: number[] = []
  let changes = 0
  const check: RunCheck = (_check, _addresses, signal) => {
    const answer = answers[asked.length] ?? 0
    asked.push(clock.now() - Date.parse(startedAt))
    if (answer === 'throws') return Promise.reject(new Error('broken'))
    if (answer !== 'never') return Promise.resolve({ exitCode: answer, output: `answer ${answer}` })
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  }
  const prober = new Prober({ clock, check, onChange: () => changes++ })
  const targets = (more: Partial<ObservedContainer> = {}, known?: ObservedHealth): ProbeTarget[] => [
    {
      container: observed(container('web'), 'f', { startedAt, ...more }),
      probe,
      addresses: ['172.17.0.2'],
      ...(known && { known }),
    },
  ]
  const pass = (ms: number) => clock.advance(ms)
  return { clock, prober, targets, pass, asked, startedAt, changes: () => changes }
}

test('a container is checked one interval after its start and then every interval', async (t) => {
  const { prober, targets, pass, asked } = scene([1, 1, 0])
  prober.sync(targets())
  t.is(prober.healthOf('id-web')?.status, 'starting')
  await pass(3500)
  t.deepEqual(asked, [1000, 2000, 3000])
  t.like(prober.healthOf('id-web'), { status: 'healthy', failingStreak: 0 })
  await prober.close()
})

test('only what changes the status or the streak is told', async (t) => {
  const { prober, targets, pass, changes } = scene([0, 0, 0, 1, 1, 1])
  prober.sync(targets())
  await pass(3500)
  t.is(changes(), 1)
  await pass(2000)
  t.is(changes(), 3)
  t.is(prober.healthOf('id-web')?.status, 'unhealthy')
  await prober.close()
})

test('a check without an answer has failed at its timeout, as Docker says it', async (t) => {
  const { prober, targets, pass, asked } = scene(['never', 'throws'])
  prober.sync(targets())
  await pass(1600)
  t.like(prober.healthOf('id-web')?.log, [{ exitCode: -1, output: 'Health check exceeded timeout (0.5s)' }])
  await pass(1000)
  t.deepEqual(asked, [1000, 2500])
  t.like(prober.healthOf('id-web')?.log[1], { exitCode: 1, output: 'broken' })
  await prober.close()
})

test('one that is frozen is not asked, keeps what was found, and is asked again one interval after it goes on', async (t) => {
  const { prober, targets, pass, asked } = scene([0, 0])
  prober.sync(targets())
  await pass(1100)
  prober.sync(targets({ state: 'paused' }))
  await pass(5000)
  t.is(asked.length, 1)
  t.is(prober.healthOf('id-web')?.status, 'healthy')
  prober.sync(targets())
  await pass(100)
  t.is(asked.length, 2)
  await prober.close()
})

test('a run that began anew is starting again; one that is gone is forgotten', async (t) => {
  const { prober, targets, pass, clock } = scene([0, 0])
  prober.sync(targets())
  await pass(1100)
  prober.sync(targets({ startedAt: new Date(clock.now()).toISOString() }))
  t.is(prober.healthOf('id-web')?.status, 'starting')
  prober.sync([])
  t.is(prober.healthOf('id-web'), undefined)
  await pass(5000)
  await prober.close()
})

test('an agent that restarts goes on with what was known, and asks as soon as it is due', async (t) => {
  const { prober, targets, pass, asked, startedAt } = scene([1])
  const end = startedAt
  const known = {
    status: 'healthy' as const,
    failingStreak: 1,
    log: [{ start: end, end, exitCode: 0, output: '' }],
  }
  await pass(5000)
  prober.sync(targets({}, known))
  t.is(prober.healthOf('id-web')?.status, 'healthy')
  await pass(100)
  t.deepEqual(asked, [5000])
  t.like(prober.healthOf('id-web'), { status: 'unhealthy', failingStreak: 2 })
  await prober.close()
})

test('a check under way is ended when nobody wants it any more, and leaves no result', async (t) => {
  const { prober, targets, pass, changes } = scene(['never'])
  prober.sync(targets())
  await pass(1100)
  await prober.close()
  await pass(1000)
  t.is(changes(), 0)
})
