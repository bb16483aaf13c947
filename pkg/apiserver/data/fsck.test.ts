import test from 'ava'
import { kinds } from '#pkg/apis/kinds.ts'
import { type Keyring, makeKey, seal } from '#pkg/storage/envelope.ts'
import type { StoredRecord } from '#pkg/storage/port.ts'
import { checkObjects } from './fsck.ts'

const namespaced = { namespace: 'default', uid: 'u', creationTimestamp: '2026-01-01T00:00:00Z' }
const configMaps = '/registry/core/configmaps/'

function record(key: string, value: unknown): StoredRecord {
  return { key, value: typeof value === 'string' ? value : JSON.stringify(value), revision: 1 }
}

const defaultNamespace = record('/registry/core/namespaces/default', {
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'default', uid: 'n' },
  status: { phase: 'Active' },
})

function configMap(name: string, more: object = {}, metadata: object = {}): StoredRecord {
  const object = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...namespaced, ...metadata, name },
    ...more,
  }
  return record(`${configMaps}default/${name}`, object)
}

function found(records: readonly StoredRecord[], keys?: Keyring): string[] {
  const findings = checkObjects([defaultNamespace, ...records], {
    kinds,
    ...(keys !== undefined && { keys }),
  })
  return findings.map(({ key, what }) => `${key.replace('/registry/core/', '')} ${what}`)
}

test('objects as the server writes them are clean', (t) => {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'a', uid: 'u' }
  t.deepEqual(found([configMap('a'), configMap('b', {}, { ownerReferences: [owner] })]), [])
})

test('each thing that is wrong is one finding that names the object', (t) => {
  const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'gone', uid: 'x' }
  t.deepEqual(
    found([
      configMap('a', { data: { a: 1 } }),
      configMap('b', { extra: true }),
      configMap('c', {}, { ownerReferences: [owner] }),
      { ...configMap('d'), key: `${configMaps}default/other` },
      record(`${configMaps}nowhere/e`, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'e', namespace: 'nowhere' },
      }),
      record(`${configMaps}default/f`, '{"cut'),
      record(`${configMaps}default/g`, '[]'),
      record('/registry/core/widgets/default/h', {}),
    ]),
    [
      'configmaps/default/a is not valid: data.a: must be of type string, not number',
      'configmaps/default/b has an unknown field: extra',
      'configmaps/default/c its owner ConfigMap "gone" (x) does not exist',
      'configmaps/default/f is not JSON',
      'configmaps/default/g is no object with metadata.name',
      'configmaps/default/other its metadata names another key: /registry/core/configmaps/default/d',
      'configmaps/nowhere/e its namespace "nowhere" does not exist',
      'widgets/default/h is of no kind that this cove knows',
    ],
  )
})

test('a sealed value is opened and looked at; one that does not open is a finding', (t) => {
  const keys: Keyring = [{ ...makeKey('now'), id: 'k1' }]
  const key = '/registry/core/secrets/default/s'
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { ...namespaced, name: 's' }, type: 'Opaque' }
  const sealed = record(key, seal(keys, key, JSON.stringify(secret)))
  t.deepEqual(found([sealed], keys), [])
  t.deepEqual(found([sealed], [makeKey('now')]), [
    'secrets/default/s is encrypted with the key "k1" and this server does not have that key',
  ])
  t.deepEqual(found([{ ...sealed, key: '/registry/core/secrets/default/t' }], keys), [
    'secrets/default/t is encrypted with the key "k1" and does not open with it: it was changed or moved',
  ])
  t.deepEqual(found([sealed]), [], 'without any keys at hand it is passed over')
})
