import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { followersIn } from './followers.ts'

function object(kind: string, name: string, spec: object = {}, namespace?: string): KubeObject {
  const metadata = { name, ...(namespace !== undefined && { namespace }) }
  return { apiVersion: 'cove.run/v1', kind, metadata, spec }
}

test('a Container counts as following a Build of its own namespace that is one of the objects', (t) => {
  const web = object('Container', 'web', { imageFrom: { build: 'site' } })
  const follower = { name: 'web', namespace: 'default', build: 'site' }
  t.deepEqual(followersIn([object('Build', 'site'), web]), [follower])
  t.deepEqual(followersIn([object('Build', 'site', {}, 'default'), web]), [follower])
  t.deepEqual(followersIn([object('Build', 'site', {}, 'other'), web]), [])
  t.deepEqual(followersIn([object('Image', 'site'), web]), [])
  t.deepEqual(followersIn([object('Build', 'site'), object('Container', 'web', { image: 'site' })]), [])
})
