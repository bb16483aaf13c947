import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { attributesOf } from './attributes.ts'

test('paths read as Kubernetes reads them', (t) => {
  const read = (method: string, target: string) => attributesOf(makeRequest(target, { method }))
  const containers = { group: 'cove.run', resource: 'containers' }
  const base = '/apis/cove.run/v1/namespaces/shop/containers'
  t.deepEqual(read('GET', base), { verb: 'list', ...containers, namespace: 'shop' })
  t.deepEqual(read('GET', `${base}?watch=true`), { verb: 'watch', ...containers, namespace: 'shop' })
  t.deepEqual(read('PATCH', `${base}/web/status`), {
    verb: 'patch',
    group: 'cove.run',
    resource: 'containers/status',
    namespace: 'shop',
    name: 'web',
  })
  t.deepEqual(read('DELETE', base), { verb: 'deletecollection', ...containers, namespace: 'shop' })
  t.deepEqual(read('GET', '/api/v1/namespaces/shop'), {
    verb: 'get',
    group: '',
    resource: 'namespaces',
    namespace: 'shop',
    name: 'shop',
  })
  t.deepEqual(read('PUT', '/api/v1/namespaces/shop/finalize'), {
    verb: 'update',
    group: '',
    resource: 'namespaces/finalize',
    namespace: 'shop',
    name: 'shop',
  })
  t.deepEqual(read('GET', '/apis/cove.run/v1'), { verb: 'get', path: '/apis/cove.run/v1' })
})

test('a right to a subresource is one to all that is below it', (t) => {
  const asked = attributesOf(makeRequest('/apis/cove.run/v1/nodes/n1/images/tag?image=a', { method: 'POST' }))
  const { below, ...others } = 'below' in asked ? asked : { below: undefined }
  t.deepEqual(others, { verb: 'create', group: 'cove.run', resource: 'nodes/images', name: 'n1' })
  t.is(below?.path, 'tag')
  t.is(below?.query.get('image'), 'a')
})

test('a collection of one name is that object, and an empty word is no watch', (t) => {
  const read = (method: string, query: string) =>
    attributesOf(makeRequest(`/api/v1/namespaces/shop/secrets?${query}`, { method }))
  const secrets = { group: '', resource: 'secrets', namespace: 'shop' }
  const fieldSelector = [
    { field: 'metadata.name', equal: true, value: 'db' },
    { field: 'type', equal: true, value: 'Opaque' },
  ]
  const one = { ...secrets, name: 'db', fieldSelector }
  const selector = 'fieldSelector=metadata.name%3Ddb,type%3DOpaque'
  t.deepEqual(read('GET', selector), { verb: 'list', ...one })
  t.deepEqual(read('GET', `watch=1&${selector}`), { verb: 'watch', ...one })
  t.deepEqual(read('DELETE', selector), { verb: 'deletecollection', ...one })
  t.deepEqual(read('POST', selector), { verb: 'create', ...secrets })
  t.deepEqual(read('GET', 'fieldSelector=metadata.name!%3Ddb'), {
    verb: 'list',
    ...secrets,
    fieldSelector: [{ field: 'metadata.name', equal: false, value: 'db' }],
  })
  t.deepEqual(read('GET', 'watch='), { verb: 'list', ...secrets })
})

test('a path that two readers could take apart differently is refused', (t) => {
  for (const path of [
    '/api/v1//secrets',
    '/api//v1/secrets',
    '/api/v1/../v1/secrets',
    '/api/v1/%2e%2e/x',
    '/a/%zz',
    '/api/v1/a%2Fb',
  ]) {
    const error = t.throws(() => attributesOf({ ...makeRequest('/'), path }))
    t.true(isReason(error, 'BadRequest'), path)
  }
})
