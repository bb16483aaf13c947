import test from 'ava'
import { configMap, container, secret, world } from '#test/helpers/world.ts'
import { resolveEnv, skippedNames } from './env.ts'
import { resolve } from './resolve.ts'

const objects = [secret('login', { password: 'pä$$' }), configMap('settings', { mode: 'fast' })]
const { desired } = world({ objects })

function env(...variables: readonly Record<string, unknown>[]) {
  const named = variables.map((variable, index) => ({ name: `V${index}`, ...variable }))
  return resolveEnv(container('web', { env: named }), desired)
}

const from = (kind: 'secretKeyRef' | 'configMapKeyRef', name: string, key: string, optional = false) => ({
  valueFrom: { [kind]: { name, key, optional } },
})

test('variables are filled from text, Secrets, ConfigMaps and the Container itself', (t) => {
  const fields = ['metadata.name', 'metadata.namespace', 'metadata.uid', 'spec.nodeName']
  t.deepEqual(
    env(
      { value: 'plain $HOME' },
      {},
      from('secretKeyRef', 'login', 'password'),
      from('configMapKeyRef', 'settings', 'mode'),
      ...fields.map((fieldPath) => ({ valueFrom: { fieldRef: { fieldPath } } })),
    ),
    {
      variables: {
        V0: 'plain $HOME',
        V1: '',
        V2: 'pä$$',
        V3: 'fast',
        V4: 'web',
        V5: 'default',
        V6: 'uid-Container-web',
        V7: 'n1',
      },
    },
  )
})

test('what is missing is told, unless it is optional', (t) => {
  t.deepEqual(env(from('secretKeyRef', 'gone', 'key')), {
    missing: {
      reason: 'SecretNotFound',
      message: 'spec.env "V0" wants key "key" of Secret gone, which does not exist',
    },
  })
  t.deepEqual(env(from('configMapKeyRef', 'settings', 'gone')), {
    missing: {
      reason: 'ConfigMapNotFound',
      message: 'spec.env "V0" wants key "gone" of ConfigMap settings, which does not exist',
    },
  })
  t.deepEqual(env(from('secretKeyRef', 'gone', 'key', true), { value: 'x' }), { variables: { V1: 'x' } })
})

test('a name that every object has is no key and no variable by itself', (t) => {
  for (const kind of ['secretKeyRef', 'configMapKeyRef'] as const) {
    const name = kind === 'secretKeyRef' ? 'login' : 'settings'
    for (const key of ['constructor', '__proto__', 'toString']) {
      t.like(env(from(kind, name, key)), {
        missing: { reason: `${kind === 'secretKeyRef' ? 'Secret' : 'ConfigMap'}NotFound` },
      })
      t.deepEqual(env(from(kind, name, key, true)), { variables: {} })
    }
  }
  const named = env({ name: '__proto__', value: 'x' })
  t.deepEqual('variables' in named && Object.entries(named.variables), [['__proto__', 'x']])
})

const allOf = (
  envFrom: readonly Record<string, unknown>[],
  variables: readonly Record<string, unknown>[] = [],
) => container('web', { envFrom, env: variables })

test('all keys of Secrets and ConfigMaps become variables: later sources win over earlier ones, env over both', (t) => {
  const more = world({
    objects: [
      secret('login', { user: 'a', password: 'b' }),
      configMap('settings', { user: 'c', mode: 'fast' }),
    ],
  }).desired
  const both = [{ secretRef: { name: 'login' } }, { configMapRef: { name: 'settings' } }]
  t.deepEqual(resolveEnv(allOf(both), more), { variables: { user: 'c', password: 'b', mode: 'fast' } })
  t.deepEqual(resolveEnv(allOf(both.toReversed(), [{ name: 'mode', value: 'slow' }]), more), {
    variables: { user: 'a', password: 'b', mode: 'slow' },
  })
  t.deepEqual(resolveEnv(allOf([{ prefix: 'DB_', secretRef: { name: 'login' } }]), more), {
    variables: { DB_user: 'a', DB_password: 'b' },
  })
})

test('a source that is missing is told, unless it is optional', (t) => {
  t.deepEqual(resolveEnv(allOf([{ secretRef: { name: 'gone' } }]), desired), {
    missing: {
      reason: 'SecretNotFound',
      message: 'spec.envFrom wants Secret default/gone, which does not exist',
    },
  })
  const optional = [{ configMapRef: { name: 'gone', optional: true } }]
  t.deepEqual(resolveEnv(allOf(optional), desired), { variables: {} })
})

test('keys that are no names of variables are left out and told, unless a prefix makes them names', (t) => {
  const more = world({
    objects: [configMap('odd', { '1st': 'a', '2nd': 'b', ok: 'c', 'a-b.c': 'd' })],
  }).desired
  const plain = allOf([{ configMapRef: { name: 'odd' } }])
  t.deepEqual(resolveEnv(plain, more), { variables: { ok: 'c', 'a-b.c': 'd' } })
  t.deepEqual(skippedNames(plain, more), [
    'Keys [1st, 2nd] from the EnvFrom configMap default/odd were skipped since they are considered invalid environment variable names.',
  ])
  t.deepEqual(skippedNames(allOf([{ prefix: 'P_', configMapRef: { name: 'odd' } }]), more), [])
})

test('a container whose optional files are not there gets an empty directory', (t) => {
  const mounts = [{ mountPath: '/c', configMap: 'gone', optional: true }]
  const resolved = resolve({ container: container('web', { mounts }), ...world() })
  t.deepEqual('projections' in resolved ? resolved.projections.map(({ files }) => files) : [], [{}])
})

test('what an image is pulled with is no part of the fingerprint', (t) => {
  const pulled = fingerprint({ imagePullSecrets: [{ name: 'login' }] })
  t.is(pulled, fingerprint({}))
})

const fingerprint = (spec: Record<string, unknown>, more: typeof objects = objects) => {
  const resolved = resolve({ container: container('web', spec), ...world({ objects: more }) })
  return 'missing' in resolved ? resolved.missing.reason : resolved.fingerprint
}

test('the fingerprint follows content, not wording', (t) => {
  const plain = fingerprint({})
  for (const same of [
    { image: 'docker.io/library/app:1' },
    { restartPolicy: 'Never' },
    { resources: { limits: { cpu: 1 } } },
  ]) {
    t.is(fingerprint(same), plain, JSON.stringify(same))
  }
  for (const other of [
    { image: 'app:2' },
    { args: [] },
    { user: 'me' },
    { ports: [{ containerPort: 80 }] },
  ]) {
    t.not(fingerprint(other), plain, JSON.stringify(other))
  }
  const mounted = { mounts: [{ mountPath: '/etc/app', configMap: 'settings' }] }
  t.not(fingerprint(mounted), fingerprint(mounted, [configMap('settings', { mode: 'slow' })]))
  t.is(fingerprint(mounted, []), 'ConfigMapNotFound')
})

test('limits reach the engine as whole bytes', (t) => {
  const resources = { limits: { memory: '1.1Mi', cpu: '1500m', pids: 7 } }
  const mounts = [{ mountPath: '/t', tmpfs: { sizeLimit: '0.5Ki' } }]
  const resolved = resolve({ container: container('web', { resources, mounts }), ...world() })
  t.like('create' in resolved ? resolved.create : {}, {
    limits: { memoryBytes: 1_153_434, cpus: 1.5, pids: 7 },
    mounts: [{ type: 'tmpfs', target: '/t', readOnly: false, sizeBytes: 512 }],
  })
})

test('a key that is not there is no file, whatever it is named', (t) => {
  const mounts = [{ mountPath: '/x', secret: 'login', subPath: 'constructor' }]
  t.like(resolve({ container: container('web', { mounts }), ...world({ objects }) }), {
    missing: { reason: 'KeyNotFound' },
  })
  for (const subPath of ['.', '..'])
    t.throws(() => container('web', { mounts: [{ mountPath: '/x', secret: 'login', subPath }] }), {
      message: /must be a key, not a directory/,
    })
})
