import test from 'ava'
import fc from 'fast-check'
import type { ManagedFieldsEntry } from '#pkg/apimachinery/meta.ts'
import { configMapKind } from '#pkg/apis/core.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import {
  type ApiObject,
  decodeForWriting,
  decodeObject,
  decodeWithoutManagers,
  encodeObject,
  headOf,
  withRevision,
} from './encoded.ts'
import { FieldSetMemo } from './managerstext.ts'

const kind = anyKind(configMapKind)
const head = headOf(kind)
/** Whatever could look like the end of the list or of an entry. */
const nasty = fc.constantFrom(
  '],"name":',
  '"}]',
  '},{"manager":',
  ',"subresource":',
  '"fieldsV1":{',
  'plain',
  '\\',
)
const leafs = fc.dictionary(
  nasty.map((text) => `f:${text}`),
  fc.constant({}),
  { noNullPrototype: true },
)
const fieldsV1 = fc.dictionary(fc.constantFrom('f:a', 'k:{"name":"x"}', 'v:"],"'), leafs, {
  noNullPrototype: true,
})
const entry: fc.Arbitrary<ManagedFieldsEntry> = fc
  .record({ manager: nasty, fieldsV1, subresource: fc.option(nasty, { nil: undefined }) })
  .map(({ manager, subresource, ...rest }) => ({
    manager,
    operation: 'Update' as const,
    apiVersion: 'v1',
    time: '2026-01-01T00:00:00Z',
    fieldsType: 'FieldsV1' as const,
    ...rest,
    ...(subresource !== undefined && { subresource }),
  }))
const object: fc.Arbitrary<ApiObject> = fc
  .record({ managedFields: fc.array(entry, { maxLength: 4 }), text: nasty, name: nasty })
  .map(({ managedFields, text, name }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      annotations: { text, managedFields: '[' },
      ...(managedFields.length > 0 && { managedFields }),
    },
    data: { [text]: text },
  }))

test('an object survives its text, with and without a revision, whatever its managers are called', (t) => {
  fc.assert(
    fc.property(object, (value) => {
      const stored = encodeObject(kind, value)
      t.deepEqual(decodeObject(stored), value)
      for (const text of [stored, withRevision(head, stored, 7)]) {
        const read = decodeForWriting(head, text, new FieldSetMemo())
        t.deepEqual(plain(read), decodeObject(text))
        t.is(encodeObject(kind, read), stored)
        const { managedFields: _managers, ...metadata } = decodeObject(text).metadata
        t.deepEqual(decodeWithoutManagers(head, text), { ...decodeObject(text), metadata })
      }
    }),
  )
})

test('equal sets of fields are read once', (t) => {
  const memo = new FieldSetMemo()
  const text = '{"f:data":{"f:a":{}}}'
  t.is(memo.read(text), memo.read(`${text}`.slice()))
  const small = new FieldSetMemo(1)
  const first = small.read(text)
  small.read('{"f:x":{}}')
  t.not(small.read(text), first)
  t.deepEqual(small.read(text), first)
})

/** As JSON has it: without what only this process knows. */
function plain(value: ApiObject): unknown {
  return JSON.parse(JSON.stringify(value))
}
