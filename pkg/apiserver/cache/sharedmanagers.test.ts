import test from 'ava'
import fc from 'fast-check'
import { partsText, SharedManagers } from './sharedmanagers.ts'

const entry = fc
  .record({
    manager: fc.string(),
    time: fc.constantFrom('2026-01-01T00:00:00Z', ''),
    subresource: fc.string(),
  })
  .map((value) => JSON.stringify(value))
const texts = fc.oneof(
  fc.array(entry).map((entries) => `"managedFields":[${entries.join(',')}],`),
  fc
    .array(fc.constantFrom('"time":"', '"', 'T', '"time":""', ',', '\\"uid\\":\\"', '\\', 'uid'))
    .map((pieces) => `${pieces.join('')}"`),
)

test('a text comes back as it was, whoever else shared its parts', (t) => {
  const shared = new SharedManagers(3)
  fc.assert(
    fc.property(fc.array(texts), (all) => {
      const parts = all.map((text) => shared.share(text))
      t.deepEqual(parts.map(partsText), all)
    }),
  )
})

test('texts that differ in their times share the rest', (t) => {
  const shared = new SharedManagers()
  const text = (time: string) =>
    `"managedFields":[{"manager":"a","time":"${time}"},{"manager":"b","time":"x"}],`
  const [one, other] = [shared.share(text('1')), shared.share(text('2'))]
  t.is(one.parts, other.parts)
  t.deepEqual(
    [one.own, other.own],
    [
      ['1', 'x'],
      ['2', 'x'],
    ],
  )
})

test('texts that differ in the UID of an owner share the rest', (t) => {
  const shared = new SharedManagers()
  const text = (uid: string) => {
    const fields = {
      'f:metadata': { 'f:ownerReferences': { '.': {}, [`k:${JSON.stringify({ uid })}`]: {} } },
    }
    return `"managedFields":[${JSON.stringify({ manager: 'a', time: 'x', fieldsV1: fields })}],`
  }
  const [one, other] = [shared.share(text('1-2')), shared.share(text('3-4'))]
  t.is(one.parts, other.parts)
  t.deepEqual(
    [one.own, other.own],
    [
      ['x', '1-2'],
      ['x', '3-4'],
    ],
  )
  t.is(partsText(other), text('3-4'))
})
