import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { container, network, volume } from '#test/helpers/world.ts'
import { containerKind } from './container.kind.ts'
import type { Container, ContainerStatus } from './container.ts'
import { namespaceKind, type Secret, secretKind } from './core.ts'
import { type Event, eventKind } from './event.ts'
import { type Image, imageKind } from './image.ts'
import { type Kind, kindName } from './kind.ts'
import { findKind, kinds } from './kinds.ts'
import { networkKind } from './network.ts'
import { type Node, nodeKind } from './node.ts'
import { withDefaultPullPolicy } from './object.ts'
import { volumeKind } from './volume.ts'

const now = Date.parse('2026-01-01T12:00:00Z')
const created = timestamp(now - 300_000)

/** The row that `get -o wide` would print. */
function row<T extends Parameters<(typeof kinds)[number]['columns'][number]['cell']>[0]>(
  kind: Kind<T>,
  object: T,
) {
  return Object.fromEntries(kind.columns.map(({ name, cell }) => [name, cell(object, now)]))
}

function withStatus(status: ContainerStatus): Container {
  return { ...container('web', {}, { metadata: { creationTimestamp: created } }), status }
}

function ready(status: 'True' | 'False', reason: string): NonNullable<ContainerStatus['conditions']> {
  return [{ type: 'Ready', status, reason, message: '', lastTransitionTime: created }]
}

test('names, plurals and short names lead to one kind each', (t) => {
  const words = kinds.map(({ group, kind }) => `${group}/${kind}`)
  t.is(new Set(words).size, kinds.length)
  const short = kinds.flatMap(({ shortNames, plural, singular }) => [...shortNames, plural, singular])
  t.is(new Set(short).size, short.length)
  t.is(findKind({ group: 'cove.run', version: 'v1', kind: 'Container' })?.plural, 'containers')
  t.is(findKind({ group: '', version: 'v1', kind: 'Container' }), undefined)
  t.is(kindName(containerKind), 'Container.cove.run')
  t.is(kindName(secretKind), 'Secret')
})

test('every cell can be filled from an object without a status', (t) => {
  const rows = [
    row(containerKind, container('xx')),
    row(volumeKind, volume('xx')),
    row(networkKind, network('xx')),
  ]
  for (const [name, cell] of rows.flatMap((cells) => Object.entries(cells))) {
    t.true(typeof cell === 'string' || typeof cell === 'number', name)
  }
})

test('a running Container is shown with the words of docker ps', (t) => {
  const cells = row(
    containerKind,
    withStatus({
      phase: 'Running',
      conditions: ready('True', 'Running'),
      restartCount: 2,
      health: { status: 'healthy', failingStreak: 0, log: [] },
      ports: [
        { containerPort: 80, hostPort: 8080, hostIP: '0.0.0.0', protocol: 'TCP' },
        { containerPort: 53, hostPort: 53, hostIP: '127.0.0.1', protocol: 'UDP' },
        { containerPort: 80, hostPort: 8080, hostIP: '::', protocol: 'TCP' },
      ],
      ip: '172.17.0.2',
      containerID: '0123456789abcdef',
      effectiveCommand: ['sh', '-c', 'sleep 1'],
      startedAt: timestamp(now - 60_000),
    }),
  )
  t.deepEqual(cells, {
    Ready: 'True',
    Status: 'Running',
    Health: 'healthy',
    Restarts: 2,
    Image: 'app:1',
    Ports: '0.0.0.0:8080->80/tcp, 127.0.0.1:53->53/udp, [::]:8080->80/tcp',
    Age: '5m',
    Node: 'n1',
    IP: '172.17.0.2',
    'Container ID': '0123456789ab',
    Command: 'sh -c sleep 1',
    Created: '60s ago',
  })
})

test('a Container that does not run says why', (t) => {
  const shown = (object: Container) => row(containerKind, object)['Status']
  t.is(shown(container('web')), 'Pending')
  t.is(shown(withStatus({ phase: 'Pending', conditions: ready('False', 'Unschedulable') })), 'Unschedulable')
  t.is(
    shown(withStatus({ phase: 'Failed', conditions: ready('False', 'CrashLoopBackOff') })),
    'CrashLoopBackOff',
  )
  t.is(
    shown(withStatus({ phase: 'Starting', conditions: ready('False', 'ExecutableNotFound') })),
    'ExecutableNotFound',
  )
  t.is(shown(withStatus({ phase: 'Starting', conditions: ready('False', 'Starting') })), 'Starting')
  t.is(shown(withStatus({ phase: 'Running', conditions: ready('False', 'Unhealthy') })), 'Running')
  t.is(shown(withStatus({ phase: 'Succeeded', conditions: ready('False', 'Completed') })), 'Succeeded')
  const deleted = withStatus({ phase: 'Running' })
  t.is(shown({ ...deleted, metadata: { ...deleted.metadata, deletionTimestamp: created } }), 'Terminating')
})

test('a Node says whether it works and takes anything new', (t) => {
  const node = (unschedulable: boolean, conditions?: NonNullable<Node['status']>['conditions']): Node => ({
    apiVersion: 'cove.run/v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { unschedulable },
    status: { capacity: { cpu: 2, memory: 4 * 2 ** 30 }, ...(conditions && { conditions }) },
  })
  const shown = (object: Node) => row(nodeKind, object)['Status']
  t.is(shown(node(false, ready('True', 'AgentReports'))), 'Ready')
  t.is(shown(node(true, ready('True', 'AgentReports'))), 'Ready,SchedulingDisabled')
  t.is(shown(node(false, ready('False', 'EngineUnavailable'))), 'NotReady (EngineUnavailable)')
  t.is(shown(node(false)), 'Unknown')
  t.is(row(nodeKind, node(false))['Memory'], '4Gi')
})

test('a Volume and a Network say where they are', (t) => {
  const data = volume('data')
  t.like(row(volumeKind, data), {
    Status: 'Pending',
    Driver: 'local',
    Reclaim: 'Retain',
    Node: 'n1',
    Reason: '',
  })
  const failed = {
    ...data,
    status: { phase: 'Failed' as const, usedBy: ['a', 'b'], conditions: ready('False', 'NoSpace') },
  }
  t.like(row(volumeKind, failed), { Status: 'Failed', 'Used By': 'a, b', Reason: 'NoSpace' })
  const net = network('net')
  t.like(row(networkKind, net), { Status: 'Pending', Driver: 'bridge', Internal: 'false', Subnets: '' })
  const nodes = { n1: { state: 'Ready' as const, subnets: ['10.0.0.0/24'] } }
  t.is(row(networkKind, { ...net, status: { phase: 'Ready', nodes } })['Subnets'], '10.0.0.0/24')
})

test('an Image says on how many nodes it is, and how it stands to the registry that it follows', (t) => {
  const image: Image = {
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name: 'web', creationTimestamp: created },
    spec: {
      reference: 'web:1',
      allTags: false,
      peers: false,
      tags: [],
      push: [],
      prunePolicy: 'Keep',
      deletionPolicy: 'Untag',
    },
  }
  t.like(row(imageKind, image), { Status: 'Pending', Nodes: '0/0', Update: '', Reason: '' })
  const lastTransitionTime = created
  const waits = { reason: 'WaitingForApproval', message: '', lastTransitionTime }
  const status = {
    phase: 'Ready' as const,
    nodes: { a: { state: 'Ready' as const }, b: { state: 'Pulling' as const } },
    conditions: [{ type: 'UpToDate' as const, status: 'False' as const, ...waits }],
  }
  t.like(row(imageKind, { ...image, status }), {
    Status: 'Ready',
    Nodes: '1/2',
    Update: 'WaitingForApproval',
  })
})

test('an Event says what happened to what, and how often', (t) => {
  const event: Event = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'web.1' },
    involvedObject: { kind: 'Container', name: 'web' },
    reason: 'Pulled',
    message: ' pulled it\n',
    lastTimestamp: created,
  }
  t.deepEqual(row(eventKind, event), {
    'Last Seen': '5m',
    Type: 'Normal',
    Reason: 'Pulled',
    Object: 'container/web',
    Source: '',
    Message: 'pulled it',
    'First Seen': '<unknown>',
    Count: 1,
  })
})

test('the pull policy follows the tag, unless it is given', (t) => {
  const policy = (image: string, imagePullPolicy?: string) =>
    withDefaultPullPolicy({ spec: { image, ...(imagePullPolicy !== undefined && { imagePullPolicy }) } }).spec
      .imagePullPolicy
  t.is(policy('a'), 'Always')
  t.is(policy('a:latest'), 'Always')
  t.is(policy('a:1'), 'IfNotPresent')
  t.is(policy(`a:latest@sha256:${'0'.repeat(64)}`), 'IfNotPresent')
  t.is(policy('a', 'Never'), 'Never')
})

test('plain text of a Secret becomes data and is gone', (t) => {
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'pw' },
    type: 'Opaque',
    data: { a: 'b2xk', b: 'Yg==' },
    stringData: { a: 'new' },
  }
  const prepared = secretKind.prepare?.(secret)
  t.deepEqual(prepared?.data, { a: 'bmV3', b: 'Yg==' })
  t.false('stringData' in (prepared ?? {}))
  t.deepEqual(secret.data, { a: 'b2xk', b: 'Yg==' }, 'what was given is left as it was')
})

test('keys of Secrets and ConfigMaps cannot climb out of a directory', (t) => {
  const keys = ['ok.txt', '.hidden', '..', '../up', '.', 'a/b', '', '..data']
  const data = Object.fromEntries(keys.map((key) => [key, '']))
  const secret: Secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pw' }, type: 'Opaque', data }
  t.deepEqual(
    secretKind.rules.flatMap((rule) => rule(secret)).map(({ field }) => field),
    ['data[..]', 'data[../up]', 'data[.]', 'data[a/b]', 'data[]', 'data[..data]'],
  )
})

test('a Namespace carries its name as a label', (t) => {
  const prepared = namespaceKind.prepare?.({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', labels: { a: 'b' } },
  })
  t.deepEqual(prepared?.metadata.labels, { a: 'b', 'kubernetes.io/metadata.name': 'shop' })
})
