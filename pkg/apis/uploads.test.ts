import test from 'ava'
import { localPathsOf, uploadsOf, withUploads } from './uploads.ts'

const digest = `sha256:${'a'.repeat(64)}`
const image = (source: object) => ({ apiVersion: 'cove.run/v1', kind: 'Image', spec: { source } })

test('an object names the uploads of its kind, and only whole digests', (t) => {
  t.deepEqual(uploadsOf(image({ archive: { upload: digest } })), [digest])
  t.deepEqual(uploadsOf(image({ rootfs: { upload: digest, changes: [] } })), [digest])
  t.deepEqual(uploadsOf(image({ rootfs: { upload: '../../etc/passwd' } })), [])
  t.deepEqual(uploadsOf(image({ archive: { url: 'https://example.com/a.tar' } })), [])
  t.deepEqual(uploadsOf({ ...image({ archive: { upload: digest } }), kind: 'Container' }), [])
  t.deepEqual(uploadsOf({ apiVersion: 'v1', kind: 'Secret' }), [])
})

test('a file beside the manifest is told with its field, and becomes the digest of its upload', (t) => {
  const written = image({ rootfs: { path: 'root.tar', message: 'first' } })
  t.deepEqual(localPathsOf(written), [{ field: 'spec.source.rootfs.path', path: 'root.tar' }])
  const sent = withUploads(written, new Map([['spec.source.rootfs.path', digest]]))
  t.deepEqual(sent, image({ rootfs: { upload: digest, message: 'first' } }))
  t.deepEqual(uploadsOf(sent), [digest])
  t.deepEqual(localPathsOf(sent), [])
  t.deepEqual(localPathsOf({ kind: 'Image' }), [])
  t.deepEqual(localPathsOf({ apiVersion: 'constructor', kind: 'x' }), [])
})
