import { createHmac, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { keyIdOf, type SigningKey, signToken, verifyToken } from './jwt.ts'

function makeKey(): SigningKey & { publicKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { id: keyIdOf(privateKey), privateKey, publicKey }
}

const key = makeKey()
const keys = new Map([[key.id, key.publicKey]])
const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function refusal(token: string): string {
  try {
    verifyToken(token, keys)
    return 'taken'
  } catch (error) {
    if (isReason(error, 'Unauthorized')) return error.message
    throw error
  }
}

test('a token comes back as the claims that were signed', (t) => {
  const claims = { sub: 'a', 'kubernetes.io': { namespace: 'ü' } }
  const token = signToken(claims, key)
  t.deepEqual(verifyToken(token, keys), claims)
  const [header = ''] = token.split('.')
  t.deepEqual(JSON.parse(Buffer.from(header, 'base64url').toString()), { alg: 'ES256', kid: key.id })
})

test('a key has the same id as its public half', (t) => {
  t.is(keyIdOf(key.publicKey), key.id)
  t.is(keyIdOf(createPublicKey(key.privateKey)), key.id)
})

test('a token of another key is refused, even under the id of ours', (t) => {
  const other = makeKey()
  t.regex(refusal(signToken({ sub: 'a' }, other)), /a key that this server does not have/)
  t.regex(refusal(signToken({ sub: 'a' }, { ...other, id: key.id })), /signature is wrong/)
})

test('changed claims are refused', (t) => {
  const [header, , signature] = signToken({ sub: 'a' }, key).split('.')
  t.regex(refusal(`${header}.${encode({ sub: 'admin' })}.${signature}`), /signature is wrong/)
})

test('the token does not choose its algorithm', (t) => {
  const claims = encode({ sub: 'admin' })
  for (const alg of ['none', 'None', 'HS256', 'RS256', 'ES384', undefined]) {
    const head = `${encode({ alg, kid: key.id })}.${claims}`
    const publicPem = key.publicKey.export({ type: 'spki', format: 'pem' })
    const hmac = createHmac('sha256', publicPem).update(head).digest('base64url')
    t.regex(refusal(`${head}.${hmac}`), /not signed with ES256/)
    t.regex(refusal(`${head}.`), /no signed JWT/)
  }
})

test('critical headers are refused, for what they ask is not known', (t) => {
  const token = signToken({ sub: 'a' }, key)
  const [, claims, signature] = token.split('.')
  t.regex(
    refusal(`${encode({ alg: 'ES256', kid: key.id, crit: ['b64'] })}.${claims}.${signature}`),
    /critical/,
  )
})

test('whatever is no token is refused, and never repeated in the reason', (t) => {
  const parts = fc.array(fc.oneof(fc.base64String(), fc.string()), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(parts, (words) => {
      const token = words.map((word) => `secret${word}`).join('.')
      const reason = refusal(token)
      return reason !== 'taken' && !reason.includes('secret')
    }),
  )
  t.regex(refusal('x'.repeat(10_000)), /no signed JWT/)
})
