import test from 'ava'
import fc from 'fast-check'
import { decode, decodeProtobuf } from './protobuf.ts'

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80)
  return Buffer.from([...bytes, rest])
}

/** A field with a length: text, bytes, or a message. */
function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

function integer(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function message(...fields: Buffer[]): Buffer {
  return Buffer.concat(fields)
}

function envelope(kind: string, raw: Buffer, apiVersion = 'v1'): Buffer {
  const typeMeta = message(field(1, apiVersion), field(2, kind))
  return Buffer.concat([Buffer.from('k8s\0'), field(1, typeMeta), field(2, raw)])
}

const entry = (key: string, value: string | Buffer) => message(field(1, key), field(2, value))

test('a Secret as kubectl sends it becomes the JSON of the same Secret', (t) => {
  const metadata = message(
    field(1, 's'),
    field(2, ''),
    field(5, ''),
    integer(7, 0),
    field(8, ''),
    field(11, entry('a', '1')),
    field(11, entry('b', '')),
    field(14, 'x/y'),
  )
  const raw = message(
    field(1, metadata),
    field(2, entry('key', Buffer.from([0, 255]))),
    field(3, 'Opaque'),
    integer(5, 1),
  )
  t.deepEqual(decodeProtobuf(envelope('Secret', raw)), {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', labels: { a: '1', b: '' }, finalizers: ['x/y'] },
    data: { key: 'AP8=' },
    type: 'Opaque',
    immutable: true,
  })
})

test('times become RFC 3339, and a zero that means something is kept', (t) => {
  const metadata = message(field(1, 'n'), field(8, integer(1, 1_767_225_600)))
  const namespace = decodeProtobuf(envelope('Namespace', field(1, metadata)))
  t.deepEqual(namespace['metadata'], { name: 'n', creationTimestamp: '2026-01-01T00:00:00Z' })
  t.is(decodeProtobuf(envelope('DeleteOptions', integer(1, 0)))['gracePeriodSeconds'], 0)
})

test('a question about access keeps what it asks', (t) => {
  const asked = message(field(1, 'default'), field(2, 'delete'), field(3, 'cove.run'), field(5, 'containers'))
  const review = envelope('SelfSubjectAccessReview', field(2, field(1, asked)), 'authorization.k8s.io/v1')
  t.deepEqual(decodeProtobuf(review)['spec'], {
    resourceAttributes: { namespace: 'default', verb: 'delete', group: 'cove.run', resource: 'containers' },
  })
})

test('fields that nobody knows are skipped, whatever their form', (t) => {
  const fixed = Buffer.concat([varint(99 * 8 + 1), Buffer.alloc(8), varint(98 * 8 + 5), Buffer.alloc(4)])
  const raw = message(fixed, integer(97, 300), field(96, 'x'), field(2, entry('k', 'v')))
  t.deepEqual(decodeProtobuf(envelope('ConfigMap', raw))['data'], { k: 'v' })
})

test('any data of a ConfigMap comes through as it was', (t) => {
  const key = fc.stringMatching(/^[-._a-zA-Z0-9]{1,20}$/)
  fc.assert(
    fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme' })), (data) => {
      const raw = message(...Object.entries(data).map(([name, value]) => field(2, entry(name, value))))
      const found = decodeProtobuf(envelope('ConfigMap', raw))['data'] ?? {}
      t.deepEqual(Object.entries(found).toSorted(), Object.entries(data).toSorted())
    }),
  )
})

test('damaged bytes are told apart, and never break anything', (t) => {
  const good = envelope('Secret', message(field(1, field(1, 's')), field(2, entry('k', 'v'))))
  t.is(decode(good.subarray(0, good.length - 3)), undefined)
  t.is(decode(Buffer.from('{}')), undefined)
  t.throws(() => decodeProtobuf(Buffer.from('{}')), { name: 'StatusError' })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      decode(Buffer.concat([Buffer.from('k8s\0'), bytes]))
      decode(envelope('Secret', Buffer.from(bytes)))
      return true
    }),
  )
})

test('a kind that is not known here is refused by its name', (t) => {
  t.throws(() => decodeProtobuf(envelope('Pod', Buffer.alloc(0))), {
    message: 'v1 Pod is only understood as JSON',
  })
})
