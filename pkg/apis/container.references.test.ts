import test from 'ava'
import { type Reference, referencesOf } from './container.references.ts'

const metadata = { namespace: 'shop', name: 'web' }
const texts = (references: readonly Reference[]) =>
  references.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`).toSorted()

test('every field that names another object counts, and each object once', (t) => {
  const spec = {
    env: [
      { name: 'A', value: 'plain' },
      { name: 'B', valueFrom: { secretKeyRef: { name: 's1', key: 'k', optional: false } } },
      { name: 'C', valueFrom: { configMapKeyRef: { name: 'c1', key: 'k', optional: true } } },
      { name: 'D', valueFrom: { fieldRef: { fieldPath: 'metadata.name' as const } } },
    ],
    envFrom: [{ secretRef: { name: 's2' } }, { configMapRef: { name: 'c2' }, prefix: 'P' }],
    imagePullSecrets: [{ name: 's3' }],
    mounts: [
      { mountPath: '/a', readOnly: false, secret: 's1' },
      { mountPath: '/b', readOnly: false, configMap: 'c3' },
      { mountPath: '/c', readOnly: false, volume: 'v1' },
      { mountPath: '/d', readOnly: false, hostPath: '/x' },
    ],
    networks: [{ name: 'n1', aliases: [] }],
  }
  t.deepEqual(texts(referencesOf({ metadata, spec })), [
    'ConfigMap/shop/c1',
    'ConfigMap/shop/c2',
    'ConfigMap/shop/c3',
    'Network/shop/n1',
    'Secret/shop/s1',
    'Secret/shop/s2',
    'Secret/shop/s3',
    'Volume/shop/v1',
  ])
})

test('a Container of an older version, without its defaults, names nothing', (t) => {
  t.deepEqual(referencesOf({ metadata: { name: 'web' }, spec: {} }), [])
})

test("the login of the image's registry is named, and nothing waits for it", (t) => {
  const [login] = referencesOf({ metadata, spec: { image: 'r.example.com:5000/team/app:1' } })
  t.deepEqual(login, { kind: 'Secret', namespace: 'shop', name: 'login.r.example.com-5000', optional: true })
  const named = { image: 'nginx', imagePullSecrets: [{ name: 'login.docker.io' }] }
  t.deepEqual(referencesOf({ metadata, spec: named }), [
    { kind: 'Secret', namespace: 'shop', name: 'login.docker.io' },
  ])
  t.deepEqual(referencesOf({ metadata, spec: { image: '' } }), [])
})
