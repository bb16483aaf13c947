import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { attributesOf } from './attributes.ts'
import { anonymous, nodeUser } from './authenticate.ts'
import { authorize, authorizing, guard } from './authorize.ts'

const bob: UserInfo = { name: 'bob', groups: ['system:authenticated'] }
const node = nodeUser('edge-1')

function may(user: UserInfo, method: string, target: string): boolean {
  try {
    authorize(user, attributesOf(makeRequest(target, { method })))
    return true
  } catch (error) {
    if (isReason(error, 'Forbidden')) return false
    throw error
  }
}

function refusal(user: UserInfo, method: string, target: string): string {
  try {
    authorize(user, attributesOf(makeRequest(target, { method })))
    return 'allowed'
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

test('administrators may do everything', (t) => {
  t.true(may(adminUser, 'DELETE', '/api/v1/namespaces/shop/secrets/s'))
  t.true(may(adminUser, 'GET', '/anything'))
})

test('anybody may ask for version and health, and nothing else', (t) => {
  for (const path of ['/version', '/livez', '/readyz', '/healthz']) t.true(may(anonymous, 'GET', path))
  for (const path of ['/apis', '/openapi/v3', '/api/v1/secrets', '/metrics'])
    t.false(may(anonymous, 'GET', path))
  t.false(may(anonymous, 'POST', '/version'))
})

test('a user without rights may look at what kinds there are', (t) => {
  for (const path of ['/api', '/apis', '/apis/cove.run/v1', '/openapi/v3']) t.true(may(bob, 'GET', path))
  t.false(may(bob, 'GET', '/api/v1/configmaps'))
})

test('a node works on what is placed on nodes, and creates none of it', (t) => {
  const containers = '/apis/cove.run/v1/namespaces/shop/containers'
  t.true(may(node, 'GET', '/apis/cove.run/v1/containers?watch=1'))
  t.true(may(node, 'PATCH', `${containers}/web/status`))
  t.true(may(node, 'PATCH', `${containers}/web`))
  t.false(may(node, 'POST', containers))
  t.true(may(node, 'POST', '/api/v1/namespaces/shop/events'))
  t.true(may(node, 'GET', '/api/v1/namespaces/shop/secrets/s'))
  t.false(may(node, 'PATCH', '/api/v1/namespaces/shop/secrets/s'))
})

test('a node registers and changes itself only', (t) => {
  t.true(may(node, 'POST', '/apis/cove.run/v1/nodes'))
  t.true(may(node, 'PATCH', '/apis/cove.run/v1/nodes/edge-1/status'))
  t.true(may(node, 'GET', '/apis/cove.run/v1/nodes/edge-1/tunnel'))
  t.false(may(node, 'PATCH', '/apis/cove.run/v1/nodes/edge-2/status'))
  t.false(may(node, 'GET', '/apis/cove.run/v1/nodes/edge-2/tunnel'))
  t.false(may(node, 'DELETE', '/apis/cove.run/v1/nodes/edge-1'))
})

test('a refusal is worded as Kubernetes words it', (t) => {
  t.is(
    refusal(bob, 'GET', '/apis/cove.run/v1/namespaces/default/containers'),
    'containers.cove.run is forbidden: User "bob" cannot list resource "containers" in API group "cove.run" in the namespace "default"',
  )
  t.is(
    refusal(bob, 'DELETE', '/apis/cove.run/v1/nodes/n1'),
    'nodes.cove.run "n1" is forbidden: User "bob" cannot delete resource "nodes" in API group "cove.run" at the cluster scope',
  )
  t.is(refusal(bob, 'GET', '/metrics'), 'forbidden: User "bob" cannot get path "/metrics"')
})

const tellUser: Handler = async (_request, user) => ({ status: 200, headers: {}, body: user.name })

test('administrators may act as others, with the rights of those', async (t) => {
  const handler = authorizing(tellUser, guard)
  const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'a, b' }
  t.is((await handler(makeRequest('/apis', { headers }), adminUser)).body, 'bob')
  t.is((await handler(makeRequest('/api/v1/secrets', { headers }), adminUser)).status, 403)
  t.is((await handler(makeRequest('/apis', { headers }), bob)).status, 403)
})

test('the guarded handler is only asked when the table allows it', async (t) => {
  const handler = authorizing(tellUser, guard)
  t.is((await handler(makeRequest('/version'), anonymous)).body, 'system:anonymous')
  const refused = await handler(makeRequest('/api/v1/secrets'), anonymous)
  t.is(refused.status, 403)
  t.is(JSON.parse(String(refused.body)).reason, 'Forbidden')
})
