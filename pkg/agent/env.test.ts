import test from 'ava'
import { configMap, container, secret, world } from '#test/helpers/world.ts'
import { resolveEnv } from './env.ts'
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
