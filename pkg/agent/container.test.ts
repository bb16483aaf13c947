import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import {
  configMap,
  container,
  engineNetwork,
  image,
  imageObject,
  network,
  now,
  observed,
  plainSettings,
  print,
  secret,
  volume,
  world,
} from '#test/helpers/world.ts'
import { planContainer } from './container.ts'
import { usualLogging } from './resolve.runtime.ts'
import { resolve } from './resolve.ts'
import { reportContainer } from './status.ts'
import type { World } from './world.ts'

function fingerprintOf(object: Container, of: World = world({ objects: [object] })): string {
  const resolved = resolve({ container: object, ...of })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  return resolved.fingerprint
}

function running(object: Container, more: Parameters<typeof observed>[2] = {}, of?: World) {
  return observed(object, fingerprintOf(object, of), more)
}

test('a container that does not exist is created and started', (t) => {
  const web = container('web')
  t.is(
    print(planContainer(web, world({ objects: [web] })).plan),
    [
      'Container/default/web#1: create container web because it does not exist',
      'Container/default/web#2: start container web because spec.state is Running (after Container/default/web#1)',
    ].join('\n'),
  )
})

test('a container that is as it should be plans nothing', (t) => {
  const web = container('web')
  const decision = planContainer(web, world({ objects: [web], containers: [running(web)] }))
  t.is(print(decision.plan), '')
  t.is(decision.waiting, undefined)
})

test('a container in another namespace is named after it on the engine', (t) => {
  const web = container('web', {}, { metadata: { namespace: 'shop', uid: 'u' } })
  t.regex(print(planContainer(web, world({ objects: [web] })).plan), /create container shop\.web because/)
})

const drifts: readonly (readonly [string, Parameters<typeof observed>[2], RegExp])[] = [
  [
    'killed',
    { state: 'exited', exitCode: 137, finishedAt: '2026-01-01T11:59:59Z' },
    /start container id-web because spec\.state: want Running, found exited with exit code 137/,
  ],
  ['paused', { state: 'paused' }, /unpause container id-web because spec\.state: want Running, found paused/],
  [
    'renamed',
    { name: 'other' },
    /rename container id-web to web because metadata\.name: want web, found other/,
  ],
  [
    'given a limit of processes',
    { limits: { cpus: 0, memoryBytes: 0, pids: 64 } },
    /update limits of container id-web because spec\.resources\.limits\.pids: want none, found 64/,
  ],
  [
    'given a memory limit, which no engine lifts in place,',
    { limits: { cpus: 0, memoryBytes: 64, pids: 0 } },
    /create container web_next because spec\.resources\.limits\.memory: want none, found 64, which cannot be lifted in place/,
  ],
  [
    'given a restart policy',
    { restartPolicy: 'always' },
    /update limits of container id-web because the engine's restart policy: want no, found always/,
  ],
  [
    'taken off the bridge',
    { networks: [] },
    /connect container id-web to network bridge because spec\.networks: want bridge, found it disconnected/,
  ],
  [
    'joined to a stranger',
    {
      networks: [
        { network: 'bridge', aliases: [], ip: '' },
        { network: 'x', aliases: [], ip: '' },
      ],
    },
    /disconnect container id-web from network x because spec\.networks: x is not wanted/,
  ],
]

for (const [what, more, expected] of drifts) {
  test(`a container that was ${what} behind Cove's back is put right, and the op names the field`, (t) => {
    const web = container('web')
    t.regex(
      print(planContainer(web, world({ objects: [web], containers: [running(web, more)] })).plan),
      expected,
    )
  })
}

test('a container that was removed from its network joins it again with its aliases', (t) => {
  const web = container('web', { networks: [{ name: 'front', aliases: ['www'] }] })
  const objects = [web, network('front')]
  const found = running(web, { networks: [] }, world({ objects }))
  const plan = planContainer(
    web,
    world({ objects, containers: [found], networks: [engineNetwork('front')] }),
  ).plan
  t.deepEqual(
    plan.ops.map(({ op }) => op),
    [
      {
        type: 'connectNetwork',
        container: 'id-web',
        attachment: { network: 'front', aliases: ['web', 'www'] },
      },
    ],
  )
})

test('key order, labels and the way an image is written make no difference', (t) => {
  const one = container('web', {
    image: 'nginx:1',
    env: [
      { name: 'A', value: '1' },
      { name: 'B', value: '2' },
    ],
  })
  const other = container(
    'web',
    {
      image: 'docker.io/library/nginx:1',
      env: [
        { name: 'B', value: '2' },
        { name: 'A', value: '1' },
      ],
    },
    { metadata: { labels: { team: 'x' } } },
  )
  t.is(fingerprintOf(one), fingerprintOf(other))
})

test('the fingerprint, which is shown to many, does not let them try out what a Secret holds', (t) => {
  const pin = (uid: string) => {
    const { metadata, ...rest } = secret('pin', { code: '1234' })
    return { ...rest, metadata: { ...metadata, uid } }
  }
  const valueFrom = { secretKeyRef: { name: 'pin', key: 'code', optional: false } }
  const read = container('web', { env: [{ name: 'PIN', valueFrom }] })
  const mounted = container('web', { mounts: [{ mountPath: '/pin', readOnly: true, secret: 'pin' }] })
  for (const web of [read, mounted]) {
    const shown = (uid: string) => fingerprintOf(web, world({ objects: [web, pin(uid)] }))
    t.is(shown('one'), shown('one'))
    t.not(shown('one'), shown('two'), 'whoever does not know the UID cannot compute it')
  }
})

test('the content of a mounted ConfigMap or Secret counts, its key order does not', (t) => {
  const web = container('web', { mounts: [{ configMap: 'conf', mountPath: '/etc/app' }] })
  const of = (data: Record<string, string>) =>
    fingerprintOf(web, world({ objects: [web, configMap('conf', data)] }))
  t.is(of({ a: '1', b: '2' }), of({ b: '2', a: '1' }))
  t.not(of({ a: '1' }), of({ a: '2' }))
})

test('a changed Secret behind a variable recreates the container', (t) => {
  const env = [{ name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } }]
  const web = container('web', { env })
  const found = running(web, {}, world({ objects: [web, secret('db', { password: 'old' })] }))
  const plan = planContainer(
    web,
    world({ objects: [web, secret('db', { password: 'new' })], containers: [found] }),
  ).plan
  t.is(plan.ops[0]?.op.type, 'createContainer')
  t.false(print(plan).includes('new'))
})

const missing: readonly (readonly [string, Record<string, unknown>, string])[] = [
  [
    'a Secret',
    { env: [{ name: 'P', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] },
    'SecretNotFound',
  ],
  ['a ConfigMap', { mounts: [{ configMap: 'c', mountPath: '/c' }] }, 'ConfigMapNotFound'],
  ['a Network', { networks: [{ name: 'n' }] }, 'NetworkNotFound'],
  ['a Volume', { mounts: [{ volume: 'v', mountPath: '/v' }] }, 'VolumeNotFound'],
  ['a dependency', { dependsOn: [{ container: 'db' }] }, 'DependencyNotReady'],
]

for (const [what, spec, reason] of missing) {
  test(`a container waits, and says so, for ${what} that is not there`, (t) => {
    const web = container('web', spec)
    const decision = planContainer(web, world({ objects: [web] }))
    t.is(print(decision.plan), '')
    t.is(decision.waiting?.reason, reason)
  })
}

test('an optional key that is missing leaves its variable out', (t) => {
  const env = [{ name: 'P', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } }]
  const web = container('web', { env })
  const [created] = planContainer(web, world({ objects: [web] })).plan.ops
  t.deepEqual(created?.op.type === 'createContainer' && created.op.create.env, {})
})

test('a container waits for the volume and the network to be made', (t) => {
  const web = container('web', {
    networks: [{ name: 'front' }],
    mounts: [{ volume: 'data', mountPath: '/d' }],
  })
  const objects = [web, network('front'), volume('data')]
  t.is(planContainer(web, world({ objects })).waiting?.reason, 'NetworkNotReady')
})

test('a container starts only when what it depends on is healthy', (t) => {
  const db = container('db', { healthcheck: { shell: 'true' } })
  const web = container('web', { dependsOn: [{ container: 'db', condition: 'Healthy' }] })
  const withHealth = (status: 'starting' | 'healthy') =>
    planContainer(
      web,
      world({
        objects: [db, web],
        containers: [running(db, { health: { status, failingStreak: 0, log: [] } })],
      }),
    )
  t.deepEqual(withHealth('starting').waiting, {
    reason: 'DependencyNotReady',
    message: 'spec.dependsOn: Container db must be Healthy, but it is starting',
  })
  t.regex(print(withHealth('healthy').plan), /create container web/)
})

test('a container that keeps ending waits longer each time and says until when', (t) => {
  const web = container('web')
  const found = running(web, {
    state: 'exited',
    exitCode: 1,
    startedAt: '2026-01-01T11:59:58Z',
    finishedAt: '2026-01-01T11:59:59Z',
  })
  const statuses = new Map([
    ['uid-Container-web', { containerID: found.id, crashStreak: 2, finishedAt: '2026-01-01T11:59:50Z' }],
  ])
  const decision = planContainer(web, world({ objects: [web], containers: [found] }, { statuses }))
  t.is(print(decision.plan), '')
  t.is(decision.wakeAt, Date.parse('2026-01-01T12:00:19Z'))
  t.deepEqual(decision.waiting, {
    reason: 'CrashLoopBackOff',
    message:
      'back-off 20s after 3 ends in a row, the last with exit code 1; it is started again at 2026-01-01T12:00:19Z',
  })
})

const policies: readonly (readonly ['Always' | 'OnFailure' | 'Never', number, boolean])[] = [
  ['Always', 0, true],
  ['Always', 1, true],
  ['OnFailure', 0, false],
  ['OnFailure', 1, true],
  ['Never', 1, false],
]

for (const [restartPolicy, exitCode, restarts] of policies) {
  test(`restartPolicy ${restartPolicy} ${restarts ? 'restarts' : 'leaves'} a container that ended with ${exitCode}`, (t) => {
    const job = container('job', { restartPolicy })
    const found = running(job, { state: 'exited', exitCode, finishedAt: '2026-01-01T11:59:59Z' })
    const plan = print(planContainer(job, world({ objects: [job], containers: [found] })).plan)
    t.is(plan.includes('start container'), restarts)
  })
}

test('an unhealthy container is restarted, one with onUnhealthy None is only shown', (t) => {
  const health = { status: 'unhealthy' as const, failingStreak: 3, log: [] }
  const planFor = (onUnhealthy: string) => {
    const web = container('web', { healthcheck: { shell: 'x', onUnhealthy } })
    return print(planContainer(web, world({ objects: [web], containers: [running(web, { health })] })).plan)
  }
  t.regex(
    planFor('Restart'),
    /restart container id-web because status\.health: unhealthy after 3 failed checks in a row/,
  )
  t.is(planFor('None'), '')
})

test('what is paused while it is committed is left to the engine', (t) => {
  const web = container('web')
  const image = imageObject('kept', { reference: 'kept:1', source: { commit: { container: 'web' } } })
  const parts = { objects: [web, image], containers: [running(web, { state: 'paused' })] }
  const plan = (busy: string[]) => print(planContainer(web, world(parts, { busy: new Set(busy) })).plan)
  t.is(plan(['Image/default/kept']), '')
  t.regex(plan([]), /unpause container/)
})

test('state Stopped stops it and leaves it stopped; state Paused pauses it', (t) => {
  const stopped = container('web', { state: 'Stopped' })
  t.regex(
    print(planContainer(stopped, world({ objects: [stopped], containers: [running(stopped)] })).plan),
    /stop container id-web/,
  )
  const at = running(stopped, { state: 'exited', exitCode: 0 })
  t.is(print(planContainer(stopped, world({ objects: [stopped], containers: [at] })).plan), '')
  const paused = container('web', { state: 'Paused' })
  t.regex(
    print(planContainer(paused, world({ objects: [paused], containers: [running(paused)] })).plan),
    /pause container id-web/,
  )
})

test('a deleted object takes its container with it, gracefully, and then lets go', (t) => {
  const web = container('web', {}, { metadata: { deletionTimestamp: '2026-01-01T12:00:00Z' } })
  t.is(
    print(planContainer(web, world({ objects: [web], containers: [running(web)] })).plan),
    [
      'Container/default/web#1: stop container id-web because metadata.deletionTimestamp is set',
      'Container/default/web#2: remove container id-web because metadata.deletionTimestamp is set (after Container/default/web#1)',
      'Container/default/web#3: release Container default/web because nothing of it is left on the node (after Container/default/web#2)',
    ].join('\n'),
  )
})

test('a stranger under the same name is left alone and named', (t) => {
  const web = container('web')
  const stranger = { ...running(web), labels: {}, id: 'stranger12345' }
  const decide = (labels: Record<string, string>) =>
    planContainer(web, world({ objects: [web], containers: [{ ...stranger, labels }] }))
  const decision = decide({})
  t.is(print(decision.plan), '')
  t.deepEqual(decision.waiting, {
    reason: 'NameConflict',
    message: `the engine has another container named web (stranger1234, image ${stranger.image}), which does not belong to default/web: rename or remove it, or delete this Container and take that one over with \`cove adopt web\``,
  })
  const composed = decide({ 'com.docker.compose.project': 'shop' })
  t.regex(composed.waiting?.message ?? '', /of Compose project shop\), .* `cove adopt web`$/)
})

test('the same name in another cluster on the same engine is a stranger', (t) => {
  const web = container('web')
  const foreign = running(web)
  const theirs = { ...foreign, labels: { ...foreign.labels, 'cove.run/cluster': 'another' } }
  const decision = planContainer(web, world({ objects: [web], containers: [theirs] }))
  t.is(decision.waiting?.reason, 'NameConflict')
  t.regex(decision.waiting?.message ?? '', /of Container default\/web of another Cove\), .* remove it$/)
})

test('a host port that a stranger has is waited for, and the stranger named', (t) => {
  const web = container('web', { ports: [{ containerPort: 80, hostPort: 8080 }] })
  const port = { containerPort: 1, hostPort: 8080, hostIP: '0.0.0.0', protocol: 'tcp' } as const
  const decide = (more: Parameters<typeof observed>[2]) => {
    const stranger = observed(container('other'), 'x', { id: 'abc', labels: {}, ...more })
    return planContainer(web, world({ objects: [web], containers: [stranger] }))
  }
  t.deepEqual(decide({ ports: [port] }).waiting, {
    reason: 'HostPortInUse',
    message:
      "spec.ports: host port 8080 is held by container other (abc), which is not Cove's: choose another one, or remove that container",
  })
  t.is(decide({ ports: [{ ...port, protocol: 'udp' }] }).waiting, undefined)
  t.is(decide({ ports: [] }).waiting, undefined)
})

test('an end that was asked for is no crash: Running again means at once', (t) => {
  const of = (state: string) => container('web', { state })
  const ended = running(of('Running'), { state: 'exited', exitCode: 137, finishedAt: '2026-01-01T11:59:59Z' })
  const before = { containerID: ended.id, fingerprint: fingerprintOf(of('Running')), crashStreak: 3 }
  const statuses = (status: object) => new Map([[of('Running').metadata.uid ?? '', status]])
  const stopped = world({ objects: [of('Stopped')], containers: [ended] }, { statuses: statuses(before) })
  const decision = planContainer(of('Stopped'), stopped)
  const status = reportContainer({
    container: of('Stopped'),
    decision,
    world: stopped,
    lastAction: undefined,
  })
  const again = world({ objects: [of('Running')], containers: [ended] }, { statuses: statuses(status) })
  t.regex(print(planContainer(of('Running'), again).plan), /start container id-web/)
})

test('an image that is never to be pulled and is not there is told as such', (t) => {
  const web = container('web', { image: 'absent:1', imagePullPolicy: 'Never' })
  t.is(
    planContainer(web, world({ objects: [web], images: [image('app:1')] }, { now })).waiting?.reason,
    'ErrImageNeverPull',
  )
})

test('anonymous volumes go to the successor, and go only with the last container', (t) => {
  const before = container('web')
  const after = container('web', { args: ['serve'] })
  const mounts = [{ type: 'volume' as const, source: 'f'.repeat(64), target: '/data', readOnly: false }]
  const old = running(before, { mounts })
  const [create] = planContainer(after, world({ objects: [after], containers: [old] })).plan.ops
  t.deepEqual(create?.op.type === 'createContainer' && create.op.create.mounts, mounts)
  const next = running(after, { id: 'id-next', createdAt: '2026-01-01T11:30:00Z', mounts })
  const retired = { ...old, name: 'web_old-id-web', state: 'exited' as const }
  const removal = planContainer(after, world({ objects: [after], containers: [retired, next] })).plan
  t.deepEqual(
    removal.ops.map(({ op }) => op.type),
    ['removeContainer'],
  )
  const deleted = container(
    'web',
    { args: ['serve'] },
    { metadata: { deletionTimestamp: '2026-01-01T12:00:00Z' } },
  )
  const last = planContainer(deleted, world({ objects: [deleted], containers: [next] })).plan
  t.deepEqual(
    last.ops.map(({ op }) => op.type),
    ['stopContainer', 'removeContainer', 'removeVolume', 'releaseObject'],
  )
})

test('a named volume never goes with its container', (t) => {
  const web = container('web', {}, { metadata: { deletionTimestamp: '2026-01-01T12:00:00Z' } })
  const mounts = [{ type: 'volume' as const, source: 'data', target: '/data', readOnly: false }]
  const plan = print(
    planContainer(web, world({ objects: [web], containers: [running(web, { mounts })] })).plan,
  )
  t.notRegex(plan, /remove volume/)
})

test('on an engine without a default bridge, a container without networks is left where the engine put it', (t) => {
  const web = container('web')
  const found = running(web, { networks: [{ network: 'none', aliases: [], ip: '' }] })
  const given = world({ objects: [web], containers: [found] })
  const decision = planContainer(web, { ...given, observed: { ...given.observed, networks: [] } })
  t.is(print(decision.plan), '')
})

test('a running container whose spec names a network that is not there runs on, and says what it waits for', (t) => {
  const web = container('web', { networks: [{ name: 'front' }] })
  const found = running(web, { networks: [] })
  const decision = planContainer(web, world({ objects: [web], containers: [found] }))
  t.is(print(decision.plan), '')
  t.is(decision.waiting?.reason, 'NetworkNotFound')
})

test("a container that is taken over is nobody else's to take over, also in the same pass", (t) => {
  const id = 'a'.repeat(64)
  const of = (namespace: string, uid: string) =>
    container('web', { adopt: id }, { metadata: { namespace, uid, name: 'web' } })
  const [first, second] = [of('default', 'u1'), of('shop', 'u2')]
  const found = observed(container('web'), 'x', {
    id,
    labels: {},
    settings: { ...plainSettings, hostname: id.slice(0, 12), logging: usualLogging },
  })
  const decide = (object: Container, statuses: readonly (readonly [string, object])[] = []) =>
    planContainer(object, {
      ...world({ objects: [first, second], containers: [found], imageConfigs: { [found.imageID]: {} } }),
      statuses: new Map(statuses.map(([uid, status]) => [uid, { conditions: [], ...status }])),
    })
  t.is(decide(first).takesOver, id)
  t.like(decide(second), {
    takesOver: undefined,
    waiting: {
      reason: 'AdoptionDiffers',
      message: 'spec.adopt: the container is left alone: a Container of another namespace has taken it over',
    },
  })
  t.is(print(decide(second).plan), '')
  // Also when the other one came first.
  t.is(decide(first, [['u2', { adopted: id }]]).takesOver, undefined)
})

test('a container that was made for another object is not taken over, and nothing is made beside it', (t) => {
  const first = container('web')
  const id = 'a'.repeat(64)
  const second = container('other', { adopt: id })
  const found = observed(first, 'x', { id })
  const decide = (...objects: Container[]) =>
    planContainer(second, world({ objects, containers: [found], imageConfigs: { [found.imageID]: {} } }))
  t.is(decide(first, second).waiting?.reason, 'AdoptionDiffers')
  t.regex(decide(first, second).waiting?.message ?? '', /it was made for Container web$/)
  t.is(print(decide(first, second).plan), '')
  t.regex(print(decide(second).plan), /create container other/)
})
