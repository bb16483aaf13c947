import test from 'ava'
import { fitsItsType } from './secret.rules.ts'
import { accountNameAnnotation } from './secret.types.ts'

function wrong(type: string, data: Record<string, string> = {}, annotations: Record<string, string> = {}) {
  const encoded = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])
  const secret = { type, data: Object.fromEntries(encoded), metadata: { name: 's', annotations } }
  return fitsItsType(secret).map(({ field, message }) => `${field}: ${message}`)
}

test('a type asks for its keys, and Opaque and types of others for none', (t) => {
  t.deepEqual(wrong('Opaque'), [])
  t.deepEqual(wrong('example.com/mine'), [])
  t.deepEqual(wrong('toString'), [])
  t.deepEqual(wrong('kubernetes.io/tls', { 'tls.crt': '' }), ['data[tls.key]: Required value'])
  t.deepEqual(wrong('kubernetes.io/tls', { 'tls.crt': '', 'tls.key': '' }), [])
  t.deepEqual(wrong('kubernetes.io/ssh-auth'), ['data[ssh-privatekey]: Required value'])
  t.is(wrong('kubernetes.io/basic-auth').length, 2)
  t.deepEqual(wrong('kubernetes.io/basic-auth', { password: 'x' }), [])
  const account = 'kubernetes.io/service-account-token'
  t.deepEqual(wrong(account), [`metadata.annotations[${accountNameAnnotation}]: Required value`])
  t.deepEqual(wrong(account, {}, { [accountNameAnnotation]: 'ci' }), [])
})

test('logins of registries are JSON, and what they are instead is not told', (t) => {
  for (const key of ['.dockercfg', '.dockerconfigjson']) {
    const type = `kubernetes.io/${key.slice(1)}`
    t.deepEqual(wrong(type, { [key]: '{"auths":{}}' }), [])
    t.deepEqual(wrong(type), [`data[${key}]: Required value`])
    t.deepEqual(wrong(type, { [key]: 'hunter2' }), [
      `data[${key}]: Invalid value: "<secret contents redacted>": must be JSON`,
    ])
  }
})
