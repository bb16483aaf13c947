/** Who goes with whom, as plans. */
import test from 'ava'
import type { OwnerReference } from '#pkg/apimachinery/meta.ts'
import { configMapKind } from '#pkg/apis/core.ts'
import { anyKind, type Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import { foregroundFinalizer, orphanFinalizer } from '#pkg/apis/wellknown.ts'
import { printPlan } from '#pkg/plan/plan.ts'
import { describeGarbageOp, type Item, planGarbage } from './garbage.plan.ts'

const map = anyKind(configMapKind)
const node = anyKind(nodeKind)

/** UIDs are names with an x in front. */
function item(name: string, owners: readonly OwnerReference[] = [], more: Partial<Item> = {}): Item {
  const base = { kind: map, namespace: 'default', name, uid: `x${name}`, owners }
  return { ...base, terminating: false, finalizers: [], ...more }
}

function clusterItem(name: string, owners: readonly OwnerReference[] = []): Item {
  const { namespace: _namespace, ...rest } = item(name, owners, { kind: node })
  return rest
}

function owner(name: string, more: Partial<OwnerReference> = {}): OwnerReference {
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: `x${name}`, ...more }
}

const blocking = (name: string) => owner(name, { blockOwnerDeletion: true })
const foreground = { terminating: true, finalizers: [foregroundFinalizer] }
const orphaning = { terminating: true, finalizers: [orphanFinalizer] }

function print(items: readonly Item[], served: readonly Kind[] = kinds): string {
  const { plan } = planGarbage(new Map(items.map((each) => [each.uid, each])), served)
  return printPlan(plan, describeGarbageOp)
}

test('what has lost every owner goes', (t) => {
  t.is(
    print([item('a', [owner('gone')])]),
    'ConfigMap/default/a#1: delete ConfigMap default/a (Background) because ConfigMap gone is gone',
  )
})

test('what has a living owner stays, and loses the references to those that are gone', (t) => {
  t.is(print([item('o'), item('a', [owner('o')])]), '')
  t.is(
    print([item('o'), item('a', [owner('gone'), owner('o')])]),
    'ConfigMap/default/a#1: take ConfigMap gone off the owners of ConfigMap default/a because ConfigMap gone is going or gone, and another owner is not',
  )
})

test('an owner that is only waiting for somebody else still owns', (t) => {
  t.is(print([item('o', [], { terminating: true }), item('a', [owner('o')])]), '')
})

test('dependents of an owner that waits for them go, those with dependents of their own in the same way', (t) => {
  const items = [
    item('o', [], foreground),
    item('a', [blocking('o')]),
    item('b', [owner('o')]),
    item('c', [owner('b')]),
  ]
  t.is(
    print(items),
    [
      'ConfigMap/default/a#1: delete ConfigMap default/a (Background) because ConfigMap o waits for its dependents to go',
      'ConfigMap/default/b#1: delete ConfigMap default/b (Foreground) because ConfigMap o waits for its dependents to go',
    ].join('\n'),
  )
})

test('an owner that waits is let go when nothing blocks it any more', (t) => {
  const release =
    'ConfigMap/default/o#1: take foregroundDeletion off ConfigMap default/o because no dependent blocks it any more'
  t.is(print([item('o', [], foreground)]), release)
  t.is(print([item('o', [], foreground), item('a', [owner('o')], { terminating: true })]), release)
  t.is(print([item('o', [], foreground), item('a', [blocking('o')], { terminating: true })]), '')
})

test('owners that wait for each other around a circle are let go, what waits for others is not', (t) => {
  const circle = [item('a', [blocking('b')], foreground), item('b', [blocking('a')], foreground)]
  t.is(print(circle).split('\n').length, 2)
  t.regex(
    print(circle),
    /take foregroundDeletion off ConfigMap default\/a because what blocks it waits for it/,
  )
  t.regex(print([item('s', [blocking('s')], foreground)]), /off ConfigMap default\/s/)
  const held = item('c', [blocking('b')], { terminating: true })
  t.is(print([...circle, held]), '')
})

test('orphans lose their owner before it goes', (t) => {
  t.is(
    print([item('o', [], orphaning), item('a', [owner('o'), owner('p')]), item('p')]),
    [
      'ConfigMap/default/o#1: take ConfigMap o off the owners of ConfigMap default/a because ConfigMap default/o leaves its dependents behind',
      'ConfigMap/default/o#2: take orphan off ConfigMap default/o because its dependents are orphans now (after ConfigMap/default/o#1)',
    ].join('\n'),
  )
})

test('what carries a collector finalizer is deleted the way it says', (t) => {
  t.regex(print([item('a', [owner('gone')], { finalizers: [orphanFinalizer] })]), /\(Orphan\)/)
  t.regex(print([item('a', [owner('gone')], { finalizers: [foregroundFinalizer] })]), /\(Foreground\)/)
})

test('an owner of a kind that is not served is taken to live', (t) => {
  t.is(print([item('a', [owner('gone', { apiVersion: 'apps/v1', kind: 'Deployment' })])]), '')
})

test('an owner in another namespace, or in one at all for an object of the cluster, is told and deletes nothing', (t) => {
  const items = [
    item('o', [], { namespace: 'other' }),
    item('a', [owner('o')]),
    clusterItem('n', [owner('gone')]),
  ]
  t.is(print(items), '')
  const { misplaced } = planGarbage(new Map(items.map((each) => [each.uid, each])), kinds)
  t.deepEqual(
    misplaced.map((each) => `${each.item.name} -> ${each.owner.name}`),
    ['a -> o', 'n -> gone'],
  )
})

test('an object of the cluster may own what is in a namespace', (t) => {
  const cluster = clusterItem('n')
  const reference = { apiVersion: 'cove.run/v1', kind: 'Node', name: 'n', uid: 'xn' }
  t.is(print([cluster, item('a', [reference])]), '')
  t.regex(print([{ ...cluster, ...foreground }, item('a', [reference])]), /delete ConfigMap default\/a/)
})
