import test from 'ava'
import fc from 'fast-check'
import { isPlainObject, sameJson } from './hash.ts'
import { applyMergePatch, diffMergePatch, threeWayMergePatch } from './patch.ts'

/** Few keys, so that objects meet; among them names that every object inherits. */
const key = fc.constantFrom('a', 'b', 'c', 'constructor', '__proto__')
const { value: json } = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(0, 1, true, '', 'x'),
    fc.array(fc.constantFrom(0, 1, 'x'), { maxLength: 2 }),
    tie('object'),
  ),
  object: fc
    .uniqueArray(fc.tuple(key, tie('value')), { maxLength: 4, selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries)),
}))
const object = json.filter(isPlainObject)

test('a diff applied to the one gives the other', (t) => {
  fc.assert(
    fc.property(object, object, (from, to) => {
      const patch = diffMergePatch(from, to)
      t.true(sameJson(applyMergePatch(from, patch ?? {}), to))
      t.is(patch === undefined, sameJson(from, to))
    }),
  )
})

test('a diff names nothing that is the same', (t) => {
  t.deepEqual(diffMergePatch({ a: { x: 1, y: 2 }, b: 3 }, { a: { x: 1, y: 4 } }), { a: { y: 4 }, b: null })
  t.deepEqual(diffMergePatch({ a: { x: 1 } }, { a: {} }), { a: { x: null } })
  t.deepEqual(diffMergePatch({ a: [1, 2] }, { a: [1] }), { a: [1] })
  t.deepEqual(diffMergePatch({ constructor: 'x' }, {}), { constructor: null })
  t.is(diffMergePatch({ a: 1 }, { a: 1, b: undefined }), undefined)
})

test('merge patches do what their specification shows', (t) => {
  // The examples of RFC 7386, appendix A.
  const examples: readonly (readonly [unknown, unknown, unknown])[] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ]
  for (const [target, patch, result] of examples) t.deepEqual(applyMergePatch(target, patch), result)
})

test('a patch from outside cannot change what an object inherits', (t) => {
  const patched = applyMergePatch({ a: 1 }, JSON.parse('{"__proto__": {"deletionTimestamp": "now"}}'))
  t.is(Object.getPrototypeOf(patched), Object.prototype)
  t.is(JSON.stringify(patched), '{"a":1,"__proto__":{"deletionTimestamp":"now"}}')
})

test('after a three-way patch everything is as modified says', (t) => {
  fc.assert(
    fc.property(object, object, object, (original, modified, current) => {
      const result = applyMergePatch(current, threeWayMergePatch(original, modified, current) ?? {})
      t.true(holds(result, modified), 'what modified says is there')
      t.true(isPlainObject(result))
      const again = threeWayMergePatch(modified, modified, isPlainObject(result) ? result : {})
      t.is(again, undefined, 'applying the same again changes nothing')
    }),
  )
})

/** Whether everything of `part` is in `whole`: objects by member, all else by value. */
function holds(whole: unknown, part: unknown): boolean {
  if (!isPlainObject(part)) return sameJson(whole, part)
  return (
    isPlainObject(whole) &&
    Object.entries(part).every(([name, value]) => Object.hasOwn(whole, name) && holds(whole[name], value))
  )
}

test('fields of others stay, fields taken out of the text go', (t) => {
  const original = { spec: { image: 'a:1', user: 'me' }, labels: { mine: 'x' } }
  const modified = { spec: { image: 'a:2' } }
  const current = { spec: { image: 'a:1', user: 'me', nodeName: 'n1' }, labels: { mine: 'x', theirs: 'y' } }
  t.deepEqual(threeWayMergePatch(original, modified, current), {
    spec: { image: 'a:2', user: null },
    labels: null,
  })
  const kept = { ...modified, labels: {} }
  t.deepEqual(threeWayMergePatch(original, kept, current), {
    spec: { image: 'a:2', user: null },
    labels: { mine: null },
  })
  t.is(threeWayMergePatch(original, original, current), undefined, 'nothing to say')
  t.is(threeWayMergePatch({ gone: 1 }, {}, {}), undefined, 'what is not there need not go')
})

test('nothing that is given is changed', (t) => {
  fc.assert(
    fc.property(object, object, object, (one, two, three) => {
      const before = JSON.stringify([one, two, three])
      applyMergePatch(one, two)
      diffMergePatch(one, two)
      threeWayMergePatch(one, two, three)
      t.is(JSON.stringify([one, two, three]), before)
    }),
  )
})
