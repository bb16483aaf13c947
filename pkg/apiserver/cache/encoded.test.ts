import test from 'ava'
import fc from 'fast-check'
import type { Kind } from '#pkg/apis/kind.ts'
import { kinds } from '#pkg/apis/kinds.ts'
import { type ApiObject, atRevision, decodeObject, encodeObject, headOf, withRevision } from './encoded.ts'

const kind = configMap()
const head = headOf(kind)
const objects: fc.Arbitrary<ApiObject> = fc
  .record({
    data: fc.dictionary(fc.string(), fc.string()),
    labels: fc.dictionary(fc.string(), fc.string()),
    resourceVersion: fc.constantFrom('7', '12345'),
  })
  .map(({ data, ...metadata }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'c', ...metadata },
    data,
  }))

test('an object comes back as it was, with the revision it was stored at', (t) => {
  fc.assert(
    fc.property(objects, fc.nat(), fc.nat(), (object, revision, later) => {
      const stored = encodeObject(kind, object)
      t.false('resourceVersion' in decodeObject(stored).metadata)
      const text = withRevision(head, stored, revision)
      const expected = (version: number) => ({
        ...object,
        metadata: { ...object.metadata, resourceVersion: String(version) },
      })
      t.deepEqual(decodeObject(text), expected(revision))
      t.deepEqual(decodeObject(atRevision(head, text, later)), expected(later))
    }),
  )
})

test('an object without further fields is whole JSON too', (t) => {
  const bare: ApiObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }
  t.deepEqual(decodeObject(encodeObject(kind, bare)), bare)
})

function configMap(): Kind {
  const kind = kinds.find((candidate) => candidate.kind === 'ConfigMap')
  if (kind === undefined) throw new Error('there is no kind ConfigMap')
  return kind
}
