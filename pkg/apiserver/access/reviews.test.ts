import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { makeNode, nodeIndexOf } from '#test/helpers/nodes.ts'
import { heldRbac } from '#test/helpers/rbac.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { nodeUser } from './authenticate.ts'
import { inOrder, mastersMay } from './authorizer.ts'
import { nodeAuthorizer } from './nodeauthorizer.ts'
import { reviews } from './reviews.ts'

const rbac = heldRbac()
const surface = reviews({
  authorize: inOrder(mastersMay, nodeAuthorizer(nodeIndexOf(makeNode('n1'), makeNode('n2'))), rbac.authorize),
  rulesFor: (user, namespace) => rbac.rulesFor(user, namespace),
})
const group = '/apis/authorization.k8s.io/v1'
const access = `${group}/selfsubjectaccessreviews`
const bob: UserInfo = { name: 'bob', groups: ['system:authenticated'] }

async function review(user: UserInfo, spec: unknown, path = access) {
  const request = makeRequest(path, { method: 'POST', body: JSON.stringify({ spec }) })
  const response = await surface(request, user)
  return { code: response?.status, value: JSON.parse(await readAll(response?.body ?? '')) }
}

test('a user learns what it may do, and why not', async (t) => {
  const resourceAttributes = { verb: 'create', group: 'cove.run', resource: 'containers', namespace: 'shop' }
  const admin = await review(adminUser, { resourceAttributes })
  t.is(admin.code, 201)
  t.deepEqual(admin.value.status, { allowed: true })
  const node = await review(nodeUser('n1'), { resourceAttributes })
  t.deepEqual(node.value.status, { allowed: false })
  const everybody = await review(bob, { nonResourceAttributes: { verb: 'get', path: '/apis' } })
  t.deepEqual(everybody.value.status, {
    allowed: true,
    reason:
      'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"',
  })
})

test('whoever may ask learns what others may do', async (t) => {
  const resourceAttributes = { verb: 'get', resource: 'secrets', namespace: 'shop' }
  const others = `${group}/subjectaccessreviews`
  const asked = (spec: unknown, path = others) => review(adminUser, spec, path)
  t.true((await asked({ user: 'x', groups: ['system:masters'], resourceAttributes })).value.status.allowed)
  t.false((await asked({ user: 'x', resourceAttributes })).value.status.allowed)
  const nobody = await t.throwsAsync(asked({ resourceAttributes }))
  t.regex(nobody?.message ?? '', /at least one of user or group must be specified/)
  const local = `${group}/namespaces/shop/localsubjectaccessreviews`
  const inside = await asked({ user: 'x', resourceAttributes }, local)
  t.is(inside.value.metadata.namespace, 'shop')
  const elsewhere = { ...resourceAttributes, namespace: 'bank' }
  const outside = await t.throwsAsync(asked({ user: 'x', resourceAttributes: elsewhere }, local))
  t.regex(outside?.message ?? '', /must match metadata.namespace/)
  const both = { user: 'x', resourceAttributes, nonResourceAttributes: { verb: 'get', path: '/' } }
  t.regex((await t.throwsAsync(asked(both)))?.message ?? '', /cannot be specified in combination/)
})

test('a user learns all that it may do in a namespace', async (t) => {
  const rules = `${group}/selfsubjectrulesreviews`
  const { status } = (await review(bob, { namespace: 'shop' }, rules)).value
  t.false(status.incomplete)
  t.deepEqual(
    status.resourceRules.map(({ resources }: { resources: string[] }) => resources),
    [['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['selfsubjectreviews']],
  )
  t.true(status.nonResourceRules.length > 0)
  t.true((await review(nodeUser('n1'), { namespace: 'shop' }, rules)).value.status.incomplete)
  t.true(isReason(await t.throwsAsync(review(bob, {}, rules)), 'BadRequest'))
})

test('subresources and paths are asked for in their own form', async (t) => {
  const status = { verb: 'patch', group: 'cove.run', resource: 'nodes', subresource: 'status', name: 'n1' }
  t.true((await review(nodeUser('n1'), { resourceAttributes: status })).value.status.allowed)
  t.false((await review(nodeUser('n2'), { resourceAttributes: status })).value.status.allowed)
  const path = { nonResourceAttributes: { verb: 'get', path: '/version' } }
  t.true((await review(nodeUser('n1'), path)).value.status.allowed)
})

test('a user learns who it is', async (t) => {
  const { value } = await review(nodeUser('n1'), {}, '/apis/authentication.k8s.io/v1/selfsubjectreviews')
  t.is(value.status.userInfo.username, 'system:node:n1')
})

test('a review that asks for nothing, or is not created, is refused', async (t) => {
  t.true(isReason(await t.throwsAsync(review(adminUser, {})), 'Invalid'))
  const error = t.throws(() => surface(makeRequest(access), adminUser))
  t.true(isReason(error, 'MethodNotAllowed') && error.allow?.join() === 'POST')
  t.is(surface(makeRequest('/apis/authorization.k8s.io/v1'), adminUser), undefined)
})
