import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { Lease } from '#pkg/apis/lease.ts'
import type { Node } from '#pkg/apis/node.ts'
import { container, imageObject, now, volume } from '#test/helpers/world.ts'
import { type WhyFacts, whyText } from './whytext.ts'

const at = (seconds: number) => `${new Date(now + seconds * 1000).toISOString().slice(0, 19)}Z`

function condition(type: string, status: 'True' | 'False', reason: string, message: string) {
  return { type, status, reason, message, lastTransitionTime: at(-300), observedGeneration: 1 }
}

const upToDate = condition('UpToDate', 'True', 'AsDesired', 'the engine holds what the spec asks for')
const ready = condition('Ready', 'True', 'Running', 'it runs as process 42')
const id = '0123456789abcdef'
const running: ContainerStatus = {
  phase: 'Running',
  observedGeneration: 1,
  nodeName: 'n1',
  containerID: id,
  pid: 42,
  startedAt: at(-300),
  conditions: [upToDate, ready],
}

const node: Node = {
  apiVersion: 'cove.run/v1',
  kind: 'Node',
  metadata: { name: 'n1' },
  spec: { unschedulable: false },
  status: {
    lastHeartbeat: at(-60),
    conditions: [condition('Ready', 'True', 'AgentReady', 'the agent is at work')],
  },
}
const nodeLines = [
  'Node:      Node n1 is ready: AgentReady: the agent is at work.',
  `           Its last sign of life was at ${at(-60)} (60s ago).`,
]

function event(reason: string, message: string, seconds: number, count = 1): KubeObject {
  const fields = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `e${seconds}` },
    reason,
    message,
    count,
    firstTimestamp: at(seconds - 290),
    lastTimestamp: at(seconds),
  }
  return fields
}

function why(object: Container | KubeObject, more: Partial<WhyFacts> = {}): string[] {
  const facts: WhyFacts = { object, events: [], node, lease: undefined, now, ...more }
  return whyText(facts).trimEnd().split('\n')
}

const web = (status: ContainerStatus, spec: Record<string, unknown> = {}, metadata: object = {}) =>
  container('web', spec, { status, metadata })
const desired =
  'Desired:   Image app:1 on node n1, state Running, restartPolicy Always; this is generation 1.'
const runs = `Container 0123456789ab runs as process 42 since ${at(-300)} (5m ago).`

test('one that is as desired says so, since when, and what was done last', (t) => {
  const lastAction = { time: at(-300), action: 'start container web', cause: 'spec.state is Running' }
  t.deepEqual(
    why(web({ ...running, lastAction }), {
      events: [event('Started', 'start container web because spec.state is Running', -300)],
    }),
    [
      'container default/web is as desired: it runs.',
      desired,
      `Observed:  ${runs}`,
      'Differs:   Nothing.',
      'Done:      Started 5m ago: start container web because spec.state is Running.',
      'Next:      Nothing is to be done.',
      ...nodeLines,
    ],
  )
})

test('what was done longer ago than events are kept is told all the same', (t) => {
  const lastAction = { time: at(-7200), action: 'start container web', cause: 'spec.state is Running' }
  t.true(
    why(web({ ...running, lastAction })).includes(
      `Done:      Last: start container web at ${at(-7200)} (120m ago) because spec.state is Running.`,
    ),
  )
})

test('one whose image is being pulled', (t) => {
  const pulling = condition('Ready', 'False', 'Pulling', 'pulling image app:1')
  const layers = [
    { id: 'a', state: 'Pull complete' },
    { id: 'b', state: 'Downloading' },
  ]
  const status: ContainerStatus = {
    phase: 'Pulling',
    observedGeneration: 1,
    nodeName: 'n1',
    image: { reference: 'app:1', layers },
    conditions: [{ ...upToDate, status: 'False' }, pulling],
    next: { action: 'wait', cause: 'pulling image app:1' },
  }
  t.deepEqual(why(web(status, { dependsOn: [{ container: 'db', condition: 'Healthy' }] })), [
    'container default/web is not ready: Pulling: pulling image app:1.',
    desired,
    '           Before it starts it wants container db Healthy.',
    'Observed:  Image app:1 is being pulled: 1 of 2 layers are there.',
    '           The engine has no container of it.',
    'Next:      Wait, because pulling image app:1.',
    ...nodeLines,
  ])
})

test('one that keeps ending: how often, what it said, and when it is started again', (t) => {
  const message = 'back-off 20s after 3 ends in a row, the last with exit code 1'
  const status: ContainerStatus = {
    ...running,
    phase: 'Failed',
    exitCode: 1,
    finishedAt: at(-14),
    restartCount: 2,
    crashStreak: 3,
    conditions: [upToDate, condition('Ready', 'False', 'CrashLoopBackOff', message)],
    lastTermination: {
      exitCode: 1,
      reason: 'Error',
      startedAt: at(-15),
      finishedAt: at(-14),
      log: ['connecting to db', 'no route to host'],
    },
    next: { action: 'start the container', cause: message, time: at(6) },
  }
  t.deepEqual(
    why(web(status), { events: [event('Started', 'start container web because it ended', -15, 2)] }),
    [
      `container default/web is not ready: CrashLoopBackOff: ${message}.`,
      desired,
      `Observed:  Container 0123456789ab ended at ${at(-14)} (14s ago) with exit code 1.`,
      `           Its last run ended at ${at(-14)} (14s ago) after 1s with exit code 1, Error.`,
      '           The last it wrote:',
      '             connecting to db',
      '             no route to host',
      'Differs:   Nothing.',
      `Done:      Started 15s ago, 2 times since ${at(-305)}: start container web because it ended.`,
      'How often: It was started again 2 times.',
      '           It ended 3 times without ten minutes of running between.',
      `Next:      Start the container at ${at(6)} (in 6s), because ${message}.`,
      ...nodeLines,
    ],
  )
})

test('one that never ran: why it could not be started', (t) => {
  const status: ContainerStatus = {
    ...running,
    phase: 'Starting',
    lastTermination: { exitCode: 127, reason: 'StartError', message: 'no program "x"' },
  }
  t.true(why(web(status)).includes('           It could not be started: exit code 127: no program "x".'))
})

test('one that is unhealthy, and whose healing is held', (t) => {
  const status: ContainerStatus = {
    ...running,
    conditions: [
      upToDate,
      condition('Ready', 'False', 'Unhealthy', 'it runs, but its healthcheck is unhealthy'),
    ],
    health: {
      status: 'unhealthy',
      failingStreak: 9,
      log: [{ start: at(-11), end: at(-10), exitCode: 127, output: 'sh: curl: not found\n' }],
    },
    healing: {
      attempts: [
        { time: at(-200), action: 'Restart' },
        { time: at(-100), action: 'Recreate' },
      ],
      heldSince: at(-50),
      nextAt: at(3550),
    },
    next: { action: 'heal the container', cause: 'its healthcheck fails', time: at(3550) },
  }
  t.deepEqual(why(web(status)), [
    'container default/web is unhealthy, and healing it is held.',
    desired,
    `Observed:  ${runs}`,
    `           Its healthcheck says unhealthy after 9 failed checks in a row; a check ended at ${at(-10)} (10s ago) with exit code 127: sh: curl: not found.`,
    'Differs:   Nothing.',
    `How often: Healing was tried 2 times, last at ${at(-100)} (100s ago): Recreate.`,
    `Next:      Healing is held since ${at(-50)} (50s ago): it was of no use. A change of the spec, or cove rollout restart container/web, ends that.`,
    `           Heal the container at ${at(3550)} (in 59m), because its healthcheck fails.`,
    ...nodeLines,
  ])
})

test('one that was rolled back: what was tried, and what still differs', (t) => {
  const failed = {
    fingerprint: 'f2',
    generation: 1,
    reason: 'Exited',
    message: 'it ended with exit code 3',
    time: at(-20),
    log: ['no such table'],
    probes: [],
  }
  const status: ContainerStatus = {
    ...running,
    conditions: [
      condition('UpToDate', 'False', 'RolledBack', 'Exited: it ended with exit code 3'),
      ready,
      condition('Stalled', 'True', 'RolledBack', 'Exited: it ended with exit code 3'),
    ],
    rollout: { phase: 'RolledBack', message: 'Exited: it ended with exit code 3', since: at(-20), failed },
    differences: [{ field: 'spec.env.A', want: '2', found: '1', change: 'recreate' }],
  }
  t.deepEqual(why(web(status)), [
    'container default/web was rolled back: what the spec asks for did not work.',
    desired,
    `Observed:  ${runs}`,
    `           The rollout is RolledBack since ${at(-20)} (20s ago).`,
    `           What was tried failed at ${at(-20)} (20s ago): Exited: it ended with exit code 3.`,
    '           The last it wrote:',
    '             no such table',
    'Differs:   spec.env.A: want 2, found 1; mended by a new container.',
    'Next:      Nothing is tried again until the spec changes: cove rollout undo container/web goes back.',
    ...nodeLines,
  ])
})

test('one that is stopped because that is desired', (t) => {
  const { pid: _pid, ...ended } = running
  const conditions = [upToDate, condition('Ready', 'False', 'Stopped', 'spec.state is Stopped')]
  const status: ContainerStatus = {
    ...ended,
    phase: 'Stopped',
    exitCode: 137,
    finishedAt: at(-5),
    conditions,
  }
  t.deepEqual(why(web(status, { state: 'Stopped' })), [
    'container default/web is as desired: stopped.',
    desired.replace('Running', 'Stopped'),
    `Observed:  Container 0123456789ab ended at ${at(-5)} (5s ago) with exit code 137.`,
    'Differs:   Nothing.',
    'Next:      Nothing is to be done.',
    ...nodeLines,
  ])
})

test('one that no node takes', (t) => {
  const message = '0/1 nodes are available: 1 node(s) did not match spec.nodeSelector'
  const status: ContainerStatus = {
    phase: 'Pending',
    conditions: [condition('Ready', 'False', 'Unschedulable', message)],
  }
  t.deepEqual(why(web(status, { nodeName: undefined }), { node: undefined }), [
    `container default/web was changed, and has no node: Unschedulable: ${message}.`,
    'Desired:   Image app:1 on any node, state Running, restartPolicy Always; this is generation 1.',
    'Observed:  No node has reported anything of it yet.',
  ])
})

test('one whose node is away: what is known is old, and when it was last heard of', (t) => {
  const lease: Lease = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'n1' },
    spec: { renewTime: at(-100), leaseDurationSeconds: 40 },
  }
  t.deepEqual(why(web(running, {}, { generation: 2 }), { lease }), [
    'container default/web was changed, and node n1 has not seen that yet.',
    desired.replace('generation 1', 'generation 2'),
    'Observed:  Node n1 told this of generation 1.',
    `           ${runs}`,
    nodeLines[0] ?? '',
    `           It is out of reach: its last sign of life was at ${at(-100)} (100s ago); what runs on it goes on.`,
  ])
})

test('a node that has not reported for long is out of reach, and one that is hidden is told as such', (t) => {
  const silent = { ...node, status: { ...node.status, lastHeartbeat: at(-700) } }
  t.true(
    why(web(running), { node: silent }).includes(
      `           It is out of reach: its last sign of life was at ${at(-700)} (11m ago); what runs on it goes on.`,
    ),
  )
  t.is(why(web(running), { node: 'hidden' }).at(-1), 'Node:      How node n1 is, is not for you to read.')
  t.is(why(web(running), { node: undefined }).at(-1), 'Node:      Node n1 does not exist.')
})

test('other kinds: their conditions, what was done, and their node', (t) => {
  const data = volume(
    'data',
    {},
    {
      status: { conditions: [condition('Ready', 'False', 'DriverDiffers', 'it has driver a, not b')] },
    },
  )
  t.deepEqual(why(data, { events: [event('FailedCreateVolume', 'create volume data', -5)] }), [
    'volume default/data is not ready: DriverDiffers: it has driver a, not b.',
    `Observed:  Ready is False since ${at(-300)} (5m ago): DriverDiffers: it has driver a, not b.`,
    'Done:      FailedCreateVolume 5s ago: create volume data.',
    ...nodeLines,
  ])
})

test('an Image: what it wants, what was found, where it is not yet, and what is tried again', (t) => {
  const failed = condition('Ready', 'False', 'ImageNotFound', 'pull image app:2: no such tag')
  const image = imageObject(
    'app',
    { reference: 'app:2', push: [{ reference: 'reg.test/app:2' }], tags: ['app:now'] },
    {
      status: {
        phase: 'Failed',
        conditions: [failed],
        nodes: { n1: { state: 'Failed', reason: 'ImageNotFound', message: 'no such tag' } },
      },
    },
  )
  t.deepEqual(why(image), [
    'image default/app is not ready: ImageNotFound: pull image app:2: no such tag.',
    'Desired:   Image app:2, pullPolicy IfNotPresent; its lead is n1; this is generation 1.',
    '           It is called app:now too.',
    '           It is to be pushed to reg.test/app:2.',
    `Observed:  Ready is False since ${at(-300)} (5m ago): ImageNotFound: pull image app:2: no such tag.`,
    '           On node n1 it is Failed: no such tag.',
    'Next:      What failed is tried again by itself with growing pauses, and at once when the Image or a Secret of it changes.',
    ...nodeLines,
  ])
})

test('an Image that follows: what waits, for whom, and when the registry is asked', (t) => {
  const status = {
    phase: 'Ready',
    reference: 'app:1@sha256:1',
    usedBy: ['web'],
    conditions: [condition('Ready', 'True', 'Present', 'it is on node n1')],
    nextCheckAt: at(60),
  }
  const candidate = { reference: 'app:1', digest: 'sha256:2', firstSeen: at(-20) }
  const update = { policy: 'Digest', schedule: '* * * * *', approval: 'Manual' }
  const next = (parts: object, spec: Record<string, unknown> = { update }) =>
    why(imageObject('app', spec, { status: { ...status, ...parts } }))
  const waits = next({ candidate: { ...candidate, waitingFor: 'Approval' } })
  t.true(waits.includes('           It was found to be app:1@sha256:1, and used by web.'))
  t.true(
    waits.includes(
      `Next:      app:1@sha256:2 was found at ${at(-20)} (20s ago); cove image approve app lets it be taken.`,
    ),
  )
  t.true(waits.includes(`           The registry is asked what is new at ${at(60)} (in 60s).`))
  t.true(
    next({ candidate: { ...candidate, waitingFor: 'Age', takenAt: at(60) } }).includes(
      `Next:      app:1@sha256:2 was found at ${at(-20)} (20s ago), and is taken at ${at(60)} (in 60s).`,
    ),
  )
  t.true(next({}, {}).includes('Next:      It stays what it is until its spec changes.'))
})

test('of many events the newest are told, and how many more there are', (t) => {
  const events = Array.from({ length: 9 }, (_, index) => event('Started', `run ${index}`, -index))
  const done = why(web(running), { events }).filter((line) => /run \d|older/.test(line))
  t.is(done.length, 7)
  t.regex(done[0] ?? '', /run 0/)
  t.regex(done[6] ?? '', /3 older events: cove events --for container\/web/)
})
