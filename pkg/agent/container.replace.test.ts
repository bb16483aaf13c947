/** Whole replacements, op by op, on a simulated engine. A is the first container that was made, B the second. */
import test, { type ExecutionContext } from 'ava'
import { updatePolicy } from '#pkg/apis/container.update.ts'
import { usualSecurity } from '#pkg/engine/port.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { type Fields, Replacing } from '#test/helpers/replacing.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { container, observed, print, volume, world } from '#test/helpers/world.ts'
import { castOf } from './container.cast.ts'
import { orderOf, planReplacement } from './container.replace.ts'
import { planContainer } from './container.ts'
import type { AgentOp } from './ops.ts'
import { resolve } from './resolve.ts'

const check = { healthcheck: { shell: 'x', interval: '1s', retries: 2 } }

/** One that serves, and is to be replaced. */
async function serving(t: ExecutionContext, update: Fields, spec: Fields = {}): Promise<Replacing> {
  const it = new Replacing(await makeTempDir(t), { args: ['v1'], update, ...spec })
  t.deepEqual(await it.wait(6000), ['create container web', 'start container web'])
  t.like(it.status.rollout, { phase: 'Complete' })
  return it
}

function condition(it: Replacing, type: string): string {
  const found = it.status.conditions?.find((each) => each.type === type)
  return `${found?.status} ${found?.reason}`
}

test('StartFirst: the old one stops when the new one has been up for the time it is monitored', async (t) => {
  const it = await serving(t, { order: 'StartFirst', monitor: '3s' })
  const old = it.status.containerID
  it.want({ args: ['v2'], update: it.update })
  t.deepEqual(await it.wait(2500), ['create container web_next', 'start container web_next'])
  t.like(it.status.rollout, { phase: 'Progressing', message: 'it must be up for 3s' })
  t.is(it.status.containerID, old, 'status tells of the one that serves')
  t.is(condition(it, 'UpToDate'), 'False RollingOut')
  t.is(condition(it, 'Ready'), 'True Running')
  t.deepEqual(await it.wait(1000), [
    'stop container A',
    'rename container A to web_prev-A',
    'rename container B to web',
  ])
  t.like(it.status.rollout, { phase: 'Complete', stable: it.status.fingerprint })
  t.is(condition(it, 'UpToDate'), 'True AsDesired')
})

test('StopFirst: the new one is made, then the old one stops and is parked until it is not needed any more', async (t) => {
  const it = await serving(t, { order: 'StopFirst', keepPrevious: '1m' })
  it.want({ args: ['v2'], update: it.update })
  t.deepEqual(await it.settle(), [
    'create container web_next',
    'stop container A',
    'rename container A to web_prev-A',
    'rename container web_next to web',
    'start container web',
  ])
  t.like(it.status.rollout, { phase: 'Progressing' })
  t.is(condition(it, 'UpToDate'), 'True AsDesired')
  t.deepEqual(await it.wait(60_000), [])
  t.deepEqual(await it.cast(), ['A web_prev-A exited', 'B web running'])
  t.deepEqual(await it.wait(6000), ['remove container A'])
})

test('one with a healthcheck is good when it has been healthy for the time it is monitored', async (t) => {
  const it = await serving(t, { order: 'StartFirst' }, check)
  it.want({ args: ['v2'], ...check, update: it.update })
  t.deepEqual(await it.wait(5500), ['create container web_next', 'start container web_next'])
  t.like(it.status.rollout, { phase: 'Progressing', message: 'it must be healthy for 5s' })
  t.deepEqual((await it.wait(1000)).at(-1), 'rename container B to web')
})

for (const [what, spec, reason, message] of [
  ['ends', { args: ['exits'] }, 'Exited', 'it ended with exit code 3'],
  ['is unhealthy', { args: ['sick'], ...check }, 'Unhealthy', /^2 checks in a row failed/],
  ['cannot be started', { args: ['never'] }, 'StartError', /never/],
  [
    'does not become healthy in time',
    { args: ['slow'], healthcheck: { ...check.healthcheck, startPeriod: '10m' }, healthTimeout: '4s' },
    'HealthTimeout',
    'it did not become healthy within 4s',
  ],
] as const) {
  test(`a new one that ${what} makes place for the old one, is told of, and is not tried again`, async (t) => {
    const { healthTimeout, ...wish } = { healthTimeout: '5m', ...spec }
    const it = await serving(t, { order: 'StopFirst', healthTimeout })
    it.want({ ...wish, update: it.update })
    const ops = (await it.wait(8000)).slice(5)
    t.deepEqual(
      ops.filter((op) => !op.startsWith('stop')),
      [
        'rename container B to web_failed-B',
        'rename container A to web',
        'start container A',
        'remove container B',
      ],
    )
    t.like(it.status.rollout, { phase: 'RolledBack', failed: { reason, generation: 2 } })
    const said = it.status.rollout?.failed?.message ?? ''
    t.true(typeof message === 'string' ? said === message : message.test(said), said)
    t.is(condition(it, 'RolledBack'), 'True NewRevisionFailed')
    t.is(condition(it, 'UpToDate'), 'False RolledBack')
    t.is(condition(it, 'Stalled'), 'True RolledBack')
    t.is(condition(it, 'Ready'), 'True Running')
    t.deepEqual(await it.wait(30_000), [])
    it.want({ args: ['v2'], update: it.update })
    t.is((await it.settle())[0], 'create container web_next', 'a fix goes forward at once')
    await it.wait(6000)
    t.is(condition(it, 'RolledBack'), 'False Superseded')
    t.is(it.status.rollout?.failed, undefined)
  })
}

test('beside the old one a new one that is not good just goes', async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  it.want({ args: ['exits'], update: it.update })
  t.deepEqual(await it.wait(3000), [
    'create container web_next',
    'start container web_next',
    'rename container B to web_failed-B',
    'remove container B',
  ])
  t.like(it.status.rollout, { phase: 'RolledBack', failed: { exitCode: 3 } })
})

test('the same is tried again when the object has changed, though it asks for the same', async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  it.want({ args: ['exits'], update: it.update })
  await it.wait(3000)
  it.want({ args: ['exits'], update: { ...it.update, monitor: '1s' } })
  t.true((await it.wait(3000)).includes('start container web_next'))
})

test('going back takes up the container that was parked: a start and a name', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(6000)
  it.want({ args: ['v1'], update: it.update })
  t.deepEqual(await it.settle(), [
    'stop container B',
    'rename container B to web_prev-B',
    'start container A',
    'rename container A to web',
  ])
  await it.wait(6000)
  it.want({ args: ['v2'], update: { order: 'StartFirst' } })
  t.deepEqual(await it.wait(6000), [
    'start container B',
    'rename container B to web_next',
    'stop container A',
    'rename container A to web_prev-A',
    'rename container B to web',
  ])
})

test('while paused what serves is kept and healed, and nothing else happens', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  it.want({ args: ['v2'], update: { ...it.update, paused: true } })
  t.deepEqual(await it.wait(10_000), [])
  t.like(it.status.rollout, { phase: 'Paused' })
  t.is(condition(it, 'UpToDate'), 'False RolloutPaused')
  await it.engine.stopContainer('web', 0)
  t.deepEqual(await it.settle(), ['start container A'])
  it.want({ args: ['v2'], update: it.update.order === undefined ? {} : { order: 'StopFirst' } })
  t.is((await it.settle())[0], 'create container web_next')
})

test('what was begun for a wish that is taken back is taken away, and the one that serves is left alone', async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(1000)
  it.want({ args: ['v1'], update: it.update })
  t.deepEqual(await it.wait(6000), ['stop container B', 'remove container B'])
  t.deepEqual(await it.cast(), ['A web running'])
})

test('another wish in the middle of a replacement begins with its own container at once', async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(1000)
  it.want({ args: ['v3'], update: it.update })
  t.deepEqual(await it.settle(), [
    'stop container B',
    'remove container B',
    'create container web_next',
    'start container web_next',
  ])
})

test('with onFailure Hold the new one stays, though it is not good, and is restarted as any other', async (t) => {
  const it = await serving(t, { order: 'StopFirst', onFailure: 'Hold' })
  it.want({ args: ['exits'], update: it.update })
  await it.wait(3000)
  t.like(it.status.rollout, { phase: 'Held' })
  t.regex(it.status.rollout?.message ?? '', /it ended with exit code 3; spec.update.onFailure is Hold/)
  t.is(condition(it, 'Ready'), 'False CrashLoopBackOff')
  t.true((await it.cast()).includes('A web_prev-A exited'))
})

test('the first container of all has nothing to go back to: it is held, and good when it is', async (t) => {
  const it = new Replacing(await makeTempDir(t), { args: ['exits'] })
  await it.wait(3000)
  t.like(it.status.rollout, { phase: 'Held' })
  t.regex(it.status.rollout?.message ?? '', /there is nothing to go back to/)
})

test('one that did not work itself is nothing to go back to, and goes when its successor runs', async (t) => {
  const it = new Replacing(await makeTempDir(t), { args: ['exits'], update: { order: 'StopFirst' } })
  await it.wait(5000)
  it.want({ args: ['v2'], update: it.update })
  const ops = await it.wait(6000)
  t.true(ops.includes('rename container A to web_old-A'))
  t.true(ops.includes('remove container A'))
})

test('a predecessor that was proven stays the one to go back to, however often what comes after it changes', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(1000)
  it.want({ args: ['exits'], update: it.update })
  await it.wait(10_000)
  t.deepEqual(await it.cast(), ['A web running'])
})

test('what cannot be made yet is waited for, while the one that serves is kept', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  it.want({ args: ['v2'], image: 'absent:1', imagePullPolicy: 'Never', update: it.update })
  t.deepEqual(await it.settle(), [])
  t.is(condition(it, 'UpToDate'), 'False ErrImageNeverPull')
  await it.engine.stopContainer('web', 0)
  t.deepEqual(await it.settle(), ['start container A'])
})

test("a stranger under the successor's name is left alone and named", async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  const stranger = { image: 'app:1', env: {}, labels: {}, ports: [], mounts: [], networks: [] }
  const limits = { cpus: 0, memoryBytes: 0, pids: 0 }
  await it.engine.createContainer({ ...stranger, name: 'web_next', limits })
  it.want({ args: ['v2'], update: it.update })
  t.deepEqual(await it.settle(), [])
  t.is(condition(it, 'UpToDate'), 'False NameConflict')
})

test('whoever stands aside does not run, whoever started it', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(6000)
  const parked = (await it.containers()).find(({ name }) => name !== 'web')
  await it.engine.startContainer(parked?.id ?? '')
  t.deepEqual(await it.settle(), ['stop container A'])
})

test('state Stopped stops everybody and ends what was begun', async (t) => {
  const it = await serving(t, { order: 'StartFirst' })
  it.want({ args: ['v2'], update: it.update })
  await it.wait(1000)
  it.want({ args: ['v2'], update: it.update, state: 'Stopped' })
  t.deepEqual(await it.settle(), ['stop container A', 'stop container B', 'remove container B'])
})

const orders: readonly (readonly [string, Fields, 'StartFirst' | 'StopFirst'])[] = [
  ['nothing that two could not have', {}, 'StartFirst'],
  ['a port that the engine picks', { ports: [{ containerPort: 80 }] }, 'StartFirst'],
  ['a port of the node', { ports: [{ containerPort: 80, hostPort: 80 }] }, 'StopFirst'],
  ['a volume', { mounts: [{ volume: 'data', mountPath: '/d' }] }, 'StopFirst'],
  ['a volume to read', { mounts: [{ volume: 'data', mountPath: '/d', readOnly: true }] }, 'StartFirst'],
  ['a path of the node', { mounts: [{ hostPath: '/srv', mountPath: '/d' }] }, 'StopFirst'],
  ["the node's network", { networkMode: 'host' }, 'StopFirst'],
  [
    'a volume, and StartFirst',
    { mounts: [{ volume: 'data', mountPath: '/d' }], update: { order: 'StartFirst' } },
    'StartFirst',
  ],
  ['StopFirst', { update: { order: 'StopFirst' } }, 'StopFirst'],
  ['state Paused', { state: 'Paused' }, 'StopFirst'],
]

for (const [what, spec, order] of orders) {
  test(`the order with ${what} is ${order}`, (t) => {
    t.is(orderOf(subject(spec)), order)
  })
}

test('the order with data in a volume that nobody named is StopFirst', (t) => {
  const mounts = [{ type: 'volume' as const, source: 'f'.repeat(64), target: '/data', readOnly: false }]
  t.is(orderOf(subject({}, { mounts })), 'StopFirst')
})

test('one that is worn out makes place for another of its kind, and is nothing to go back to', (t) => {
  const { plan } = planReplacement(subject({}), 'status.health: unhealthy')
  t.is(
    print(plan).replaceAll(/ \(after .*?\)/g, ''),
    [
      'Container/default/web#1: create container web_next because status.health: unhealthy',
      'Container/default/web#2: stop container id-web because status.health: unhealthy',
      'Container/default/web#3: rename container id-web to web_old-id-web because status.health: unhealthy',
      'Container/default/web#4: rename container web_next to web because status.health: unhealthy',
      'Container/default/web#5: start container web because spec.state is Running',
    ].join('\n'),
  )
})

function subject(spec: Fields, more: Parameters<typeof observed>[2] = {}) {
  const web = container('web', spec)
  const resolved = resolve({ container: web, ...world({ objects: [web] }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const given = world({ objects: [web], containers: [observed(web, resolved.fingerprint, more)] })
  const builder = new PlanBuilder<AgentOp>('Container/default/web')
  const policy = updatePolicy(web.spec)
  return { container: web, world: given, resolved, cast: castOf(web, given), policy, builder }
}

test('one that stopped for its successor has not crashed: it is started again at once, every time', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  for (let round = 1; round <= 5; round++) {
    it.want({ args: ['exits', String(round)], update: it.update })
    await it.settle()
    await it.clock.advance(500)
    const back = await it.pass(2)
    t.deepEqual(back.slice(1), ['rename container A to web', 'start container A'])
    it.kill()
    t.is((await it.settle())[0], 'start container A', `round ${round}`)
    await it.wait(2000)
  }
})

test("one that was changed behind Cove's back, so that it must be made anew, is nothing to go back to", async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  await it.engine.updateContainer('web', { cpus: 1, memoryBytes: 0, pids: 0 })
  const ops = await it.wait(6000)
  t.true(ops.includes('rename container A to web_old-A'), ops.join())
  t.deepEqual(await it.cast(), ['B web running'])
})

test('one that only looks like one of the object goes, and is never gone back to', async (t) => {
  const it = await serving(t, { order: 'StopFirst' })
  const [web] = await it.containers()
  const forged = { image: 'app:1', env: {}, labels: web?.labels ?? {}, ports: [], mounts: [], networks: [] }
  const limits = { cpus: 0, memoryBytes: 0, pids: 0 }
  const security = { ...usualSecurity, privileged: true }
  await it.engine.createContainer({ ...forged, name: 'web.double', limits, security })
  t.regex((await it.settle()).join(), /^remove container \w+$/)
  t.deepEqual(await it.cast(), ['A web running'])
})

test('one that is kept just in case does not hold up a Volume that is being deleted', (t) => {
  const web = container('web', { args: ['v2'] })
  const resolved = resolve({ container: web, ...world({ objects: [web] }) })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const mounts = [{ type: 'volume' as const, source: 'data', target: '/data', readOnly: false }]
  const containers = [
    observed(web, 'before', { id: 'a', name: 'web_prev-a', state: 'exited', mounts }),
    observed(web, resolved.fingerprint),
  ]
  const ops = (deletionTimestamp: string | undefined) => {
    const data = volume(
      'data',
      {},
      { metadata: deletionTimestamp === undefined ? {} : { deletionTimestamp } },
    )
    return print(planContainer(web, world({ objects: [web, data], containers })).plan)
  }
  t.is(ops(undefined), '')
  t.regex(ops('2026-01-01T12:00:00Z'), /remove container a /)
})
