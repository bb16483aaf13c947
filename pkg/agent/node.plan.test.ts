import test from 'ava'
import { engineLabels, nodeFinalizer } from '#pkg/apis/wellknown.ts'
import {
  clusterID,
  container,
  network,
  now,
  observed,
  print,
  volume,
  type WorldParts,
  world,
} from '#test/helpers/world.ts'
import { planNode } from './node.plan.ts'
import type { Hold, World } from './world.ts'

const lines = (parts: WorldParts, more: Partial<World> = {}) => print(planNode(world(parts, more)).plan)
const deletionTimestamp = '2026-01-01T12:00:00Z'
const labels = {
  [engineLabels.cluster]: clusterID,
  [engineLabels.namespace]: 'default',
  [engineLabels.name]: 'data',
}
const data = (more = {}) => ({
  name: 'data',
  driver: 'local',
  options: {},
  labels,
  mountpoint: '/v',
  createdAt: '',
  ...more,
})
const net = (more = {}) => ({
  id: 'net-id',
  name: 'net',
  driver: 'bridge',
  internal: false,
  options: {},
  labels,
  subnets: [],
  ...more,
})

test('containers of objects that are no more are removed; those of others are left alone', (t) => {
  const gone = container('gone')
  const alive = observed(gone, 'x', { id: 'alive' })
  const stopped = observed(gone, 'x', { id: 'stopped', name: 'second', state: 'exited' })
  const foreign = observed(gone, 'x', {
    id: 'foreign',
    name: 'third',
    labels: { [engineLabels.cluster]: 'other' },
  })
  t.is(
    lines({ containers: [alive, stopped, foreign] }),
    [
      'Orphan/alive#1: stop container alive because Container default/gone does not exist any more',
      'Orphan/alive#2: remove container alive because Container default/gone does not exist any more (after Orphan/alive#1)',
      'Orphan/stopped#1: remove container stopped because Container default/gone does not exist any more',
    ].join('\n'),
  )
})

test('only what placement gave to this node is planned', (t) => {
  const elsewhere = { metadata: { finalizers: [nodeFinalizer('n2')] } }
  t.is(lines({ objects: [volume('data', {}, elsewhere), network('net', {}, elsewhere)] }), '')
})

test('a group rests while it is at work, and after a failure until its time or a change', (t) => {
  const group = 'Volume/default/data'
  const objects = [volume('data')]
  const hold: Hold = {
    until: now + 5000,
    failures: 1,
    reason: 'NoSpace',
    message: '',
    action: '',
    generation: 1,
  }
  const held = (more: Partial<Hold> = {}) => ({ holds: new Map([[group, { ...hold, ...more }]]) })
  t.is(lines({ objects }, { busy: new Set([group]) }), '')
  t.is(lines({ objects }, held()), '')
  t.not(lines({ objects }, held({ generation: 0 })), '')
  t.not(lines({ objects }, held({ until: now })), '')
  const putBack = held({ until: now + 365 * 24 * 3_600_000 })
  t.not(lines({ objects }, putBack), '', 'the clock was put back: nobody waits for its time to come again')
  t.is(planNode(world({ objects }, held())).wakeAt, now + 5000)
  t.is(planNode(world({ objects }, held({ until: now }))).wakeAt, undefined)
})

test('data goes only when its object is deleted, says so, and made it', (t) => {
  const plan = (reclaimPolicy: string, existing = data()) =>
    lines({
      objects: [volume('data', { reclaimPolicy }, { metadata: { deletionTimestamp } })],
      volumes: [existing],
    })
  t.regex(plan('Delete'), /^Volume\/default\/data#1: remove volume data because .*\n.*release Volume/)
  for (const kept of [plan('Retain'), plan('Delete', data({ labels: {} }))]) {
    t.notRegex(kept, /remove/)
    t.regex(kept, /release Volume default\/data/)
  }
  t.is(lines({ volumes: [data()] }), '', 'a volume without an object is nobody’s to remove')
})

test('a Volume in use, or with another driver, says so and is left alone', (t) => {
  const user = observed(container('web'), 'x', {
    labels: {},
    mounts: [{ type: 'volume', source: 'data', target: '/d', readOnly: false }],
  })
  const decide = (object: ReturnType<typeof volume>, parts: WorldParts) =>
    planNode(world({ objects: [object], ...parts })).decisions.get('Volume/default/data')
  const deleted = volume('data', { reclaimPolicy: 'Delete' }, { metadata: { deletionTimestamp } })
  t.like(decide(deleted, { containers: [user], volumes: [data()] }), {
    plan: { ops: [] },
    waiting: { reason: 'InUse', message: 'mounted by web' },
  })
  t.is(decide(volume('data'), { volumes: [data({ driver: 'nfs' })] })?.waiting?.reason, 'DriverDiffers')
  const foreign = decide(deleted, { containers: [user], volumes: [data({ labels: {} })] })
  t.is(foreign?.waiting, undefined, 'strangers in a volume that stays are no reason to wait')
})

test('a changed Network is made anew when nobody is in it', (t) => {
  const object = network('net', { internal: true })
  const member = observed(container('web'), 'x', {
    labels: {},
    networks: [{ network: 'net', aliases: [], ip: '' }],
  })
  const changed = net({ labels: { ...labels, [engineLabels.fingerprint]: 'old' } })
  t.regex(
    lines({ objects: [object], networks: [changed] }),
    /^Network\/default\/net#1: remove network net-id because the spec changed: .*\nNetwork\/default\/net#2: create network net because/,
  )
  const busy = planNode(world({ objects: [object], networks: [changed], containers: [member] }))
  t.is(print(busy.plan), '')
  t.is(
    busy.decisions.get('Network/default/net')?.waiting?.message,
    'the spec changed, but it is joined by web',
  )
  t.is(lines({ objects: [object], networks: [net({ labels: {} })] }), '', 'a stranger’s is joined as it is')
})
