import { PassThrough } from 'node:stream'
import test from 'ava'
import { ManualClock, seededRandom } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { type ApiRequest, type ApiResponse, readAll, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { makeAudit } from './audit.ts'
import { type AuditEvent, isAudited, readAttributes } from './auditrecord.ts'

const alice: UserInfo = { name: 'alice', groups: ['dev', 'system:authenticated'] }

function asked(method: string, target: string, headers: Record<string, string> = {}): ApiRequest {
  const [path = '', query = ''] = target.split('?')
  const { signal } = new AbortController()
  return { method, path, query: new URLSearchParams(query), headers, peer: '192.0.2.7', signal }
}

function setUp() {
  const events: AuditEvent[] = []
  const clock = new ManualClock()
  const audit = makeAudit({ sink: { write: (event) => events.push(event) }, clock, random: seededRandom(1) })
  const answer = (request: ApiRequest, response: Partial<ApiResponse>) =>
    audit.handler(async () => ({ status: 200, headers: {}, body: '', ...response }))(request, alice)
  return { events, clock, audit, answer }
}

const audited: readonly [boolean, string, string, number?][] = [
  [true, 'POST', '/api/v1/namespaces/a/configmaps'],
  [true, 'PATCH', '/apis/cove.run/v1/namespaces/a/containers/b/status'],
  [true, 'DELETE', '/api/v1/namespaces/a'],
  [true, 'GET', '/api/v1/namespaces/a/secrets/b'],
  [true, 'GET', '/api/v1/secrets?watch=1'],
  [true, 'GET', '/apis/cove.run/v1/namespaces/a/containers/b/inspect'],
  [true, 'GET', '/apis/cove.run/v1/nodes/n/images/save'],
  [false, 'GET', '/apis/cove.run/v1/nodes/n/images'],
  [true, 'POST', '/apis/cove.run/v1/nodes/n/images/tag'],
  [true, 'GET', '/apis/cove.run/v1/nodes/n1/adoptable'],
  [false, 'GET', '/apis/cove.run/v1/nodes/n1/containers'],
  [true, 'POST', '/apis/cove.run/v1/namespaces/a/containers/b/kill'],
  [false, 'GET', '/apis/cove.run/v1/namespaces/a/containers/b/stats'],
  [true, 'GET', '/api/v1/namespaces/a/pods/b/exec?command=sh'],
  [true, 'POST', '/apis/cove.run/v1/namespaces/a/containers/b/portforward'],
  [true, 'GET', '/api/v1/namespaces/a/configmaps/b', 403],
  [true, 'GET', '/version', 401],
  [true, 'GET', '/server/keys'],
  [true, 'POST', '/server/snapshot'],
  [true, 'POST', '/api/v1/namespaces/..%2f/x', 400],
  [false, 'GET', '/api/v1/namespaces/a/configmaps/b'],
  [false, 'GET', '/apis/cove.run/v1/containers?watch=1'],
  [false, 'GET', '/apis/x.example/v1/secrets'],
  [false, 'GET', '/readyz'],
  [false, 'HEAD', '/livez', 503],
  [false, 'GET', '/openapi/v3'],
  [false, 'PATCH', '/apis/cove.run/v1/nodes/n/status'],
  [false, 'PUT', '/apis/coordination.k8s.io/v1/namespaces/a/leases/b'],
]

for (const [expected, method, target, status = 200] of audited) {
  test(`${method} ${target} answered with ${status} is ${expected ? '' : 'not '}audited`, (t) => {
    const request = asked(method, target)
    t.is(isAudited({ request, attributes: readAttributes(request) }, status), expected)
  })
}

test('a record says who did what, when, and how it ended, and nothing of what was sent', async (t) => {
  const { events, answer } = setUp()
  const body = JSON.stringify({ metadata: { name: 'made', uid: 'u1' }, data: { password: 'aHVudGVyMg==' } })
  const request = {
    ...asked('POST', '/api/v1/namespaces/a/secrets?dryRun=All', {
      'user-agent': 'kubectl',
      'impersonate-user': 'bob',
    }),
    body: '{"data":{"password":"aHVudGVyMg=="}}',
  }
  const response = await answer(request, { status: 201, body })
  t.deepEqual(events, [
    {
      kind: 'Event',
      apiVersion: 'audit.k8s.io/v1',
      level: 'Metadata',
      auditID: response.headers['audit-id'] ?? '',
      stage: 'ResponseComplete',
      requestURI: '/api/v1/namespaces/a/secrets?dryRun=All',
      verb: 'create',
      user: { username: 'alice', groups: ['dev', 'system:authenticated'] },
      impersonatedUser: { username: 'bob' },
      sourceIPs: ['192.0.2.7'],
      userAgent: 'kubectl',
      objectRef: { resource: 'secrets', namespace: 'a', name: 'made', uid: 'u1', apiVersion: 'v1' },
      responseStatus: { metadata: {}, code: 201 },
      requestReceivedTimestamp: '2026-01-01T00:00:00.000000Z',
      stageTimestamp: '2026-01-01T00:00:00.000000Z',
    },
  ])
})

test('the reason of a failure is told, its words are not', async (t) => {
  const { events, answer } = setUp()
  const body = JSON.stringify(new StatusError('Invalid', 'password "hunter2" is too short').toStatus())
  await answer(asked('POST', '/api/v1/namespaces/a/secrets'), { status: 422, body })
  t.deepEqual(events[0]?.responseStatus, { metadata: {}, code: 422, reason: 'Invalid' })
  t.false(JSON.stringify(events).includes('hunter2'))
})

test('a watch is on record when it starts and when it ends', async (t) => {
  const { events, clock, answer } = setUp()
  const chunks = async function* () {
    yield 'one'
    await clock.advance(5000)
    yield 'two'
  }
  const { body } = await answer(asked('GET', '/api/v1/secrets?watch=true'), { body: chunks() })
  t.deepEqual(
    events.map(({ stage }) => stage),
    ['ResponseStarted'],
  )
  t.is(await readAll(body), 'onetwo')
  t.deepEqual(
    events.map(({ stage, stageTimestamp, verb }) => `${verb} ${stage} ${stageTimestamp.slice(17, 19)}`),
    ['watch ResponseStarted 00', 'watch ResponseComplete 05'],
  )
  t.is(events[0]?.auditID, events[1]?.auditID)
})

test('what is not audited goes through untouched', async (t) => {
  const { events, answer } = setUp()
  const response = await answer(asked('GET', '/readyz'), { body: 'ok' })
  t.deepEqual(response, { status: 200, headers: {}, body: 'ok' })
  t.deepEqual(events, [])
})

test('a request of nobody is on record without a user', (t) => {
  const { events, audit } = setUp()
  const request = { ...asked('GET', ''), path: '/api/v1/namespaces/a/pods/b?x=1' }
  audit.refused(request, new StatusError('Unauthorized', 'Unauthorized'))
  t.deepEqual(events[0]?.user, {})
  t.is(events[0]?.requestURI, '/api/v1/namespaces/a/pods/b?x=1')
  t.is(events[0]?.objectRef?.name, 'b')
  t.deepEqual(events[0]?.responseStatus, { metadata: {}, code: 401, reason: 'Unauthorized' })
})

test('a connection that is taken over is on record when it opens and when it closes; one that is refused, once', async (t) => {
  const { events, audit } = setUp()
  const socket = new PassThrough()
  const upgrade = {
    request: asked('GET', '/api/v1/namespaces/a/pods/b/exec?command=sh'),
    user: alice,
    socket,
    head: new Uint8Array(),
  }
  await audit.upgrades(() => undefined)(upgrade)
  socket.destroy()
  await new Promise((resolve) => socket.once('close', resolve))
  const refusing = audit.upgrades(() => {
    throw new StatusError('Forbidden', 'no')
  })
  await t.throwsAsync(async () => refusing(upgrade), { message: 'no' })
  t.deepEqual(
    events.map(({ stage, responseStatus, objectRef }) => [
      stage,
      responseStatus.code,
      objectRef?.subresource,
    ]),
    [
      ['ResponseStarted', 101, 'exec'],
      ['ResponseComplete', 101, 'exec'],
      ['ResponseComplete', 403, 'exec'],
    ],
  )
})
