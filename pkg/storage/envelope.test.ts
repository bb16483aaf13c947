import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { type EncryptionKey, type Keyring, makeKey, seal, sealedWith, unseal } from './envelope.ts'

const key = fc
  .record({
    id: fc.stringMatching(/^[0-9a-f]{8}$/),
    key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    created: fc.constant('2026-01-01T00:00:00Z'),
  })
  .map((value): EncryptionKey => value)
const keyring = fc
  .uniqueArray(key, { minLength: 1, maxLength: 4, selector: ({ id }) => id })
  .map(([first, ...rest]): Keyring => (first === undefined ? [makeKey('')] : [first, ...rest]))
const text = fc.string({ unit: 'grapheme', maxLength: 200 })

test('what one key has sealed opens whatever the order of the keys', (t) => {
  fc.assert(
    fc.property(keyring, text, text, fc.nat(), (keys, name, value, turn) => {
      const sealed = seal(keys, name, value)
      const at = turn % keys.length
      const [first = keys[0], ...rest] = [...keys.slice(at), ...keys.slice(0, at)]
      const others: Keyring = [first, ...rest]
      t.is(sealedWith(sealed), keys[0].id)
      t.is(unseal(others, name, sealed), value)
    }),
  )
})

test('no byte of a sealed value can be changed unnoticed', (t) => {
  const keys: Keyring = [makeKey('now')]
  const sealed = seal(keys, '/registry/core/secrets/a/b', 'the value')
  const start = sealed.lastIndexOf(':') + 1
  const bytes = Buffer.from(sealed.slice(start), 'base64')
  for (let at = 0; at < bytes.length; at++) {
    for (const bit of [1, 128]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ bit
      const text = sealed.slice(0, start) + changed.toString('base64')
      const error = t.throws(() => unseal(keys, '/registry/core/secrets/a/b', text))
      t.true(isReason(error, 'InternalError'), `byte ${at}`)
    }
    const cut = sealed.slice(0, start) + bytes.subarray(0, at).toString('base64')
    t.throws(() => unseal(keys, '/registry/core/secrets/a/b', cut), { message: /does not open/ })
  }
})

test('a value that was moved to another key does not open', (t) => {
  const keys: Keyring = [makeKey('now')]
  const sealed = seal(keys, '/registry/core/secrets/a/b', 'the value')
  t.throws(() => unseal(keys, '/registry/core/secrets/a/c', sealed), {
    message: /^\/registry\/core\/secrets\/a\/c is encrypted with the key "[0-9a-f]{8}" and does not open/,
  })
})

test('a key that is missing is named, with the object', (t) => {
  const sealed = seal([{ ...makeKey('now'), id: 'aaaa' }], '/registry/core/secrets/a/b', 'x')
  t.throws(() => unseal([makeKey('now')], '/registry/core/secrets/a/b', sealed), {
    message:
      '/registry/core/secrets/a/b is encrypted with the key "aaaa" and this server does not have that key',
  })
})

test('a plain value is shown as it is', (t) => {
  t.is(sealedWith('{"a":1}'), undefined)
  t.is(unseal([makeKey('now')], '/a', '{"a":1}'), '{"a":1}')
})

test('sealing the same value twice gives two texts', (t) => {
  const keys: Keyring = [makeKey('now')]
  t.not(seal(keys, '/a', 'x'), seal(keys, '/a', 'x'))
})
