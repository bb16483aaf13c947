import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { Handler, UserInfo } from '#pkg/apimachinery/transport.ts'
import type { PolicyRule } from '#pkg/apis/rbac.ts'
import { makeContainer, makeNode, nodeIndexOf } from '#test/helpers/nodes.ts'
import { allowing, heldRbac } from '#test/helpers/rbac.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { attributesOf } from './attributes.ts'
import { anonymous, nodeUser, ownNodeUser } from './authenticate.ts'
import { authorizing, demand, makeGuard } from './authorize.ts'
import { inOrder, mastersMay } from './authorizer.ts'
import { nodeAuthorizer } from './nodeauthorizer.ts'

const bob: UserInfo = { name: 'bob', groups: ['system:authenticated'] }
const node = nodeUser('edge-1')
const rule = (verbs: string[], resources: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs,
  apiGroups: [''],
  resources,
  ...more,
})
const placed = [
  makeNode('edge-1'),
  makeContainer('shop/web', { nodeName: 'edge-1', mounts: [{ mountPath: '/s', secret: 's' }] }),
  makeContainer('shop/other', { nodeName: 'edge-2', mounts: [{ mountPath: '/s', secret: 'hidden' }] }),
]
const rbac = heldRbac()
const authorize = inOrder(mastersMay, nodeAuthorizer(nodeIndexOf(...placed)), rbac.authorize)

function refusal(user: UserInfo, method: string, target: string): string {
  try {
    demand(authorize, user, attributesOf(makeRequest(target, { method })))
    return 'allowed'
  } catch (error) {
    if (isReason(error, 'Forbidden')) return error.message
    throw error
  }
}

const may = (user: UserInfo, method: string, target: string) => refusal(user, method, target) === 'allowed'

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

test('a user without rights may look at what kinds there are, and at nothing in them', (t) => {
  for (const path of ['/api', '/apis', '/apis/cove.run/v1', '/openapi/v3']) t.true(may(bob, 'GET', path))
  t.false(may(bob, 'GET', '/api/v1/configmaps'))
})

test('a node works on what is placed on it, and creates none of it', (t) => {
  const containers = '/apis/cove.run/v1/namespaces/shop/containers'
  t.true(may(node, 'GET', '/apis/cove.run/v1/containers?watch=1&fieldSelector=spec.nodeName%3Dedge-1'))
  t.false(may(node, 'GET', '/apis/cove.run/v1/containers?watch=1'))
  t.true(may(node, 'PATCH', `${containers}/web/status`))
  t.true(may(node, 'PATCH', `${containers}/web`))
  t.false(may(node, 'PATCH', `${containers}/other`))
  t.false(may(node, 'POST', containers))
  t.true(may(node, 'POST', '/api/v1/namespaces/shop/events'))
  t.true(may(node, 'GET', '/api/v1/namespaces/shop/secrets/s'))
  t.false(may(node, 'PATCH', '/api/v1/namespaces/shop/secrets/s'))
  t.is(
    refusal(node, 'GET', '/api/v1/namespaces/shop/secrets/hidden'),
    `secrets "hidden" is forbidden: User "system:node:edge-1" cannot get resource "secrets" in API group "" in the namespace "shop": no relationship found between node 'edge-1' and this object`,
  )
})

test('a node changes itself only, and does not register by itself', (t) => {
  t.false(may(node, 'POST', '/apis/cove.run/v1/nodes'))
  t.true(may(ownNodeUser('edge-1'), 'POST', '/apis/cove.run/v1/nodes'))
  t.true(may(node, 'PATCH', '/apis/cove.run/v1/nodes/edge-1/status'))
  t.true(may(node, 'GET', '/apis/cove.run/v1/nodes/edge-1/tunnel'))
  t.false(may(node, 'PATCH', '/apis/cove.run/v1/nodes/edge-2/status'))
  t.false(may(node, 'GET', '/apis/cove.run/v1/nodes/edge-2/tunnel'))
  t.false(may(node, 'DELETE', '/apis/cove.run/v1/nodes/edge-1'))
})

test('a node whose Node object is gone may do nothing as a node', (t) => {
  const ghost = nodeUser('edge-2')
  t.regex(
    refusal(ghost, 'GET', '/apis/cove.run/v1/namespaces/shop/containers/other'),
    /there is no Node object of node 'edge-2'/,
  )
  t.false(may(ghost, 'POST', '/apis/cove.run/v1/nodes/edge-2/certificate'))
})

test('a bootstrapper asks for the certificate of a node, and may do nothing else', (t) => {
  const stranger: UserInfo = {
    name: 'system:bootstrap:abcdef',
    groups: ['system:bootstrappers', 'system:authenticated'],
  }
  t.true(may(stranger, 'POST', '/apis/cove.run/v1/nodes/edge-1/certificate'))
  t.false(may(stranger, 'GET', '/apis/cove.run/v1/nodes'))
  t.false(may(stranger, 'GET', '/api/v1/secrets'))
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

const tellUser: Handler = async (_request, user) => ({
  status: 200,
  headers: {},
  body: JSON.stringify([user.name, user.groups, user.uid]),
})

test('administrators may act as others, with the rights of those', async (t) => {
  const handler = authorizing(tellUser, makeGuard(authorize))
  const headers = { 'impersonate-user': 'bob', 'impersonate-group': 'a, b', 'impersonate-uid': '7' }
  const answer = await handler(makeRequest('/apis', { headers }), adminUser)
  t.deepEqual(JSON.parse(String(answer.body)), ['bob', ['a', 'b', 'system:authenticated'], '7'])
  t.is((await handler(makeRequest('/api/v1/secrets', { headers }), adminUser)).status, 403)
  const refused = await handler(makeRequest('/apis', { headers }), bob)
  t.is(refused.status, 403)
  t.regex(
    String(refused.body),
    /users \\"bob\\" is forbidden: User \\"bob\\" cannot impersonate resource \\"users\\" in API group \\"\\" at the cluster scope/,
  )
})

test('acting as somebody needs the verb impersonate on user, groups and uid alike', async (t) => {
  const dora: UserInfo = { name: 'dora', groups: ['system:authenticated'] }
  const handler = authorizing(
    tellUser,
    makeGuard(
      allowing({
        User: {
          dora: [
            rule(['impersonate'], ['users'], { resourceNames: ['bob'] }),
            rule(['impersonate'], ['groups'], { resourceNames: ['a'] }),
            rule(['impersonate'], ['serviceaccounts']),
            { verbs: ['get'], nonResourceURLs: ['/x'] },
          ],
          bob: [{ verbs: ['get'], nonResourceURLs: ['/x'] }],
          'system:serviceaccount:shop:robot': [{ verbs: ['get'], nonResourceURLs: ['/x'] }],
        },
      }),
    ),
  )
  const as = async (headers: Record<string, string>) =>
    (await handler(makeRequest('/x', { headers }), dora)).status
  t.is(await as({ 'impersonate-user': 'bob' }), 200)
  t.is(await as({ 'impersonate-user': 'bob', 'impersonate-group': 'a' }), 200)
  t.is(await as({ 'impersonate-user': 'eve' }), 403)
  t.is(await as({ 'impersonate-user': 'bob', 'impersonate-group': 'a, system:masters' }), 403)
  t.is(await as({ 'impersonate-user': 'bob', 'impersonate-uid': '1' }), 403)
  t.is(await as({ 'impersonate-user': 'system:serviceaccount:shop:robot' }), 200)
  t.is(await as({ 'impersonate-group': 'a' }), 400)
  t.is(await as({ 'impersonate-user': 'bob', 'impersonate-extra-scopes': 'x' }), 400)
})

test('groups of somebody acted as are those of such a user', async (t) => {
  const handler = authorizing(tellUser, makeGuard(mastersOrPublic))
  const groups = async (name: string) => {
    const request = makeRequest('/version', { headers: { 'impersonate-user': name } })
    return JSON.parse(String((await handler(request, adminUser)).body))[1]
  }
  t.deepEqual(await groups('bob'), ['system:authenticated'])
  t.deepEqual(await groups('system:anonymous'), ['system:unauthenticated'])
  t.deepEqual(await groups('system:serviceaccount:shop:robot'), [
    'system:serviceaccounts',
    'system:serviceaccounts:shop',
    'system:authenticated',
  ])
})

const mastersOrPublic = inOrder(mastersMay, heldRbac().authorize)

test('the guarded handler is only asked when somebody allows it', async (t) => {
  const handler = authorizing(tellUser, makeGuard(authorize))
  t.is(JSON.parse(String((await handler(makeRequest('/version'), anonymous)).body))[0], 'system:anonymous')
  const refused = await handler(makeRequest('/api/v1/secrets'), anonymous)
  t.is(refused.status, 403)
  t.is(JSON.parse(String(refused.body)).reason, 'Forbidden')
})
