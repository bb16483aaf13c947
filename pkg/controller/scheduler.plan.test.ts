import test from 'ava'
import fc from 'fast-check'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { printPlan } from '#pkg/plan/plan.ts'
import * as make from '#test/helpers/world.ts'
import { basesOfBuilds, imagesOfBuild } from './scheduler.builds.ts'
import { describePlaceOp, type Placeable, type PlaceOp, planPlacement } from './scheduler.plan.ts'

const now = '2026-01-01T12:00:00Z'
const fresh = { finalizers: [], resourceVersion: '7' }
const deleted = { deletionTimestamp: now }

/** Objects as users write them: on no node yet. */
function container(name: string, spec: Record<string, unknown> = {}, metadata = {}): Container {
  return make.container(name, { nodeName: null, ...spec }, { metadata: { ...fresh, ...metadata } })
}

function volume(name: string, spec: Record<string, unknown> = {}, metadata = {}): Volume {
  return make.volume(name, { nodeName: null, ...spec }, { metadata: { ...fresh, ...metadata } })
}

function network(name: string, metadata = {}): Network {
  return make.network(name, {}, { metadata: { ...fresh, ...metadata } })
}

function image(name: string, spec: Partial<Image['spec']> = {}, metadata = {}): Image {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name, namespace: 'default', ...fresh, ...metadata },
    spec: {
      reference: 'app:1',
      allTags: false,
      tags: [],
      push: [],
      peers: false,
      prunePolicy: 'Keep',
      deletionPolicy: 'Untag',
      ...spec,
    },
  }
}

function build(name: string, spec: Record<string, unknown> = {}, metadata = {}): Build {
  return make.build(name, { nodeName: null, ...spec }, { metadata: { ...fresh, ...metadata } })
}

type Placed = Container | Volume | Network | Image | Build

interface NodeParts extends Pick<NonNullable<Node['status']>, 'allocatable'>, Pick<Node['spec'], 'taints'> {
  readonly labels?: Record<string, string>
  readonly ready?: boolean
  readonly unschedulable?: boolean
}

function node(
  name: string,
  { labels = {}, ready = true, unschedulable = false, taints = [], ...capacity }: NodeParts = {},
): Node {
  const condition = {
    type: 'Ready',
    status: ready ? 'True' : 'False',
    reason: '',
    message: '',
    lastTransitionTime: now,
  } as const
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Node',
    metadata: { name, labels },
    spec: { unschedulable, taints },
    status: { conditions: [condition], ...capacity },
  }
}

function state(nodes: readonly Node[], objects: readonly Placed[]): Placeable {
  const of = <T extends Placed>(kind: T['kind']) =>
    new Map(
      objects
        .filter((object): object is T => object.kind === kind)
        .map((object) => [objectKey(object.metadata), object]),
    )
  const builds = of<Build>('Build')
  return {
    nodes,
    builds,
    buildBases: basesOfBuilds(builds, imagesOfBuild),
    containers: of<Container>('Container'),
    volumes: of<Volume>('Volume'),
    networks: of<Network>('Network'),
    images: of<Image>('Image'),
  }
}

function plan(nodes: readonly Node[], ...objects: Placed[]): string[] {
  const { plan: planned, unplaced } = planPlacement(state(nodes, objects))
  const printed = printPlan(planned, describePlaceOp)
  return [
    ...(printed === '' ? [] : printed.split('\n')).map((line) => line.replace(/^\S+ /, '')),
    ...unplaced.map(({ object, message }) => `${object.metadata.name}: ${message}`),
  ]
}

const mounts = (name: string) => ({ mounts: [{ mountPath: '/data', volume: name }] })

test('on a single node everything goes there', (t) => {
  t.deepEqual(plan([node('n1')], container('web'), volume('data'), network('net')), [
    'place Container default/web on node n1 because it is the only node that fits',
    'place Volume default/data on node n1 because it is the only node',
    'place Network default/net because it is the only node',
  ])
})

test('Containers spread over the nodes that fit; equals go by name', (t) => {
  const nodes = [node('n2'), node('n1'), node('n3', { labels: { disk: 'ssd' } })]
  t.deepEqual(
    plan(
      nodes,
      container('aa'),
      container('bb'),
      container('cc', { nodeSelector: { disk: 'ssd' } }),
      container('dd'),
    ),
    [
      'place Container default/aa on node n1 because it has the fewest Containers of the nodes that fit',
      'place Container default/bb on node n2 because it has the fewest Containers of the nodes that fit',
      'place Container default/cc on node n3 because it is the only node that fits',
      'place Container default/dd on node n1 because it has the fewest Containers of the nodes that fit',
    ],
  )
})

test('a Container that no node takes is told how many nodes each filter turned away', (t) => {
  const nodes = [
    node('n1', { ready: false }),
    node('n2', { unschedulable: true }),
    node('n3'),
    node('n4', { labels: { disk: 'ssd' } }),
  ]
  const picky = container('web', { nodeSelector: { disk: 'ssd' }, ...mounts('data') })
  t.deepEqual(plan(nodes, picky, volume('data', { nodeName: 'n3' }, { finalizers: [nodeFinalizer('n3')] })), [
    "web: 0/4 nodes are available: 1 node(s) didn't match Container's node affinity/selector, 1 node(s) had volume node affinity conflict, 1 node(s) were not ready, 1 node(s) were unschedulable",
  ])
  t.deepEqual(plan([], picky), ['web: 0/0 nodes are available: no node is registered'])
})

const asks = (cpu: string, memory: string) => ({ resources: { requests: { cpu, memory } } })
const has = (cpu: number, memory: number) => ({ allocatable: { cpu, memory } })

test('a Container goes only where as much is left as it asks for', (t) => {
  const nodes = [node('n1', has(2, 2 ** 30)), node('n2', has(1, 2 ** 20))]
  t.deepEqual(plan(nodes, container('aa', asks('1500m', '1Mi')), container('bb', asks('600m', '1Mi'))), [
    'place Container default/aa on node n1 because it is the only node that fits',
    'place Container default/bb on node n2 because it is the only node that fits',
  ])
  t.deepEqual(plan(nodes, container('aa', asks('1', '1Gi')), container('bb', asks('1.5', '1Gi'))), [
    'place Container default/aa on node n1 because it is the only node that fits',
    'bb: 0/2 nodes are available: 2 Insufficient cpu, 2 Insufficient memory',
  ])
})

test('what has ended for good leaves its room to others, and what rests between two runs does not', (t) => {
  const ended = (phase: 'Succeeded' | 'Failed', restartPolicy: string) => ({
    ...container('job', { nodeName: 'n1', restartPolicy, ...asks('1', '1Mi') }),
    status: { phase },
  })
  const next = container('next', asks('1', '1Mi'))
  const told = (object: Container) =>
    plan([node('n1', has(1, 2 ** 30))], object, next).filter((line) => line.includes('next'))
  t.regex(told(ended('Succeeded', 'OnFailure'))[0] ?? '', /^place Container default\/next/)
  t.regex(told(ended('Failed', 'Never'))[0] ?? '', /^place Container default\/next/)
  t.deepEqual(told(ended('Failed', 'OnFailure')), ['next: 0/1 nodes are available: 1 Insufficient cpu'])
})

test('thousandths of cores that add up to the whole of a node fit into it', (t) => {
  const ten = Array.from({ length: 10 }, (_, index) => container(`c${index}`, asks('100m', '1Mi')))
  const lines = plan([node('n1', has(1, 2 ** 30))], ...ten)
  t.true(
    lines.every((line) => line.startsWith('place')),
    lines.join('\n'),
  )
})

test('a taint keeps away who does not tolerate it, and one that only prefers to does so while others fit', (t) => {
  const gpu = { key: 'gpu', value: 'yes', effect: 'NoSchedule' } as const
  const slow = { key: 'slow', effect: 'PreferNoSchedule' } as const
  const tainted = node('n1', { taints: [gpu] })
  const tolerations = [{ key: 'gpu', value: 'yes' }]
  t.deepEqual(plan([tainted], container('aa')), [
    'aa: 0/1 nodes are available: 1 node(s) had untolerated taint {gpu: yes}',
  ])
  for (const each of [tolerations, [{ key: 'gpu', operator: 'Exists' }], [{ operator: 'Exists' }]])
    t.regex(plan([tainted], container('aa', { tolerations: each }))[0] ?? '', /^place/)
  for (const each of [
    { key: 'gpu', value: 'no' },
    { key: 'gpu', operator: 'Exists', effect: 'NoExecute' },
  ])
    t.regex(plan([tainted], container('aa', { tolerations: [each] }))[0] ?? '', /untolerated/)
  const both = [node('n1', { taints: [slow] }), node('n2', { unschedulable: true })]
  t.regex(plan(both, container('aa'))[0] ?? '', /^place Container default\/aa on node n1/)
  const free = [node('n1', { taints: [slow] }), node('n2')]
  t.regex(plan(free, container('aa'))[0] ?? '', /^place Container default\/aa on node n2/)
})

test('a node that is cordoned takes who tolerates that, as with Kubernetes', (t) => {
  const cordoned = node('n1', { unschedulable: true })
  const tolerations = [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' }]
  t.regex(plan([cordoned], container('aa', { tolerations }))[0] ?? '', /^place/)
  t.regex(plan([cordoned], container('aa'))[0] ?? '', /were unschedulable$/)
})

test('a Container that shares the network of another one, or links to it, goes where that one is', (t) => {
  const nodes = [node('n1'), node('n2'), node('n3', { labels: { disk: 'ssd' } })]
  const owner = container('web', { nodeSelector: { disk: 'ssd' } })
  const sidecar = container('aa', { networkMode: 'container:web' })
  t.deepEqual(plan(nodes, sidecar, owner), [
    'place Container default/web on node n3 because it is the only node that fits',
    'place Container default/aa on node n3 because it is the only node that fits',
  ])
  t.deepEqual(plan(nodes, sidecar), ['aa: waits for Container web, whose network it shares'])
  const linked = container('aa', { links: [{ container: 'web' }] })
  t.regex(plan(nodes, linked, owner)[1] ?? '', /^place Container default\/aa on node n3/)
  t.deepEqual(plan(nodes, linked), ['aa: waits for Container web, to which it links'])
  const apart = container('aa', { networkMode: 'container:web', nodeSelector: { disk: 'hdd' } })
  t.deepEqual(plan(nodes, apart, owner).slice(1), [
    "aa: 0/3 nodes are available: 3 node(s) didn't match Container's node affinity/selector",
  ])
})

test('a Volume follows the first Container that mounts it, and further Containers follow the Volume', (t) => {
  const nodes = [node('n1'), node('n2')]
  t.deepEqual(
    plan(
      nodes,
      container('aa'),
      container('bb', mounts('data')),
      container('cc', mounts('data')),
      volume('data'),
    ),
    [
      'place Container default/aa on node n1 because it has the fewest Containers of the nodes that fit',
      'place Container default/bb on node n2 because it has the fewest Containers of the nodes that fit',
      'place Container default/cc on node n2 because it is the only node that fits',
      'place Volume default/data on node n2 because Container bb mounts it there',
    ],
  )
  t.deepEqual(plan(nodes, volume('data')), ['data: waits for the first Container that mounts it'])
})

test('a Container that is placed already draws the Volume and its other users to its node', (t) => {
  const nodes = [node('n1'), node('n2')]
  const placed = container('zz', { nodeName: 'n2', ...mounts('data') }, { finalizers: [nodeFinalizer('n2')] })
  t.deepEqual(plan(nodes, container('aa', mounts('data')), placed, volume('data')), [
    'place Container default/aa on node n2 because it is the only node that fits',
    'place Volume default/data on node n2 because Container zz mounts it there',
  ])
})

test('a Network is on the nodes whose Containers join it, stays there, and is found there by labels', (t) => {
  const nodes = [node('n1'), node('n2'), node('n3')]
  const joins = { networks: [{ name: 'net' }] }
  const joined = (net: Network, ...containers: Container[]) =>
    planPlacement(state(nodes, [net, ...containers])).plan.ops.flatMap(({ op }) =>
      op.kind === 'Network' ? [{ finalizers: op.finalizers, labels: op.labels }] : [],
    )
  const [n1, n2] = [nodeFinalizer('n1'), nodeFinalizer('n2')]
  const placed = container('aa', { nodeName: 'n2', ...joins }, { finalizers: [n2] })
  t.deepEqual(joined(network('net'), placed), [{ finalizers: [n2], labels: { [n2]: '' } }])
  t.deepEqual(joined(network('net'), container('bb', joins)), [{ finalizers: [n1], labels: { [n1]: '' } }])
  const there = { finalizers: [n1], labels: { [n1]: '', own: 'label' } }
  t.deepEqual(joined(network('net', there)), [])
  t.deepEqual(joined(network('net', there), placed), [{ finalizers: [n1, n2], labels: { [n2]: '' } }])
  const lost = { finalizers: [n1], labels: { [n2]: '' }, ...deleted }
  t.deepEqual(joined(network('net', lost)), [{ finalizers: [n1], labels: { [n1]: '', [n2]: null } }])
  t.deepEqual(plan(nodes, network('net')), ['net: waits for the first Container that joins it'])
})

const follows = (name: string) => ({ image: null, imageFrom: { image: name } })

/** What the plan writes on Images. */
function led(nodes: readonly Node[], ...objects: Placed[]) {
  return planPlacement(state(nodes, objects)).plan.ops.flatMap(({ op, cause }) =>
    op.kind === 'Image'
      ? [{ lead: op.nodeName, on: op.finalizers, labels: Object.keys(op.labels ?? {}), cause }]
      : [],
  )
}

test('an Image is led by the node of a Container that follows it, and is on all such nodes', (t) => {
  const nodes = [node('n1'), node('n2'), node('n3')]
  const [n1, n2, n3] = ['n1', 'n2', 'n3'].map(nodeFinalizer)
  const placed = container('aa', { nodeName: 'n2', ...follows('app') }, { finalizers: [n2] })
  t.deepEqual(led(nodes, placed, container('bb', follows('app')), image('app')), [
    { lead: 'n1', on: [n1, n2], labels: [n1, n2], cause: 'a Container there follows it' },
  ])
  const there = { finalizers: [n3], labels: { [n3 ?? '']: '' } }
  t.deepEqual(led(nodes, placed, image('app', { nodeName: 'n3' }, there)), [
    { lead: undefined, on: [n3, n2], labels: [n2], cause: 'spec.nodeName is n3' },
  ])
  t.deepEqual(led(nodes, image('app', { nodeName: 'n3' }, there)), [])
})

test('an Image that no Container follows goes to the node that fits and has the fewest Containers', (t) => {
  const busy = container('aa', { nodeName: 'n1' }, { finalizers: [nodeFinalizer('n1')] })
  const nodes = [node('n1'), node('n2'), node('n3', { ready: false }), node('n4', { unschedulable: true })]
  t.deepEqual(plan(nodes, busy, image('app')), [
    'place Image default/app on node n2 because it has the fewest Containers of the nodes that fit',
  ])
  t.deepEqual(plan([node('n1', { ready: false })], image('app')), [
    'place Image default/app on node n1 because it is the only node',
  ])
  t.deepEqual(plan(nodes.slice(2), image('app')), [
    'app: 0/2 nodes are available: 1 node(s) were not ready, 1 node(s) were unschedulable',
  ])
})

test('an Image is on all nodes of its selector, whatever keeps Containers away, and stays where labels change', (t) => {
  const ssd = { labels: { disk: 'ssd' } }
  const nodeSelector = { disk: 'ssd' }
  const [n1, n2] = ['n1', 'n2'].map(nodeFinalizer)
  const nodes = [
    node('n0'),
    node('n1', { ...ssd, unschedulable: true }),
    node('n2', { ...ssd, ready: false }),
  ]
  t.deepEqual(led(nodes, image('app', { nodeSelector })), [
    { lead: 'n1', on: [n1, n2], labels: [n1, n2], cause: 'it is the only node that fits' },
  ])
  const there = { finalizers: [n1], labels: { [n1 ?? '']: '' } }
  t.deepEqual(led([node('n1'), node('n2', ssd)], image('app', { nodeName: 'n1', nodeSelector }, there)), [
    { lead: undefined, on: [n1, n2], labels: [n2], cause: 'spec.nodeName is n1' },
  ])
  t.deepEqual(plan([node('n1'), node('n2')], image('app', { nodeSelector })), [
    "app: 0/2 nodes are available: 2 node(s) didn't match Image's node affinity/selector",
  ])
})

test('an Image of what a Container has written goes where that Container is, and waits for it', (t) => {
  const nodes = [node('n1'), node('n2')]
  const source = { commit: { container: 'web', changes: [], pause: true } }
  const web = container('web', { nodeSelector: { disk: 'ssd' } })
  t.deepEqual(plan(nodes, image('app', { source })), ['app: waits for Container web, of which it is made'])
  t.deepEqual(plan(nodes, web, image('app', { source })).slice(1), [
    'app: waits for a node of Container web, of which it is made',
  ])
  t.deepEqual(
    plan([...nodes, node('n3', { labels: { disk: 'ssd' } })], web, image('app', { source })).slice(1),
    ['place Image default/app on node n3 because Container web, of which it is made, is there'],
  )
})

test('an Image whose lead is gone for good gets another one, and one whose lead has not joined yet waits', (t) => {
  const [n1, gone] = ['n1', 'gone'].map(nodeFinalizer)
  const held = { finalizers: [gone, n1], labels: { [gone ?? '']: '', [n1 ?? '']: '' } }
  const cause = 'no Node stands behind node.cove.run/gone any more'
  t.deepEqual(led([node('n1')], image('app', { nodeName: 'gone' }, held)), [
    { lead: 'n1', on: [n1], labels: [gone], cause },
  ])
  const unready = [node('n1', { ready: false }), node('n2', { ready: false })]
  t.deepEqual(led(unready, image('app', { nodeName: 'gone' }, held)), [
    { lead: undefined, on: [n1], labels: [gone], cause },
  ])
  t.deepEqual(led([node('n1')], image('app', { nodeName: 'n9' })), [])
  t.deepEqual(led([node('n1')], image('app', { nodeName: 'n1' }, { ...held, ...deleted })), [
    { lead: undefined, on: [n1], labels: [gone], cause },
  ])
})

test('a node that the user names gets the finalizer only', (t) => {
  const { plan: planned } = planPlacement(state([node('n1')], [container('web', { nodeName: 'n9' })]))
  t.deepEqual(
    planned.ops.map(({ op }) => op),
    [
      {
        type: 'place',
        kind: 'Container',
        object: { namespace: 'default', name: 'web', resourceVersion: '7' },
        finalizers: [nodeFinalizer('n9')],
      },
    ],
  )
})

test('what is being deleted is placed nowhere, and a Node that is gone holds nothing back', (t) => {
  const nodes = [node('n1'), node('n2')]
  const objects = [container('web', {}, deleted), volume('data', {}, deleted), network('net', deleted)]
  t.deepEqual(plan(nodes, ...objects), [])
  const finalizers = ['other', nodeFinalizer('gone'), nodeFinalizer('n1')]
  const { plan: planned } = planPlacement(
    state(nodes, [
      container('web', { nodeName: 'gone' }, { ...deleted, finalizers }),
      network('net', { finalizers }),
    ]),
  )
  t.deepEqual(
    planned.ops.map(({ op, cause }) => [op.finalizers, cause]),
    [
      [['other', nodeFinalizer('n1')], 'no Node stands behind node.cove.run/gone any more'],
      [['other', nodeFinalizer('n1')], 'no Node stands behind node.cove.run/gone any more'],
    ],
  )
})

/** The state after the plan's writes. */
function after(before: Placeable, ops: readonly PlaceOp[]): Placeable {
  const written = <T extends Placed>(objects: ReadonlyMap<string, T>): Map<string, T> =>
    new Map(
      [...objects].map(([key, object]) => {
        const op = ops.find((each) => each.kind === object.kind && objectKey(each.object) === key)
        if (op === undefined) return [key, object]
        const spec = { ...object.spec, ...(op.nodeName !== undefined && { nodeName: op.nodeName }) }
        const labels = { ...object.metadata.labels }
        for (const [label, value] of Object.entries(op.labels ?? {}))
          if (value === null) delete labels[label]
          else labels[label] = value
        const metadata = { ...object.metadata, finalizers: [...op.finalizers], labels }
        return [key, { ...object, metadata, spec }]
      }),
    )
  const { containers, volumes, networks, images, builds, buildBases, nodes } = before
  return {
    containers: written(containers),
    volumes: written(volumes),
    networks: written(networks),
    images: written(images),
    builds: written(builds),
    buildBases,
    nodes,
  }
}

const from = (image: string) => ({ dockerfileInline: `FROM ${image}\n` })

test('a Build goes to the only node, and else where Containers wait for its image', (t) => {
  t.deepEqual(plan([node('n1')], build('app')), [
    'place Build default/app on node n1 because it is the only node',
  ])
  const waiting = container('web', { nodeName: 'n2', image: null, imageFrom: { build: 'app' } })
  t.deepEqual(
    plan([node('n1'), node('n2')], build('app'), container('busy', { nodeName: 'n1' }), waiting).at(-1),
    'place Build default/app on node n2 because a Container there follows its image',
  )
  t.deepEqual(plan([node('n1'), node('n2')], build('one'), build('two')), [
    'place Build default/one on node n1 because it has the fewest Containers and Builds of the nodes that fit',
    'place Build default/two on node n2 because it has the fewest Containers and Builds of the nodes that fit',
  ])
})

test('a Build goes beside the one whose image it is made from, whichever of them is looked at first', (t) => {
  const nodes = [node('n1'), node('n2')]
  const base = build('lib', { nodeName: 'n2', tags: ['team/lib:1'] }, { finalizers: [nodeFinalizer('n2')] })
  t.deepEqual(plan(nodes, build('app', from('docker.io/team/lib:1')), base), [
    'place Build default/app on node n2 because Build default/lib, whose image it is made from, is there',
  ])
  const [first, second] = plan(
    nodes,
    build('app', from('localhost/default/lib')),
    build('lib'),
    container('busy', { nodeName: 'n1' }, { finalizers: [nodeFinalizer('n1')] }),
  )
  t.regex(first ?? '', /^place Build default\/lib on node n2/)
  t.regex(second ?? '', /^place Build default\/app on node n2 because Build default\/lib/)
})

test('what a Dockerfile copies from, and names by its arguments, counts too', (t) => {
  const dockerfileInline = 'FROM scratch\nCOPY --from=team/lib:1 / /\n'
  const later = build('app', { dockerfileInline })
  const base = build('lib', { nodeName: 'n2', tags: ['team/lib:1'] }, { finalizers: [nodeFinalizer('n2')] })
  const [line] = plan([node('n1'), node('n2')], later, base)
  t.regex(line ?? '', /on node n2 because Build default\/lib/)
  const byArgument = build('app', { dockerfileInline: 'ARG V=0\nFROM team/lib:$V\n', args: { V: '1' } })
  t.regex(plan([node('n1'), node('n2')], byArgument, base)[0] ?? '', /on node n2 because Build default\/lib/)
})

test('a Network is where a Build joins it', (t) => {
  const joins = build('app', { nodeName: 'n2', network: 'net' }, { finalizers: [nodeFinalizer('n2')] })
  const open = build('open', { nodeName: 'n1', network: 'host' }, { finalizers: [nodeFinalizer('n1')] })
  const { ops } = planPlacement(state([node('n1'), node('n2')], [joins, open, network('net')])).plan
  t.deepEqual(
    ops.map(({ op }) => [op.kind, op.finalizers]),
    [['Network', [nodeFinalizer('n2')]]],
  )
})

test('Builds that are made from each other are placed all the same', (t) => {
  const circle = [build('aa', from('localhost/default/bb')), build('bb', from('localhost/default/aa'))]
  t.is(plan([node('n1'), node('n2')], ...circle).length, 2)
})

test('a Build is held by the node that makes it alone, and gets another when that one is gone', (t) => {
  const moved = build('app', { nodeName: 'n2' }, { finalizers: [nodeFinalizer('n1')] })
  const { ops } = planPlacement(state([node('n1'), node('n2')], [moved])).plan
  t.deepEqual(
    ops.map(({ op }) => op.finalizers),
    [[nodeFinalizer('n2')]],
  )
  const gone = build('app', { nodeName: 'n2' }, { finalizers: [nodeFinalizer('n1')], ...deleted })
  t.deepEqual(
    planPlacement(state([node('n1'), node('n2')], [gone])).plan.ops.map(({ op }) => op.finalizers),
    [[]],
  )
  const lost = build('app', { nodeName: 'n1' }, { finalizers: [nodeFinalizer('n1')] })
  t.deepEqual(plan([node('n2')], lost), ['place Build default/app on node n2 because it is the only node'])
})

test('a Build waits for the node that it names, until that joins', (t) => {
  const early = build('app', { nodeName: 'n9' })
  t.deepEqual(plan([node('n1')], early), [])
  t.deepEqual(plan([node('n1'), node('n9')], early), ['place Build default/app because spec.nodeName is n9'])
})

test('a Build that no node takes says why', (t) => {
  t.deepEqual(
    plan([node('n1'), node('n2', { ready: false })], build('app', { nodeSelector: { disk: 'ssd' } })),
    [
      "app: 0/2 nodes are available: 1 node(s) didn't match Build's node affinity/selector, 1 node(s) were not ready",
    ],
  )
})

const nodeName = fc.constantFrom('n1', 'n2', 'n3')
const metadata = fc.record({
  finalizers: fc.uniqueArray(nodeName.map(nodeFinalizer)),
  deletionTimestamp: fc.option(fc.constant(now)),
})
const placement = fc.option(nodeName)
const names = ['aa', 'bb', 'cc']
const states = fc
  .record({
    nodes: fc.uniqueArray(fc.record({ name: nodeName, ready: fc.boolean(), unschedulable: fc.boolean() }), {
      selector: ({ name }) => name,
    }),
    containers: fc.array(fc.tuple(metadata, placement, fc.option(fc.constantFrom(...names))), {
      maxLength: 3,
    }),
    volumes: fc.array(fc.tuple(metadata, placement), { maxLength: 3 }),
    networks: fc.array(metadata, { maxLength: 2 }),
    images: fc.array(fc.tuple(metadata, placement, fc.option(fc.constantFrom({}, { a: 'b' }))), {
      maxLength: 2,
    }),
    builds: fc.array(fc.tuple(metadata, placement, fc.constantFrom('aa', 'bb')), { maxLength: 2 }),
  })
  .map(({ nodes, containers, volumes, networks, images, builds }) =>
    state(
      nodes.map((each) => node(each.name, each)),
      [
        ...containers.map(([meta, nodeName, mounted], index) =>
          container(
            names[index] ?? '',
            { nodeName, ...(mounted !== null && { ...mounts(mounted), ...follows(mounted) }) },
            meta,
          ),
        ),
        ...volumes.map(([meta, nodeName], index) => volume(names[index] ?? '', { nodeName }, meta)),
        ...networks.map((meta, index) => network(names[index] ?? '', meta)),
        ...images.map(([meta, nodeName, nodeSelector], index) =>
          image(
            names[index] ?? '',
            { ...(nodeName !== null && { nodeName }), ...(nodeSelector !== null && { nodeSelector }) },
            meta,
          ),
        ),
        ...builds.map(([meta, nodeName, base], index) =>
          build(names[index] ?? '', { nodeName, ...from(`localhost/default/${base}`) }, meta),
        ),
      ],
    ),
  )

test('once its writes are done, a plan is empty, and every user of a placed Volume is where it is', (t) => {
  fc.assert(
    fc.property(states, (before) => {
      const first = planPlacement(before).plan.ops.map(({ op }) => op)
      const done = after(before, first)
      t.deepEqual(planPlacement(done).plan.ops, [])
      for (const op of first.filter(({ kind, nodeName }) => kind === 'Container' && nodeName !== undefined)) {
        const placed = done.containers.get(objectKey(op.object))
        const data = placed?.spec.mounts.map(({ volume: name }) => done.volumes.get(`default/${name}`)) ?? []
        for (const each of data)
          t.true(each?.spec.nodeName === undefined || each.spec.nodeName === op.nodeName)
      }
    }),
  )
})
