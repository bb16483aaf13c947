import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import { container, image, network, now, observed, volume, world } from '#test/helpers/world.ts'
import { planNode } from './node.plan.ts'
import { resolve } from './resolve.ts'
import { reportNetwork, reportVolume, withOwnReport } from './status.infra.ts'
import { reportContainer } from './status.ts'
import { groupOf, type Hold, type World } from './world.ts'

function made(object: Container, more: Parameters<typeof observed>[2] = {}) {
  const resolved = resolve({ container: object, ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return observed(object, resolved.fingerprint, more)
}

function report(object: Container, parts: Parameters<typeof world>[0] = {}, more: Partial<World> = {}) {
  const of = world({ objects: [object], ...parts }, more)
  const decision = planNode(of).decisions.get(groupOf('Container', object.metadata))
  if (decision === undefined) throw new Error('nothing was decided')
  return reportContainer({ container: object, decision, world: of, lastAction: undefined })
}

/** `Ready=False/Pulling`, for the conditions that are asked for. */
function words(status: ReturnType<typeof report>, types: readonly string[]): string {
  const found = types.flatMap((type) => status.conditions?.find((condition) => condition.type === type) ?? [])
  return [status.phase, ...found.map(({ type, status: word, reason }) => `${type}=${word}/${reason}`)].join(
    ' ',
  )
}

const web = container('web')
const exited = { state: 'exited', finishedAt: '2026-01-01T11:59:59Z', pid: 0 } as const
const ended = (exitCode: number) => ({ ...exited, exitCode })
const health = (status: 'starting' | 'healthy' | 'unhealthy') => ({
  health: { status, failingStreak: 3, log: [] },
})
const running = (more: Parameters<typeof observed>[2] = {}) => ({ containers: [made(web, more)] })
const hold = (reason: Hold['reason'], generation = 1): Partial<World> => ({
  holds: new Map([
    [
      'Container/default/web',
      { until: now + 1000, failures: 1, reason, message: 'why', action: 'start container web', generation },
    ],
  ]),
})

const situations: readonly (readonly [string, () => ReturnType<typeof report>, string])[] = [
  [
    'not made yet',
    () => report(web),
    'Pending ImageReady=True/Present Ready=False/Pending UpToDate=False/Updating',
  ],
  [
    'without its image',
    () => report(web, { images: [] }),
    'Pulling ImageReady=False/Pulling Ready=False/Pulling UpToDate=False/Pulling',
  ],
  [
    'running',
    () => report(web, running()),
    'Running ImageReady=True/Present Ready=True/Running UpToDate=True/AsDesired',
  ],
  [
    'running while its next image is pulled',
    () => report(container('web', { image: 'app:2' }), running()),
    'Running ImageReady=False/Pulling Ready=True/Running UpToDate=False/Pulling',
  ],
  [
    'running and about to be replaced',
    () => report(container('web', { args: ['new'] }), running()),
    'Running ImageReady=True/Present Ready=True/Running UpToDate=False/Updating',
  ],
  [
    'of starting health',
    () => report(web, running(health('starting'))),
    'Running ImageReady=True/Present Ready=False/HealthStarting UpToDate=True/AsDesired',
  ],
  [
    'healthy',
    () => report(web, running(health('healthy'))),
    'Running ImageReady=True/Present Ready=True/Running UpToDate=True/AsDesired',
  ],
  [
    'paused',
    () => report(container('web', { state: 'Paused' }), running({ state: 'paused' })),
    'Paused ImageReady=True/Present Ready=False/Paused UpToDate=True/AsDesired',
  ],
  [
    'stopped',
    () => report(container('web', { state: 'Stopped' }), running(ended(0))),
    'Stopped ImageReady=True/Present Ready=False/Stopped UpToDate=True/AsDesired',
  ],
  [
    'made and not started',
    () => report(container('web', { state: 'Created' }), running({ state: 'created' })),
    'Created ImageReady=True/Present Ready=False/Created UpToDate=True/AsDesired',
  ],
  [
    'finished well',
    () => report(container('web', { restartPolicy: 'OnFailure' }), running(ended(0))),
    'Succeeded ImageReady=True/Present Ready=False/Completed UpToDate=True/AsDesired',
  ],
  [
    'finished badly',
    () => report(container('web', { restartPolicy: 'Never' }), running(ended(3))),
    'Failed ImageReady=True/Present Ready=False/Error UpToDate=True/AsDesired',
  ],
  [
    'ended and about to start again',
    () => report(web, running(ended(1))),
    'Starting ImageReady=True/Present Ready=False/Starting UpToDate=False/Updating',
  ],
  [
    'resting between two starts',
    () =>
      report(web, running({ ...ended(1), startedAt: '2026-01-01T11:59:50Z' }), {
        statuses: new Map([[web.metadata.uid ?? '', { containerID: 'id-web', crashStreak: 4 }]]),
      }),
    'Failed ImageReady=True/Present Ready=False/CrashLoopBackOff UpToDate=True/AsDesired',
  ],
  [
    'held after a failure',
    () => report(web, {}, hold('HostPortInUse')),
    'Pending ImageReady=True/Present Ready=False/HostPortInUse Stalled=False/Progressing',
  ],
  [
    'held for good',
    () => report(web, {}, hold('InvalidSpec')),
    'Pending ImageReady=True/Present Ready=False/InvalidSpec Stalled=True/InvalidSpec',
  ],
  [
    'held, but changed since',
    () => report(web, {}, hold('InvalidSpec', 0)),
    'Pending ImageReady=True/Present Ready=False/Pending Stalled=False/Progressing',
  ],
]

for (const [what, make, expected] of situations) {
  test(`the status of a Container that is ${what}`, (t) => {
    const types = expected.includes('Stalled')
      ? ['ImageReady', 'Ready', 'Stalled']
      : ['ImageReady', 'Ready', 'UpToDate']
    t.is(words(make(), types), expected)
  })
}

test('the same inputs give the same status, whenever it is computed', (t) => {
  const proven = container('web', { update: { monitor: '0s' } })
  const first = report(proven, running(health('healthy')))
  const later = { ...proven, status: first }
  const again = report(later, running(health('healthy')), { now: now + 60_000 })
  t.deepEqual(again, first)
})

test('a last run is told with its code and reason', (t) => {
  const last = (more: Parameters<typeof observed>[2]) =>
    report(web, running({ ...ended(137), ...more })).lastTermination
  t.like(last({}), { exitCode: 137, reason: 'Error' })
  t.like(last({ oomKilled: true }), { reason: 'OOMKilled' })
  t.like(last({ error: 'no such file' }), { message: 'no such file' })
  t.like(last({ exitCode: 0, startedAt: '2026-01-01T11:59:59Z' }), {
    reason: 'Completed',
    message: 'the main process ended within a second; a service must run in the foreground',
  })
})

test('the log of checks moves with their result only', (t) => {
  const probe = (end: string) => ({ start: end, end, exitCode: 0, output: '' })
  const at = (end: string, failingStreak = 0) =>
    running({ health: { status: 'healthy' as const, failingStreak, log: [probe(end)] } })
  const first = report(web, at('2026-01-01T11:58:00Z'))
  const statuses = new Map([[web.metadata.uid ?? '', first]])
  t.deepEqual(report(web, at('2026-01-01T11:59:00Z'), { statuses }).health, first.health)
  t.is(report(web, at('2026-01-01T11:59:00Z', 1), { statuses }).health?.log[0]?.end, '2026-01-01T11:59:00Z')
})

test('the image that is reported is the one that runs', (t) => {
  const status = report(container('web', { image: 'app:2' }), {
    ...running(),
    images: [image('app:1'), image('app:2')],
  })
  t.deepEqual(status.image, { reference: 'app:1', id: 'sha256:app:1' })
})

test('Volumes and Networks say where they stand', (t) => {
  const data = volume('data')
  const net = network('net')
  const nothing = { plan: { ops: [] } }
  const empty = world({ objects: [data, net] })
  t.like(reportVolume(data, nothing, empty), { phase: 'Pending', usedBy: [] })
  const waiting = { ...nothing, waiting: { reason: 'DriverDiffers', message: 'why' } }
  t.is(reportVolume(data, waiting, empty).phase, 'Failed')
  const there = world({
    volumes: [{ name: 'data', driver: 'local', options: {}, labels: {}, mountpoint: '/v', createdAt: '' }],
  })
  t.like(reportVolume(data, nothing, there), { phase: 'Ready', engineName: 'data', mountpoint: '/v' })
  const others = { ...net, status: { nodes: { n2: { state: 'Ready' as const } } } }
  const own = { n1: { state: 'Pending' as const, message: 'it is not made yet' } }
  t.deepEqual(reportNetwork(others, nothing, empty).nodes, own)
  t.deepEqual(withOwnReport(others, empty).status?.nodes, {})
  const both = { ...net, status: { nodes: { ...others.status.nodes, ...own } } }
  t.deepEqual(withOwnReport(both, empty).status?.nodes, own)
})

test('what is named as every object has it is a value like others, and trips nobody', (t) => {
  const before = container('web')
  const made = resolve({ container: before, ...world() })
  if ('missing' in made) throw new Error(made.missing.message)
  const web = container('web', { logging: { driver: 'json-file', options: { constructor: 'x' } } })
  const of = world({ objects: [web], containers: [observed(before, made.fingerprint)] })
  const [decision] = planNode(of).decisions.values()
  if (decision === undefined) throw new Error('nothing was decided')
  const { differences = [] } = reportContainer({ container: web, decision, world: of, lastAction: undefined })
  t.like(
    differences.find(({ field }) => field === 'spec.logging.options.constructor'),
    { want: 'x', found: 'none' },
  )
})

test('an object that the planner trips over is reported all the same', (t) => {
  const whole = container('web')
  const { env: _env, ...spec } = whole.spec
  // As no API would hand it out.
  const web = { ...whole, spec } as Container
  const of = world({ objects: [web], containers: [observed(whole, 'x')] })
  const [decision] = planNode(of).decisions.values()
  if (decision === undefined) throw new Error('nothing was decided')
  t.is(decision.waiting?.reason, 'PlannerError')
  const { differences } = reportContainer({ container: web, decision, world: of, lastAction: undefined })
  t.is(differences, undefined)
})
