import test from 'ava'
import { containerKind } from './container.kind.ts'
import { configMapKind } from './core.ts'
import { nodeKind } from './node.ts'
import { collectionPath, objectPath } from './paths.ts'

test('paths are laid out as Kubernetes lays them out', (t) => {
  t.is(collectionPath(containerKind), '/apis/cove.run/v1/containers')
  t.is(collectionPath(containerKind, 'shop'), '/apis/cove.run/v1/namespaces/shop/containers')
  t.is(collectionPath(nodeKind, 'ignored'), '/apis/cove.run/v1/nodes')
  t.is(
    objectPath(configMapKind, { namespace: 'shop', name: 'conf' }),
    '/api/v1/namespaces/shop/configmaps/conf',
  )
  t.is(objectPath(nodeKind, { name: 'a/b' }), '/apis/cove.run/v1/nodes/a%2Fb')
})
