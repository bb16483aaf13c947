import test from 'ava'
import {
  apiVersionOf,
  byKey,
  type Condition,
  findCondition,
  parseApiVersion,
  setCondition,
  timestamp,
} from './meta.ts'

const at = Date.parse('2026-01-01T00:00:00.999Z')
const draft = { type: 'Ready', status: 'False', reason: 'Pulling', message: 'soon' } as const

test('a new condition is added at the end with the time of now', (t) => {
  const other: Condition = { ...draft, type: 'Healthy', lastTransitionTime: timestamp(0) }
  t.deepEqual(setCondition([other], draft, at), [
    other,
    { ...draft, lastTransitionTime: '2026-01-01T00:00:00Z' },
  ])
})

test('the transition time moves with the status word only', (t) => {
  const first = setCondition([], draft, at)
  const reworded = setCondition(first, { ...draft, reason: 'Waiting', message: 'later' }, at + 60_000)
  t.deepEqual(reworded, [
    { ...draft, reason: 'Waiting', message: 'later', lastTransitionTime: '2026-01-01T00:00:00Z' },
  ])
  const turned = setCondition(reworded, { ...draft, status: 'True' }, at + 60_000)
  t.is(turned[0]?.lastTransitionTime, '2026-01-01T00:01:00Z')
})

test('setting a condition leaves the list it was given as it was, and the order of types', (t) => {
  const before = setCondition(setCondition([], draft, at), { ...draft, type: 'Healthy' }, at)
  const copy = structuredClone(before)
  const after = setCondition(before, { ...draft, status: 'True' }, at)
  t.deepEqual(before, copy)
  t.deepEqual(
    after.map(({ type }) => type),
    ['Ready', 'Healthy'],
  )
  t.is(findCondition(after, 'Ready')?.status, 'True')
  t.is(findCondition(undefined, 'Ready'), undefined)
})

test('group and version are taken apart and put together again', (t) => {
  for (const [text, group, version] of [
    ['v1', '', 'v1'],
    ['cove.run/v1', 'cove.run', 'v1'],
  ] as const) {
    t.deepEqual(parseApiVersion(text), { group, version })
    t.is(apiVersionOf({ group, version }), text)
  }
})

test('objects are found by namespace and name, those of the cluster by name', (t) => {
  const objects = [{ metadata: { name: 'n1' } }, { metadata: { namespace: 'default', name: 'web' } }]
  t.deepEqual([...byKey(objects).keys()], ['n1', 'default/web'])
  t.is(byKey(objects).get('default/web'), objects[1])
})
