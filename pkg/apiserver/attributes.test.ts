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
    name: 'shop',
  })
  t.deepEqual(read('PUT', '/api/v1/namespaces/shop/finalize'), {
    verb: 'update',
    group: '',
    resource: 'namespaces/finalize',
    name: 'shop',
  })
  t.deepEqual(read('GET', '/apis/cove.run/v1'), { verb: 'get', path: '/apis/cove.run/v1' })
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
