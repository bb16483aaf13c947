import test from 'ava'
import fc from 'fast-check'
import { difference, isEmptySet, sameSet, union } from '#pkg/apimachinery/fieldset.ts'
import { mergeApplied, withoutDisowned } from './applied.ts'
import { compareFields, fieldsOf, noChanges } from './fields.ts'
import type { Schema } from './schema.ts'

const item: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string' },
    port: { type: 'integer', default: 1 },
    value: { type: 'string' },
    more: { type: 'object', additionalProperties: { type: 'string' } },
  },
}
const schema: Schema = {
  type: 'object',
  properties: {
    one: { type: 'string' },
    nested: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'integer' } } },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    keyed: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name', 'port'],
      items: item,
    },
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    atomic: { type: 'array', items: { type: 'integer' } },
    whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { a: { type: 'string' } } },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  },
}

const word = fc.constantFrom('a', 'b', 'c')
const words = fc.dictionary(fc.constantFrom('a', 'b', 'constructor'), word, { noNullPrototype: true })
const optional: { requiredKeys: []; noNullPrototype: true } = { requiredKeys: [], noNullPrototype: true }
const keyedItem = fc
  .record({ name: word, port: fc.constantFrom(1, 2) }, { noNullPrototype: true })
  .chain((keys) => fc.record({ value: word, more: words }, optional).map((rest) => ({ ...keys, ...rest })))
const value = fc.record(
  {
    one: word,
    nested: fc.record({ a: word, b: fc.nat(3) }, optional),
    map: words,
    keyed: fc.uniqueArray(keyedItem, { selector: (one) => `${one.name}${one.port}`, maxLength: 4 }),
    set: fc.uniqueArray(word),
    atomic: fc.array(fc.nat(3), { maxLength: 3 }),
    whole: fc.record({ a: word }, optional),
    free: fc.jsonValue().map((anything) => ({ anything })),
  },
  optional,
)

const everything = (of: object) => compareFields(schema, {}, of).added

test('an applied set names scalars, keys and items; objects only when they are empty', (t) => {
  const applied = {
    one: 'x',
    nested: {},
    map: { k: 'v' },
    keyed: [{ name: 'A', value: '1' }],
    set: ['s'],
    whole: { a: 'x' },
  }
  t.deepEqual<object, object>(fieldsOf(schema, applied), {
    'f:one': {},
    'f:nested': {},
    'f:map': { 'f:k': {} },
    'f:keyed': { 'k:{"name":"A","port":1}': { '.': {}, 'f:name': {}, 'f:value': {} } },
    'f:set': { 'v:"s"': {} },
    'f:whole': {},
  })
})

test('what came, changed and went is told apart, down to the field', (t) => {
  const before = { one: 'x', nested: { a: 'x' }, keyed: [{ name: 'A', port: 1, value: '1' }], set: ['a'] }
  const after = { one: 'y', map: { k: 'v' }, keyed: [{ name: 'A', value: '2', port: 1 }], set: ['b'] }
  t.deepEqual<object, object>(compareFields(schema, before, after), {
    added: { 'f:map': { '.': {}, 'f:k': {} }, 'f:set': { 'v:"b"': {} } },
    modified: { 'f:one': {}, 'f:keyed': { 'k:{"name":"A","port":1}': { 'f:value': {} } } },
    removed: { 'f:nested': { '.': {}, 'f:a': {} }, 'f:set': { 'v:"a"': {} } },
  })
})

test('equal values do not differ, and what went one way comes the other', (t) => {
  fc.assert(
    fc.property(value, value, (left, right) => {
      t.is(compareFields(schema, left, structuredClone(left)), noChanges)
      const [there, back] = [compareFields(schema, left, right), compareFields(schema, right, left)]
      t.true(sameSet(there.added, back.removed))
      t.true(sameSet(there.removed, back.added))
      t.true(sameSet(there.modified, back.modified))
    }),
  )
})

test('the fields before, with what came and without what went, are the fields after', (t) => {
  fc.assert(
    fc.property(value, value, (before, after) => {
      const { added, removed } = compareFields(schema, before, after)
      t.true(sameSet(union(difference(everything(before), removed), added), everything(after)))
    }),
  )
})

test('applying twice is applying once, and what was applied is there', (t) => {
  fc.assert(
    fc.property(value, value, (live, applied) => {
      const once = mergeApplied(schema, live, applied)
      t.deepEqual(mergeApplied(schema, once, applied), once)
      t.true(isEmptySet(compareFields(schema, once, mergeApplied(schema, once, applied)).modified))
      t.true(isEmptySet(difference(fieldsOf(schema, applied), everything(asObject(once)))))
    }),
  )
})

test('applying to what is there keeps every field that the configuration does not name', (t) => {
  fc.assert(
    fc.property(value, value, (live, applied) => {
      t.true(isEmptySet(compareFields(schema, live, mergeApplied(schema, live, applied)).removed))
    }),
  )
})

test('taking out what was applied to another value leaves that value, but for empty objects and lists', (t) => {
  fc.assert(
    fc.property(value, value, (live, applied) => {
      const owned = everything(live)
      const merged = mergeApplied(schema, live, applied)
      const left = withoutDisowned(schema, merged, { before: fieldsOf(schema, applied), owned })
      const { added } = compareFields(schema, live, left)
      // A list without items names no field, so nobody remembers who brought it.
      t.true(isEmptySet(difference(added, { 'f:keyed': {}, 'f:set': {} })))
      t.true(isEmptySet(compareFields(schema, live, left).removed))
    }),
  )
})

test('a list item goes as a whole when its owner takes it back', (t) => {
  const applied = { keyed: [{ name: 'A', port: 1, value: '1' }] }
  const live = {
    keyed: [
      { name: 'A', port: 1, value: '1', more: { by: 'default' } },
      { name: 'B', port: 1 },
    ],
  }
  const owned = { 'f:keyed': { '.': {}, 'k:{"name":"B","port":1}': {} } }
  t.deepEqual(withoutDisowned(schema, live, { before: fieldsOf(schema, applied), owned }), {
    keyed: [{ name: 'B', port: 1 }],
  })
})

test('listed items come in the applied order, others stay behind their neighbours', (t) => {
  const list = (...names: string[]) => ({ set: names })
  t.deepEqual(mergeApplied(schema, list('a', 'b', 'c'), list('c', 'a')), list('c', 'a', 'b'))
  t.deepEqual(mergeApplied(schema, list('a', 'b', 'c'), list('d', 'b')), list('a', 'd', 'b', 'c'))
  t.deepEqual(mergeApplied(schema, list(), list('x')), list('x'))
})

function asObject(of: unknown): object {
  return typeof of === 'object' && of !== null ? of : {}
}
