import test from 'ava'
import type { Secret } from '#pkg/apis/core.ts'
import type { ServiceAccount } from '#pkg/apis/serviceaccount.ts'
import { planAccountTokens } from './accounttoken.plan.ts'
import { planTokens } from './bootstraptoken.plan.ts'

const now = Date.parse('2026-06-01T12:00:00Z')

function joinToken(name: string, expiration?: string, namespace = 'kube-system'): Secret {
  const data = expiration === undefined ? {} : { expiration: Buffer.from(expiration).toString('base64') }
  const type = 'bootstrap.kubernetes.io/token'
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace }, type, data }
}

test('join tokens that have ended go, and the next end is looked forward to', (t) => {
  const secrets = [
    joinToken('ended', '2026-06-01T12:00:00Z'),
    joinToken('later', '2026-06-01T14:00:00Z'),
    joinToken('soon', '2026-06-01T13:00:00Z'),
    joinToken('never'),
    joinToken('unreadable', 'tomorrow'),
    joinToken('elsewhere', '2020-01-01T00:00:00Z', 'default'),
    { ...joinToken('other', '2020-01-01T00:00:00Z'), type: 'Opaque' },
  ]
  const { expired, next } = planTokens(secrets, now)
  t.deepEqual(
    expired.map(({ metadata }) => metadata.name),
    ['ended', 'unreadable'],
  )
  t.is(next, Date.parse('2026-06-01T13:00:00Z'))
  t.is(planTokens([joinToken('never')], now).next, undefined)
})

const account: ServiceAccount = {
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name: 'ci', namespace: 'default', uid: 'u1' },
}
const accounts = new Map([['default/ci', account]])

function tokenSecret(uid?: string, token?: string): Secret {
  const annotations = {
    'kubernetes.io/service-account.name': 'ci',
    ...(uid !== undefined && { 'kubernetes.io/service-account.uid': uid }),
  }
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', namespace: 'default', annotations },
    type: 'kubernetes.io/service-account-token',
    ...(token !== undefined && { data: { token } }),
  }
}

function ops(secret: Secret, known: ReadonlyMap<string, ServiceAccount> = accounts): string[] {
  return planAccountTokens([secret], known).map(({ op }) => op)
}

test('a Secret for a token is filled once', (t) => {
  t.deepEqual(ops(tokenSecret()), ['fill'])
  t.deepEqual(ops(tokenSecret('u1')), ['fill'])
  t.deepEqual(ops(tokenSecret('u1', 'dG9r')), [])
})

test('a Secret that came before its account waits, one whose account has gone goes', (t) => {
  t.deepEqual(ops(tokenSecret(), new Map()), [])
  t.deepEqual(ops(tokenSecret('u1', 'dG9r'), new Map()), ['delete'])
  t.deepEqual(ops(tokenSecret('u0', 'dG9r')), ['delete'])
})

test('Secrets of other types are nobody’s business here', (t) => {
  t.deepEqual(ops({ ...tokenSecret('u0'), type: 'Opaque' }), [])
})
