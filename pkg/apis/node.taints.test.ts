import test from 'ava'
import { makeRuleChecker } from './cel.ts'
import { containerKind } from './container.kind.ts'
import type { Kind } from './kind.ts'
import { anyKind } from './kind.ts'
import { type Taint, type Toleration, tolerates } from './node.taints.ts'
import { nodeKind } from './node.ts'
import { applyDefaults } from './normalize.ts'
import { validate } from './validate.ts'

const rules = makeRuleChecker()

function broken(kind: Kind, spec: Record<string, unknown>): string[] {
  const value = { apiVersion: 'cove.run/v1', kind: kind.kind, metadata: { name: 'some' }, spec }
  const object = applyDefaults(kind.schema, value)
  const told = [...validate(kind.schema, object), ...rules.check(kind.schema, object)]
  return told.map(({ field, message }) => `${field}: ${message}`)
}

const ofNode = (...taints: readonly unknown[]) => broken(anyKind(nodeKind), { taints })
const ofContainer = (...tolerations: readonly unknown[]) =>
  broken(anyKind(containerKind), { image: 'a:1', tolerations })

test('taints are unique by key and effect, and none evicts', (t) => {
  const gpu = { key: 'example.com/gpu', value: 'yes', effect: 'NoSchedule' }
  t.deepEqual(ofNode(gpu, { ...gpu, effect: 'PreferNoSchedule' }), [])
  t.deepEqual(ofNode(gpu, { ...gpu, value: 'no' }), [
    'spec.taints: taints must be unique by key and effect pair',
  ])
  t.deepEqual(ofNode({ ...gpu, effect: 'NoExecute' }), [
    'spec.taints[0].effect: is not implemented: a Container is not made again by anybody when it is evicted; use NoSchedule, and move Containers yourself',
  ])
  t.is(ofNode({ key: 'no good', effect: 'NoSchedule' }).length, 1)
})

test("tolerations are held to Kubernetes' rules", (t) => {
  t.deepEqual(ofContainer({ operator: 'Exists' }, { key: 'gpu', value: 'yes' }), [])
  t.deepEqual(ofContainer({ key: 'gpu', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 5 }), [])
  t.deepEqual(ofContainer({ value: 'yes' }), [
    "spec.tolerations[0].operator: operator must be Exists when `key` is empty, which means 'match all values and all keys'",
  ])
  t.deepEqual(ofContainer({ key: 'gpu', operator: 'Exists', value: 'yes' }), [
    "spec.tolerations[0].operator: value must be empty when `operator` is 'Exists'",
  ])
  t.deepEqual(ofContainer({ key: 'gpu', tolerationSeconds: 5 }), [
    "spec.tolerations[0].effect: effect must be 'NoExecute' when `tolerationSeconds` is set",
  ])
})

test('a toleration matches by key, by value unless it only has to exist, and by effect if it names one', (t) => {
  const taint: Taint = { key: 'gpu', value: 'yes', effect: 'NoSchedule' }
  const matching: readonly Toleration[] = [
    { operator: 'Exists' },
    { key: 'gpu', operator: 'Exists' },
    { key: 'gpu', value: 'yes' },
    { key: 'gpu', operator: 'Equal', value: 'yes', effect: 'NoSchedule' },
  ]
  const others: readonly Toleration[] = [
    { key: 'gpu' },
    { key: 'gpu', value: 'no' },
    { key: 'cpu', operator: 'Exists' },
    { operator: 'Exists', effect: 'PreferNoSchedule' },
  ]
  for (const each of matching) t.true(tolerates(each, taint), JSON.stringify(each))
  for (const each of others) t.false(tolerates(each, taint), JSON.stringify(each))
  t.true(tolerates({ key: 'gpu' }, { key: 'gpu', effect: 'NoSchedule' }))
})
