import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { canonicalJson, fingerprint, isPlainObject, sameJson } from './hash.ts'

/** The same JSON value with the keys of every object the other way round. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (!isPlainObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  )
}

test('the order of keys never matters, at any depth', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const turned = reversed(value)
        const same = canonicalJson(turned) === canonicalJson(value) && sameJson(turned, value)
        return same && fingerprint(turned) === fingerprint(value)
      }),
    ),
  )
})

test('canonical JSON holds the whole value', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        return isDeepStrictEqual(JSON.parse(canonicalJson(value)), JSON.parse(JSON.stringify(value)))
      }),
    ),
  )
})

test('values are the same exactly when their canonical JSON is', (t) => {
  const values = [null, 0, '', '0', false, [], {}, [null], { a: null }, { a: [1, 2] }, { a: [2, 1] }]
  for (const [row, left] of values.entries()) {
    for (const [column, right] of values.entries()) t.is(sameJson(left, right), row === column)
  }
  t.true(sameJson({ a: 1, b: undefined }, { a: 1 }))
})

test('a fingerprint is 16 hexadecimal digits that stay the same from version to version', (t) => {
  t.is(fingerprint({ b: 1, a: [true, null] }), fingerprint({ a: [true, null], b: 1 }))
  t.is(fingerprint({}), '44136fa355b3678a')
})

test('only objects of JSON are plain', (t) => {
  t.true(isPlainObject({}))
  for (const value of [null, undefined, [], 'a', 1]) t.false(isPlainObject(value))
})

test('any two JSON values are the same exactly when their canonical JSON is', (t) => {
  // Few keys and scalars, so that equal ones come up often.
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(null, true, 0, '', 'a'),
      fc.array(tie('value'), { maxLength: 2 }),
      fc.dictionary(fc.constantFrom('a', 'constructor', '__proto__'), tie('value'), { maxKeys: 2 }),
    ),
  }))
  t.notThrows(() =>
    fc.assert(
      fc.property(value, value, (left, right) => {
        return sameJson(left, right) === (canonicalJson(left) === canonicalJson(right))
      }),
      { numRuns: 1000 },
    ),
  )
})
