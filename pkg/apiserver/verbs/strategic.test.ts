import test from 'ava'
import fc from 'fast-check'
import { applyMergePatch } from '#pkg/apimachinery/patch.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import { applyStrategicPatch } from './strategic.ts'

const { schema } = containerKind
const spec = (fields: object) => ({ spec: { ...fields } })
const apply = (target: object, patch: object) => applyStrategicPatch(schema, { ...target }, { ...patch })

test('items of a keyed list are merged, added and deleted by their key', (t) => {
  const target = spec({
    mounts: [
      { mountPath: '/a', volume: 'v' },
      { mountPath: '/b', volume: 'w' },
    ],
  })
  const patch = spec({
    mounts: [
      { mountPath: '/b', $patch: 'delete' },
      { mountPath: '/a', readOnly: true },
      { mountPath: '/c', volume: 'x' },
    ],
  })
  t.deepEqual(
    apply(target, patch),
    spec({
      mounts: [
        { mountPath: '/a', volume: 'v', readOnly: true },
        { mountPath: '/c', volume: 'x' },
      ],
    }),
  )
})

test('a further key tells items with the same merge key apart', (t) => {
  const ports = [
    { containerPort: 53, protocol: 'TCP' },
    { containerPort: 53, protocol: 'UDP' },
  ]
  const patched = apply(
    spec({ ports }),
    spec({ ports: [{ containerPort: 53, protocol: 'UDP', hostPort: 53 }] }),
  )
  t.deepEqual(patched, spec({ ports: [ports[0], { containerPort: 53, protocol: 'UDP', hostPort: 53 }] }))
  const other = apply(
    spec({ ports: [{ containerPort: 53 }] }),
    spec({ ports: [{ containerPort: 53, protocol: 'UDP' }] }),
  )
  t.deepEqual(other, spec({ ports: [{ containerPort: 53 }, { containerPort: 53, protocol: 'UDP' }] }))
})

test('a list without a merge key is replaced', (t) => {
  t.deepEqual(apply(spec({ args: ['a', 'b'] }), spec({ args: ['c'] })), spec({ args: ['c'] }))
})

test('finalizers are a set: added, and removed by directive', (t) => {
  const target = { metadata: { finalizers: ['a', 'b'] } }
  t.deepEqual(apply(target, { metadata: { finalizers: ['b', 'c'] } }), {
    metadata: { finalizers: ['a', 'b', 'c'] },
  })
  const removed = apply(target, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a'] } })
  t.deepEqual(removed, { metadata: { finalizers: ['b'] } })
})

test('$patch: replace takes the patch as it is, in maps and in lists', (t) => {
  const target = spec({ env: [{ name: 'A', value: '1' }], nodeSelector: { a: 'b' } })
  const patch = spec({
    env: [{ $patch: 'replace' }, { name: 'B', value: '2' }],
    nodeSelector: { $patch: 'replace', c: 'd' },
  })
  t.deepEqual(apply(target, patch), spec({ env: [{ name: 'B', value: '2' }], nodeSelector: { c: 'd' } }))
  t.deepEqual(
    apply(target, spec({ nodeSelector: { $patch: 'delete' } })),
    spec({ env: [{ name: 'A', value: '1' }], nodeSelector: {} }),
  )
})

test('$retainKeys drops what it does not name', (t) => {
  const target = spec({ healthcheck: { shell: 'x', retries: 3 } })
  const patch = spec({ healthcheck: { $retainKeys: ['command'], command: ['y'] } })
  t.deepEqual(apply(target, patch), spec({ healthcheck: { command: ['y'] } }))
})

test('$setElementOrder orders what it names; the others come in front of what they stood in front of', (t) => {
  const env = ['A', 'x', 'B', 'y'].map((name) => ({ name }))
  const named = (...names: string[]) => spec({ env: names.map((name) => ({ name })) })
  const order = (...names: string[]) => spec({ '$setElementOrder/env': names.map((name) => ({ name })) })
  t.deepEqual(apply(spec({ env }), order('B', 'A')), named('x', 'B', 'A', 'y'))
  t.deepEqual(apply(spec({ env }), order('A', 'B')), named('A', 'x', 'B', 'y'))
  t.deepEqual(apply(spec({ env }), order('y')), named('A', 'x', 'B', 'y'))
})

test('items that a patch adds come first, unless it names one that stood in front', (t) => {
  const env = ['A', 'B', 'C'].map((name) => ({ name }))
  const patch = (...names: string[]) => spec({ env: names.map((name) => ({ name })) })
  t.deepEqual(apply(spec({ env }), patch('new')), patch('new', 'A', 'B', 'C'))
  t.deepEqual(apply(spec({ env }), patch('B', 'new')), patch('A', 'B', 'new', 'C'))
  t.deepEqual(apply({ metadata: { finalizers: ['a'] } }, { metadata: { finalizers: ['b'] } }), {
    metadata: { finalizers: ['b', 'a'] },
  })
})

test('malformed directives and items without their key are refused', (t) => {
  for (const patch of [
    { $patch: 'shuffle' },
    spec({ env: [{ value: '1' }] }),
    spec({ env: ['A'] }),
    spec({ $retainKeys: 'env' }),
    spec({ '$setElementOrder/env': 'A', env: [] }),
    spec({ '$deleteFromPrimitiveList/env': 'A' }),
  ]) {
    t.throws(() => apply(spec({ env: [] }), patch), { name: 'StatusError' }, JSON.stringify(patch))
  }
})

const word = fc.constantFrom('a', 'b', 'c', 'toString')
const plain = fc.letrec<{ value: unknown; map: Record<string, unknown> }>((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, fc.constantFrom('x', 1, true), tie('map')),
  map: fc.dictionary(word, tie('value'), { maxKeys: 3 }),
})).map
const environment = fc.uniqueArray(fc.record({ name: word, value: fc.constantFrom('1', '2') }), {
  selector: ({ name }) => name,
})

test('without lists and directives it is a merge patch', (t) => {
  fc.assert(
    fc.property(plain, plain, word, (target, patch, gone) => {
      const nulled = { ...patch, [gone]: null }
      t.deepEqual(applyStrategicPatch(undefined, target, nulled), {
        ...Object(applyMergePatch(target, nulled)),
      })
    }),
  )
})

test('applying a patch twice is applying it once, and nothing that came in is touched', (t) => {
  fc.assert(
    fc.property(environment, environment, fc.array(word), (env, more, gone) => {
      const deletions = gone.map((name) => ({ name, $patch: 'delete' }))
      const order = more.map(({ name }) => ({ name }))
      const patch = spec({ env: [...deletions, ...more], '$setElementOrder/env': order })
      const target = spec({ env })
      const [before, patchBefore] = [JSON.stringify(target), JSON.stringify(patch)]
      const once = apply(target, patch)
      t.deepEqual(apply(once, patch), once)
      t.is(JSON.stringify(target), before)
      t.is(JSON.stringify(patch), patchBefore)
      t.false(JSON.stringify(once).includes('$'))
    }),
  )
})

test('long lists are merged in time, and lists beyond all measure refused', (t) => {
  const env = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `A${index}`, value: 'x' }))
  const spec = (list: unknown[]) => ({ spec: { env: list, '$setElementOrder/env': list.toReversed() } })
  const started = performance.now()
  const merged = applyStrategicPatch(schema, { spec: { env: env(5_000) } }, spec(env(5_000)))
  const names = Array.from({ length: 20_000 }, (_, index) => `a/${index}`)
  const metadata = { finalizers: names.slice(1), '$deleteFromPrimitiveList/finalizers': names.slice(1) }
  const emptied = applyStrategicPatch(schema, { metadata: { finalizers: names } }, { metadata })
  t.true(performance.now() - started < 2_000, 'comparing all with all takes minutes')
  t.deepEqual(merged, { spec: { env: env(5_000).reverse() } })
  t.deepEqual(emptied, { metadata: { finalizers: ['a/0'] } })
  t.throws(() => applyStrategicPatch(schema, {}, spec(env(5_001))), { message: /at most 5000 items/ })
})
