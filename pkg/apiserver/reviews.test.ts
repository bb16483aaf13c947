import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { adminUser, makeRequest } from '#test/helpers/request.ts'
import { nodeUser } from './authenticate.ts'
import { selfReview } from './reviews.ts'

const surface = selfReview()
const access = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'

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
  t.is(node.value.status.allowed, false)
  t.regex(node.value.status.reason, /cannot create resource "containers"/)
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
  t.true(isReason(await t.throwsAsync(review(adminUser, {})), 'BadRequest'))
  const error = t.throws(() => surface(makeRequest(access), adminUser))
  t.true(isReason(error, 'MethodNotAllowed'))
  t.is(surface(makeRequest('/apis/authorization.k8s.io/v1'), adminUser), undefined)
})
