import test from 'ava'
import type { Image } from '#pkg/apis/image.ts'
import { type Node, nodeKind } from '#pkg/apis/node.ts'
import { imageObject, world } from '#test/helpers/world.ts'
import type { World } from '../world.ts'
import { planImageObject } from './imageobject.plan.ts'
import { sourceFingerprint } from './source.ts'
import { planTransfer } from './transfer.plan.ts'

const id = `sha256:${'1'.repeat(64)}`
const digest = `sha256:${'d'.repeat(64)}`
const ready = { state: 'Ready', id } as const

function planned(image: Image, more: Partial<World> = {}) {
  const given = world({ objects: [image], images: [] }, more)
  return planTransfer(image, given)
}

/** What its lead has found it to be. */
function found(spec: Record<string, unknown>, status: NonNullable<Image['status']>): Image {
  const image = imageObject('app', spec)
  return { ...image, status: { id, source: sourceFingerprint(image.spec), ...status } }
}

test('the lead gets from the source what that calls by the reference, and keeps what it is', (t) => {
  const image = imageObject('app', { source: { node: 'n2' } })
  t.deepEqual(planned(image), {
    op: {
      type: 'transferImage',
      from: 'n2',
      image: 'app:1',
      references: ['app:1'],
      made: sourceFingerprint(image.spec),
    },
    cause: 'spec.source.node: n2 has it',
  })
})

test('the source itself has nobody to ask', (t) => {
  const image = imageObject('app', { source: { node: 'n1' } })
  t.like(planned(image), { waiting: { reason: 'ImageNotFound' } })
})

test('other nodes get what no registry has from the lead, by its id', (t) => {
  const spec = { source: { rootfs: { url: 'https://x/y.tar', changes: [] } }, nodeName: 'n2' }
  const image = found(spec, { reference: id, nodes: { n2: ready, n3: ready } })
  t.deepEqual(planned(image), {
    op: { type: 'transferImage', from: 'n2', image: id, references: ['app:1'] },
    cause: 'status.reference: node n2 has it',
  })
})

test('while the lead is not ready another node that has the image is asked, or nobody', (t) => {
  const spec = { source: { rootfs: { url: 'https://x/y.tar', changes: [] } }, nodeName: 'n2' }
  const failed = { state: 'Failed', id } as const
  const image = found(spec, { reference: id, nodes: { n2: failed, n3: ready, n1: ready } })
  t.like(planned(image), { op: { from: 'n3' } })
  const older = { state: 'Ready', id: `sha256:${'0'.repeat(64)}` } as const
  const nowhere = found(spec, { reference: id, nodes: { n2: failed, n3: older } })
  t.like(planned(nowhere), { waiting: { reason: 'WaitingForLead' } })
})

test('what the lead made itself it makes anew', (t) => {
  const image = found(
    { source: { rootfs: { url: 'https://x/y.tar', changes: [] } } },
    { reference: id, nodes: { n2: ready } },
  )
  t.is(planned(image), undefined)
})

test('images of a registry come from other nodes only when that is allowed', (t) => {
  const status = { reference: `app:1@${digest}`, nodes: { n2: ready } }
  t.is(planned(found({ nodeName: 'n2' }, status)), undefined)
  t.like(planned(found({ nodeName: 'n2', peers: true }, status)), {
    op: { from: 'n2', image: id, references: ['app:1'] },
    cause: 'spec.peers: node n2 has it',
  })
  t.like(planned(found({ peers: true }, status)), { op: { image: `app@${digest}` } })
  t.is(planned(found({ nodeName: 'n2', peers: true }, { ...status, nodes: {} })), undefined)
})

test('after a node could not send it the registry is asked at once', (t) => {
  const image = found({ nodeName: 'n2', peers: true }, { reference: `app:1@${digest}`, nodes: { n2: ready } })
  const plan = planned(image)
  if (plan === undefined || !('op' in plan)) return t.fail()
  const hold = {
    until: 0,
    failures: 1,
    reason: 'EngineError',
    message: 'x',
    action: 'x',
    generation: 1,
  } as const
  const holds = new Map([['Image/default/app', { ...hold, op: plan.op }]])
  t.is(planned(image, { holds }), undefined)
  const { plan: next, urgent } = planImageObject(image, world({ objects: [image], images: [] }, { holds }))
  t.deepEqual([next.ops.map(({ op }) => op.type), urgent], [['pullImage'], true])
})

test('what is never to be pulled comes from no node either', (t) => {
  const spec = { nodeName: 'n2', peers: true, pullPolicy: 'Never' }
  t.is(planned(found(spec, { reference: `app:1@${digest}`, nodes: { n2: ready } })), undefined)
})

test('a node of another processor asks the registry', (t) => {
  const status = { reference: `app:1@${digest}`, architecture: 'amd64', nodes: { n2: ready } }
  const image = found({ nodeName: 'n2', peers: true }, status)
  const on = (architecture: string) => {
    const given = world({ objects: [image], images: [] })
    const node: Node = {
      apiVersion: 'cove.run/v1',
      kind: nodeKind.kind,
      metadata: { name: 'n1' },
      spec: { unschedulable: false },
      status: { architecture },
    } as Node
    return planTransfer(image, { ...given, desired: { ...given.desired, node } })
  }
  t.like(on('x86_64'), { op: { from: 'n2' } })
  t.is(on('aarch64'), undefined)
})
