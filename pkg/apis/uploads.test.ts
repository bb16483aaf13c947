import test from 'ava'
import { uploadsOf } from './uploads.ts'

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
