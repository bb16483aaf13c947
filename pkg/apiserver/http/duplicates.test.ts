import test from 'ava'
import fc from 'fast-check'
import { duplicateFields } from './duplicates.ts'

test('members that are given twice are told with their path, once each', (t) => {
  const text =
    '{"kind":"A","spec":{"image":"a","env":[{"name":"x"},{"name":"y","value":"1","name":"z","name":"w"}],"image":"b"},"kind":"B"}'
  t.deepEqual(duplicateFields(text), ['spec.env[1].name', 'spec.image', 'kind'])
})

test('the same name in different objects is no duplicate, nor is a text that looks like a member', (t) => {
  t.deepEqual(duplicateFields('{"a":{"b":1},"c":{"b":2},"d":[{"b":1},{"b":2}]}'), [])
  t.deepEqual(duplicateFields('{"a":"\\"a\\":1,{\\\\","b":"a","c":["a","a"]}'), [])
})

test('a name spelt with an escape is the same name', (t) => {
  t.deepEqual(duplicateFields('{"spec":1,"sp\\u0065c":2}'), ['spec'])
})

test('what is no JSON is left to the decoder', (t) => {
  for (const text of ['', '{', '{"a', '{"a":1,"a', ']]]', '{"a":"\\', '"a","a"'])
    t.notThrows(() => duplicateFields(text))
})

test('no value that is written by JSON.stringify has duplicates, and one put in is found', (t) => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), fc.string(), (text, name) => {
      t.deepEqual(duplicateFields(text), [])
      const member = JSON.stringify(name)
      t.is(duplicateFields(`{${member}:${text},${member}:${text}}`).length, 1)
    }),
  )
})

test('however much is given twice, what is told of it stays short', (t) => {
  const name = 'n'.repeat(100_000)
  const members = Array.from({ length: 1000 }, (_, index) => `"a${index}":1,"a${index}":2`)
  const found = duplicateFields(`{"a":{${members.join(',')}},"${name}":{${members.join(',')}}}`)
  t.is(found.length, 100)
  const long = duplicateFields(`{"${name}":{"a":1,"a":2}}`)
  t.is(long.length, 1)
  t.true((long[0] ?? '').length < 1100)
})
