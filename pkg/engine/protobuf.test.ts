import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { bytesOf, field, manyOf, numberOf, readFields, textOf } from './protobuf.ts'

const numbers = fc.integer({ min: 1, max: 2 ** 28 })

test('what is written is read', (t) => {
  const values = fc.oneof(
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    fc.uint8Array({ minLength: 1 }),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(numbers, values)), (fields) => {
      const message = Buffer.concat(fields.map(([number, value]) => field(number, value)))
      const read = [...readFields(message)].map(({ number, value, bytes }) => [
        number,
        bytes.length > 0 ? Uint8Array.from(bytes) : value,
      ])
      t.deepEqual(read, fields)
    }),
  )
})

test('whatever comes is read or refused', (t) => {
  fc.assert(
    fc.property(fc.uint8Array(), (message) => {
      try {
        t.true([...readFields(message)].length <= message.length)
      } catch (error) {
        t.true(isReason(error, 'EngineError'))
      }
    }),
  )
})

test('the last of several counts, and what is missing is empty', (t) => {
  const message = Buffer.concat([field(1, 'a'), field(1, 'b'), field(2, 300), field(3, 0), field(4, '')])
  t.is(textOf(message, 1), 'b')
  t.is(manyOf(message, 1).length, 2)
  t.is(numberOf(message, 2), 300)
  t.is(numberOf(message, 3), 0)
  t.is(bytesOf(message, 4).length, 0)
})
