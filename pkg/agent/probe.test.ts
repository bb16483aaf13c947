import test from 'ava'
import fc from 'fast-check'
import type { ObservedHealth } from '#pkg/engine/port.ts'
import { clusterID, container, now, observed, world } from '#test/helpers/world.ts'
import { probeTargets } from './probe.targets.ts'
import {
  afterProbe,
  cutOutput,
  notChecked,
  type Probe,
  pauseBeforeProbe,
  probeOf,
  readProbe,
  writeProbe,
} from './probe.ts'
import { resolve } from './resolve.ts'

const probe: Probe = {
  check: { type: 'tcp', port: 80 },
  interval: 30_000,
  timeout: 30_000,
  retries: 3,
  startPeriod: 0,
  startInterval: 5000,
}

function specOf(healthcheck: Record<string, unknown>) {
  return container('web', { healthcheck }).spec.healthcheck
}

/** The results of checks `every` ms apart, from the start: the state after each. */
function follow(exitCodes: readonly number[], of: Partial<Probe> = {}, every = 30_000): ObservedHealth[] {
  const states: ObservedHealth[] = []
  let health = notChecked
  exitCodes.forEach((exitCode, index) => {
    const at = new Date(now + (index + 1) * every).toISOString()
    health = afterProbe(
      health,
      { start: at, end: at, exitCode, output: '' },
      { probe: { ...probe, ...of }, startedAt: now },
    )
    states.push(health)
  })
  return states
}

const words = (states: readonly ObservedHealth[]) =>
  states.map(({ status, failingStreak }) => `${status} ${failingStreak}`)

test('one success makes healthy, three failures in a row unhealthy, and a success resets the streak', (t) => {
  t.deepEqual(words(follow([1, 1, 1, 0, 1, 1, 0, 1, -1, 2])), [
    'starting 1',
    'starting 2',
    'unhealthy 3',
    'healthy 0',
    'healthy 1',
    'healthy 2',
    'healthy 0',
    'healthy 1',
    'healthy 2',
    'unhealthy 3',
  ])
})

test('the start period forgives until the first success, and no longer', (t) => {
  t.deepEqual(words(follow([1, 1, 1, 1], { startPeriod: 60_001, retries: 1 })), [
    'starting 0',
    'starting 0',
    'unhealthy 1',
    'unhealthy 2',
  ])
  t.deepEqual(words(follow([0, 1], { startPeriod: 600_000, retries: 1 })), ['healthy 0', 'unhealthy 1'])
})

test('the first check comes one interval after the start, in the start period one start interval', (t) => {
  const pause = (status: ObservedHealth['status'], since: number, startPeriod: number) =>
    pauseBeforeProbe(status, { ...probe, startPeriod }, { startedAt: now, now: now + since })
  t.is(pause('starting', 0, 0), 30_000)
  t.is(pause('starting', 0, 60_000), 5000)
  t.is(pause('healthy', 1000, 60_000), 30_000)
  t.is(pause('starting', 60_000, 60_000), 30_000)
})

test('without a start interval of its own a check that is more frequent than every five seconds stays so', (t) => {
  t.is(probeOf(specOf({ tcp: { port: 1 }, interval: '1s' }))?.startInterval, 1000)
  t.is(probeOf(specOf({ tcp: { port: 1 } }))?.startInterval, 5000)
  t.is(probeOf(specOf({ tcp: { port: 1 }, startInterval: '2s' }))?.startInterval, 2000)
})

test('commands and disabled checks are not for the agent', (t) => {
  t.is(probeOf(undefined), undefined)
  t.is(probeOf(specOf({ shell: 'true' })), undefined)
  t.is(probeOf(specOf({ disabled: true })), undefined)
})

test('whatever the results, five are kept, and health is told by the last ones alone', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(0, 1, -1), { maxLength: 30 }),
      fc.integer({ min: 1, max: 6 }),
      (codes, retries) => {
        const states = follow(codes, { retries })
        states.forEach(({ status, failingStreak, log }, index) => {
          const streak = index - codes.slice(0, index + 1).lastIndexOf(0)
          t.is(failingStreak, codes.slice(0, index + 1).includes(0) ? streak : index + 1)
          t.is(status === 'unhealthy', failingStreak >= retries)
          t.is(log.length, Math.min(5, index + 1))
        })
      },
    ),
  )
})

test('output is cut at 4096 bytes, and says so', (t) => {
  t.is(cutOutput('x'.repeat(4096)).length, 4096)
  t.is(cutOutput('x'.repeat(9000)).length, 4099)
  t.true(cutOutput('x'.repeat(9000)).endsWith('x...'))
})

test('a check is read from its label as it was written, and anything else is none', (t) => {
  const port = fc.integer({ min: 1, max: 65_535 })
  const check = fc.oneof(
    fc.record({ tcp: fc.record({ port }) }),
    fc.record({
      http: fc.record({
        port,
        path: fc.constantFrom('/', '/health?full=1'),
        scheme: fc.constantFrom('HTTP', 'HTTPS'),
        headers: fc.dictionary(fc.constantFrom('Host', 'X-A'), fc.string()),
      }),
    }),
  )
  fc.assert(
    fc.property(check, (healthcheck) => {
      const written = probeOf(specOf(healthcheck))
      t.truthy(written)
      if (written !== undefined) t.deepEqual(readProbe(writeProbe(written)), written)
    }),
  )
  for (const text of [undefined, '', '{', '[]', '{}', '{"check":{"type":"tcp","port":1}}', 'null', '7']) {
    t.is(readProbe(text), undefined)
  }
  fc.assert(
    fc.property(fc.json(), (text) => {
      t.is(readProbe(text), undefined)
    }),
  )
})

function labelled(
  name: string,
  healthcheck: Record<string, unknown>,
  more: Parameters<typeof observed>[2] = {},
) {
  const object = container(name, { healthcheck })
  const resolved = resolve({ container: object, ...world({ objects: [object] }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return {
    create: resolved.create,
    observed: observed(object, resolved.fingerprint, { labels: resolved.create.labels, ...more }),
  }
}

test("a container with such a check carries it, and the engine is told to make none, not even the image's", (t) => {
  const { create } = labelled('web', { http: { port: 8080, path: '/health' } })
  t.deepEqual(create.healthcheck, { disabled: true })
  t.like(readProbe(create.labels['cove.run/probe']), { check: { type: 'http', port: 8080, path: '/health' } })
  t.is(labelled('web', { shell: 'true' }).create.labels['cove.run/probe'], '')
})

test('another check makes another fingerprint', (t) => {
  const of = (healthcheck: Record<string, unknown>) =>
    labelled('web', healthcheck).create.labels['cove.run/fingerprint']
  const prints = [
    of({ tcp: { port: 1 } }),
    of({ tcp: { port: 2 } }),
    of({ disabled: true }),
    of({ tcp: { port: 1 }, retries: 4 }),
  ]
  t.is(new Set(prints).size, 4)
})

test('a container is reached in its networks, in that of the node, or in that of the container it shares', (t) => {
  const check = { tcp: { port: 80 } }
  const own = labelled('own', check).observed
  const targets = probeTargets(
    [
      own,
      labelled('host', check, { networkMode: 'host', networks: [{ network: 'host', aliases: [], ip: '' }] })
        .observed,
      labelled('shares', check, { networkMode: 'container:id-own', networks: [] }).observed,
      labelled('lost', check, { networkMode: 'container:gone', networks: [] }).observed,
      labelled('none', check, { networkMode: 'none', networks: [{ network: 'none', aliases: [], ip: '' }] })
        .observed,
    ],
    clusterID,
    () => undefined,
  )
  t.deepEqual(
    targets.map(({ addresses }) => addresses),
    [['172.17.0.2'], ['127.0.0.1'], ['172.17.0.2'], [], []],
  )
})

test('what is known of the same run is taken over, of another run it is not', (t) => {
  const { observed: found } = labelled('web', { tcp: { port: 80 } })
  const health = { status: 'healthy' as const, failingStreak: 1, log: [] }
  const knownWith = (startedAt: string) =>
    probeTargets([found], clusterID, () => ({ containerID: found.id, startedAt, health }))[0]?.known
  t.deepEqual(knownWith(found.startedAt ?? ''), health)
  t.is(knownWith('2026-01-01T10:00:00Z'), undefined)
})

test('an image brings no check along by a label of its own', (t) => {
  const plain = resolve({ container: container('web'), ...world() })
  if ('missing' in plain) throw new Error(plain.missing.message)
  // The labels of a container win over those of its image.
  t.is(plain.create.labels['cove.run/probe'], '')
  t.is(readProbe(''), undefined)
})

test('whatever is asked for, there is a tenth of a second between two checks', (t) => {
  const hasty = { ...probe, interval: 0, startInterval: 0, startPeriod: 60_000 }
  for (const status of ['starting', 'healthy'] as const)
    t.is(pauseBeforeProbe(status, hasty, { startedAt: now, now }), 100)
  for (const wrong of [{ interval: '50ms' }, { startInterval: '99ms' }])
    for (const check of [{ tcp: { port: 80 } }, { http: { port: 80 } }])
      t.throws(() => specOf({ ...check, ...wrong }), { message: /must be at least 100ms with http or tcp/ })
  t.notThrows(() => specOf({ tcp: { port: 80 }, interval: '100ms' }))
  t.notThrows(() => specOf({ shell: 'true', interval: '1ms' }))
  t.throws(() => specOf({ tcp: { port: 80 }, interval: 'often' }), { message: /interval/ })
  for (const port of [0, 65_536, 80.5]) {
    const label = writeProbe({ ...probe, check: { type: 'tcp', port } })
    t.is(readProbe(label), undefined, String(port))
  }
})
