/** What somebody with few rights tries in order to have more: the whole server in this process, and every way is shut. */
import test, { type ExecutionContext } from 'ava'
import { inProcess } from '#pkg/apimachinery/transport.ts'
import { ask, type CallOptions, call } from '#test/helpers/apiserver.ts'
import { ask as askOverHttps } from '#test/helpers/https.ts'
import { adminUser } from '#test/helpers/request.ts'
import { startServer } from '#test/helpers/server.ts'
import { container } from './apiserver.objects.ts'

const group = 'rbac.authorization.k8s.io'
const rbac = `/apis/${group}/v1`
const bytes = Buffer.from('hidden').toString('base64')

async function open(t: ExecutionContext) {
  const serving = await startServer(t)
  const as = (name: string, ...groups: string[]) =>
    inProcess(serving.handler, { name, groups: [...groups, 'system:authenticated'] })
  const admin = inProcess(serving.handler, adminUser)
  const make = async (path: string, body: Record<string, unknown>) => {
    const answer = await ask(admin, `POST ${path}`, { body })
    t.is(answer.status, 201, JSON.stringify(answer.body))
    return answer.body
  }
  for (const name of ['shop', 'other'])
    await make('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
  for (const namespace of ['shop', 'other'])
    await make(`/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's' },
      data: { key: bytes },
    })
  for (const role of ['view', 'edit', 'admin'])
    await make(`${rbac}/namespaces/shop/rolebindings`, {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name: role },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
      subjects: [{ kind: 'User', apiGroup: group, name: role }],
    })
  return { ...serving, as, admin, make }
}

/** The code of the answer; what is streamed is left at once. */
async function code(transport: ReturnType<typeof inProcess>, line: string, options: CallOptions = {}) {
  const { status, body } = await call(transport, line, { signal: AbortSignal.timeout(100), ...options })
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) await body[Symbol.asyncIterator]().return?.()
  return status
}

test('no spelling of a path shows a Secret to whom it is not shown', async (t) => {
  const { as } = await open(t)
  const own = [
    'GET /api/v1/namespaces/shop/secrets',
    'GET /api/v1/namespaces/shop/secrets/',
    'GET /api/v1/namespaces/shop/secrets/s',
    'HEAD /api/v1/namespaces/shop/secrets/s',
    'GET /api/v1/namespaces/shop/%73ecrets/s',
    'GET /api/v1/namespaces/%73hop/secrets/%73',
    'GET /%61pi/v1/namespaces/shop/secrets/s',
    'GET /api/v1/namespaces/shop/secrets?watch=1',
    'GET /api/v1/namespaces/shop/secrets?watch=true&watch=false',
    'GET /api/v1/namespaces/shop/secrets?watch=false&watch=true',
    'GET /api/v1/namespaces/shop/secrets?watch=TRUE',
    'GET /api/v1/namespaces/shop/secrets?fieldSelector=metadata.name%3Ds',
    'GET /api/v1/watch/namespaces/shop/secrets',
    'GET /api/v1/namespaces/shop/secrets/s/status',
    'DELETE /api/v1/namespaces/shop/secrets?dryRun=All',
    'PATCH /api/v1/namespaces/shop/secrets/s?dryRun=All',
  ]
  const everywhere = [
    'GET /api/v1/secrets',
    'GET /api/v1/secrets?watch=1',
    'GET /api/v1/namespaces/other/secrets/s',
    'GET /api/v1/namespaces/shop/../other/secrets/s',
    'GET /api/v1/namespaces/shop/%2e%2e/other/secrets/s',
    'GET /api/v1/namespaces/shop%2f..%2fother/secrets/s',
    'GET /api/v1/namespaces/shop/secrets/..%2f..%2fother%2fsecrets%2fs',
    'GET /api/v1//namespaces/other/secrets/s',
    'GET //api/v1/namespaces/other/secrets/s',
    'GET /api//v1/namespaces/other/secrets/s',
    'GET /api/v1/namespaces//secrets',
    'GET /apis//v1/namespaces/other/secrets/s',
    'GET /apis/%20/v1/namespaces/other/secrets/s',
    'GET /server/keys',
    'GET /server//keys',
    'GET /healthz/../server/keys',
    'POST /server/snapshot',
  ]
  for (const line of own) {
    t.true([400, 403, 404].includes(await code(as('view'), line)), line)
    t.true([400, 401, 403, 404].includes(await code(as('nobody'), line)), line)
  }
  for (const line of everywhere)
    for (const who of ['view', 'edit', 'admin', 'nobody'])
      t.true([400, 403, 404].includes(await code(as(who), line)), `${who}: ${line}`)
})

test('whoever may read one Secret by its name reads no other by any selector', async (t) => {
  const { as, make } = await open(t)
  await make('/api/v1/namespaces/shop/secrets', {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'own' },
  })
  const rules = [
    {
      verbs: ['get', 'list', 'watch', 'deletecollection'],
      apiGroups: [''],
      resources: ['secrets'],
      resourceNames: ['own'],
    },
  ]
  const apiVersion = `${group}/v1`
  await make(`${rbac}/namespaces/shop/roles`, { apiVersion, kind: 'Role', metadata: { name: 'own' }, rules })
  await make(`${rbac}/namespaces/shop/rolebindings`, {
    apiVersion,
    kind: 'RoleBinding',
    metadata: { name: 'own' },
    roleRef: { apiGroup: group, kind: 'Role', name: 'own' },
    subjects: [{ kind: 'User', apiGroup: group, name: 'one' }],
  })
  const one = as('one')
  const path = '/api/v1/namespaces/shop/secrets'
  const names = async (query: string) => {
    const { status, body } = await ask(one, `GET ${path}?${query}`)
    return status === 200
      ? body.items.map((item: { metadata: { name: string } }) => item.metadata.name)
      : status
  }
  t.deepEqual(await names('fieldSelector=metadata.name%3Down'), ['own'])
  t.is(await names(''), 403)
  t.is(await names('fieldSelector=metadata.name%3Ds'), 403)
  t.is(await names('fieldSelector=metadata.name!%3Down'), 403)
  t.is(await names('fieldSelector=metadata.name%3Ds&fieldSelector=metadata.name%3Down'), 403)
  t.deepEqual(await names('fieldSelector=metadata.name%3Down&fieldSelector=metadata.name%3Ds'), ['own'])
  t.deepEqual(await names('fieldSelector=metadata.name%3Down,metadata.name%3Ds'), [])
  const after = Buffer.from(JSON.stringify({ rv: -1, after: '/registry/core/secrets/' })).toString(
    'base64url',
  )
  t.deepEqual(await names(`fieldSelector=metadata.name%3Down&continue=${after}`), ['own'])
})

test('nobody makes themselves more than they are', async (t) => {
  const { as } = await open(t)
  const headers = (more: Record<string, string>) => ({ headers: more })
  const roleRef = { apiGroup: group, kind: 'ClusterRole', name: 'cluster-admin' }
  const subjects = [{ kind: 'User', apiGroup: group, name: 'admin' }]
  const binding = {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'x' },
    roleRef,
    subjects,
  }
  const json = 'application/json-patch+json'
  const bindings = `${rbac}/namespaces/shop/rolebindings`
  const tries: readonly (readonly [string, CallOptions])[] = [
    [`POST ${bindings}`, { body: binding }],
    [`PUT ${bindings}/admin`, { body: { ...binding, metadata: { name: 'admin' } } }],
    [`PATCH ${bindings}/view`, { body: { roleRef } }],
    [
      `PATCH ${bindings}/view`,
      {
        headers: { 'content-type': json },
        body: [{ op: 'replace', path: '/roleRef/name', value: 'cluster-admin' }],
      },
    ],
    [
      `PATCH ${bindings}/x?fieldManager=m`,
      { headers: { 'content-type': 'application/apply-patch+yaml' }, body: binding },
    ],
    [`POST ${rbac}/clusterrolebindings`, { body: { ...binding, kind: 'ClusterRoleBinding' } }],
    [`PATCH ${rbac}/clusterroles/view`, { body: { metadata: { labels: { a: 'b' } } } }],
    [
      'PATCH /api/v1/namespaces/shop',
      { body: { metadata: { labels: { 'cove.run/enforce': 'privileged' } } } },
    ],
    ['PUT /api/v1/namespaces/shop/finalize', { body: {} }],
    ['PATCH /api/v1/namespaces/shop/status', { body: { metadata: { labels: { a: 'b' } } } }],
    ['DELETE /api/v1/namespaces/shop', {}],
    ['POST /apis/cove.run/v1/nodes/n1/certificate', { body: {} }],
    ['POST /apis/cove.run/v1/namespaces/shop/nodes/n1/certificate', { body: {} }],
    ['GET /apis/cove.run/v1/nodes/n1/tunnel', {}],
    ['POST /api/v1/namespaces/other/serviceaccounts/default/token', { body: {} }],
    ['POST /apis/authentication.k8s.io/v1/tokenreviews', { body: {} }],
    ['POST /apis/authorization.k8s.io/v1/subjectaccessreviews', { body: {} }],
    ['POST /apis/authorization.k8s.io/v1/namespaces/shop/subjectaccessreviews', { body: {} }],
    ['POST /apis/authorization.k8s.io/v1/namespaces/other/localsubjectaccessreviews', { body: {} }],
    ['GET /api/v1/secrets', headers({ 'impersonate-user': 'admin' })],
    ['GET /api/v1/secrets', headers({ 'impersonate-user': 'x', 'impersonate-group': 'system:masters' })],
    [
      'GET /api/v1/secrets',
      headers({
        'impersonate-user': 'system:serviceaccount:shop:default',
        'impersonate-group': 'system:serviceaccounts, system:masters',
      }),
    ],
    ['GET /api/v1/secrets', headers({ 'impersonate-user': 'system:serviceaccount:other:default' })],
    ['GET /api/v1/secrets', headers({ 'impersonate-user': 'system:serviceaccount:shop:a:b' })],
    ['GET /api/v1/secrets', headers({ 'impersonate-group': 'system:masters' })],
    [
      'GET /api/v1/secrets',
      headers({ 'impersonate-user': 'x', 'impersonate-extra-node.cove.run%2fregisters': 'true' }),
    ],
    [
      'GET /api/v1/namespaces/shop/secrets/s',
      { headers: { 'x-http-method-override': 'GET', 'impersonate-uid': '1' } },
    ],
  ]
  for (const [line, options] of tries)
    for (const who of ['view', 'edit', 'admin']) {
      const status = await code(as(who), line, options)
      t.true(
        [400, 403, 404, 405, 422].includes(status),
        `${who}: ${line} ${JSON.stringify(options)}: ${status}`,
      )
    }
})

test('a status changes nothing but the status', async (t) => {
  const { as, make, admin } = await open(t)
  const path = '/apis/cove.run/v1/namespaces/shop/containers'
  await make(path, { ...container('web'), metadata: { name: 'web' } })
  const change = {
    metadata: { labels: { a: 'b' }, annotations: { a: 'b' }, finalizers: ['a.b/c'], ownerReferences: [] },
    spec: { image: 'evil:1', nodeName: 'n1' },
    status: { phase: 'Running' },
  }
  for (const who of ['view', 'edit', 'admin'])
    t.is(await code(as(who), `PATCH ${path}/web/status`, { body: change }), 403, who)
  const before = (await ask(admin, `GET ${path}/web`)).body
  const { status, body } = await ask(admin, `PATCH ${path}/web/status`, { body: change })
  t.is(status, 200)
  t.is(body.status.phase, 'Running')
  const { managedFields: _b, resourceVersion: _c, ...kept } = before.metadata
  const { managedFields: _d, resourceVersion: _e, ...now } = body.metadata
  t.deepEqual([now, body.spec], [kept, before.spec])
})

test('an object outside of namespaces has none, by which its rights could be measured', async (t) => {
  const { admin } = await open(t)
  const body = {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRole',
    metadata: { name: 'x', namespace: 'shop' },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: ['secrets'] }],
  }
  t.is(await code(admin, `POST ${rbac}/clusterroles`, { body }), 422)
})

test('what a Secret holds is in no refusal of a write to it', async (t) => {
  const { as } = await open(t)
  const path = '/api/v1/namespaces/shop/secrets/s'
  const other = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' } }
  const apply = { 'content-type': 'application/apply-patch+yaml' }
  const json = { 'content-type': 'application/json-patch+json' }
  const tries: readonly (readonly [string, CallOptions])[] = [
    [`PATCH ${path}?fieldManager=m`, { headers: apply, body: { ...other, data: { key: 'b3RoZXI=' } } }],
    [`PATCH ${path}`, { headers: json, body: [{ op: 'test', path: '/data/key', value: 'b3RoZXI=' }] }],
    [`PATCH ${path}`, { headers: json, body: [{ op: 'add', path: '/data/key/x', value: 'b3RoZXI=' }] }],
    [`PATCH ${path}`, { headers: json, body: [{ op: 'move', from: '/data/key', path: '/type' }] }],
    [`PATCH ${path}`, { body: { type: 'Opaque2' } }],
    [`PATCH ${path}`, { body: { data: { key: 5 } } }],
  ]
  for (const [line, options] of tries) {
    const { status, body } = await ask(as('edit'), line, options)
    t.true(status >= 400, JSON.stringify(options))
    t.notRegex(JSON.stringify(body), /hidden|aGlkZGVu/, JSON.stringify(options))
  }
})

test('a token of an account opens what the account may and no more, and ends with it', async (t) => {
  const { admin, make, as, url, pki } = await open(t)
  const client = { port: Number(new URL(url).port), ca: pki.ca.cert }
  const accounts = '/api/v1/namespaces/shop/serviceaccounts'
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci' } }
  await make(accounts, account)
  const subjects = [{ kind: 'ServiceAccount', name: 'ci' }]
  const roleRef = { apiGroup: group, kind: 'ClusterRole', name: 'view' }
  const metadata = { name: 'ci' }
  const bound = { apiVersion: `${group}/v1`, kind: 'RoleBinding', metadata, roleRef, subjects }
  await make(`${rbac}/namespaces/shop/rolebindings`, bound)
  const request = (spec: object) => ({ apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec })
  const tokenOf = async (who: string, spec: object) => {
    const { status, body } = await ask(as(who), `POST ${accounts}/ci/token`, { body: request(spec) })
    return status === 201 ? String(body.status.token) : status
  }
  t.is(await tokenOf('view', {}), 403)
  const token = String(await tokenOf('edit', {}))
  const elsewhere = String(await tokenOf('edit', { audiences: ['vault'] }))
  const read = async (bearer: string, path: string) => {
    const headers = { authorization: `Bearer ${bearer}` }
    return (await askOverHttps(client, path, { headers })).status
  }
  const [header = '', payload = '', signature = ''] = token.split('.')
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const known = JSON.parse(Buffer.from(header, 'base64url').toString())
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString())
  const containers = '/apis/cove.run/v1/namespaces/shop/containers'
  t.is(await read(token, containers), 200)
  t.is(await read(token, '/api/v1/namespaces/shop/secrets'), 403)
  t.is(await read(token, '/apis/cove.run/v1/namespaces/other/containers'), 403)
  const forged = {
    elsewhere,
    unsigned: `${encode({ ...known, alg: 'none' })}.${payload}.`,
    symmetric: `${encode({ ...known, alg: 'HS256' })}.${payload}.${signature}`,
    otherKey: `${encode({ ...known, kid: 'other' })}.${payload}.${signature}`,
    inherited: `${encode({ ...known, kid: '__proto__' })}.${payload}.${signature}`,
    changed: `${header}.${encode({ ...claims, sub: 'system:serviceaccount:kube-system:x' })}.${signature}`,
  }
  for (const [what, bearer] of Object.entries(forged)) t.is(await read(bearer, containers), 401, what)
  t.is((await ask(admin, `DELETE ${accounts}/ci`)).status, 200)
  await make(accounts, account)
  t.is(await read(token, containers), 401, 'the account of that name is another one now')
})

test('an upgrade is guarded as what it opens, whoever is impersonated for it', async (t) => {
  const { make, as, url, pki } = await open(t)
  const accounts = '/api/v1/namespaces/shop/serviceaccounts'
  await make(accounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'ci' } })
  await make(`${rbac}/namespaces/shop/rolebindings`, {
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'ci' },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
    subjects: [{ kind: 'ServiceAccount', name: 'ci' }],
  })
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
  const issued = await ask(as('edit'), `POST ${accounts}/ci/token`, { body })
  const client = { port: Number(new URL(url).port), ca: pki.ca.cert }
  const own = { authorization: `Bearer ${issued.body.status.token}`, connection: 'Upgrade' }
  const shop = 'namespaces/shop'
  const tries = [
    ['cove-frames', `/apis/cove.run/v1/${shop}/containers/web/exec?command=id`],
    ['cove-frames', `/apis/cove.run/v1/${shop}/containers/web/archive?path=/`],
    ['cove-frames', `/apis/cove.run/v1/${shop}/containers/web/portforward?port=80`],
    ['cove-frames', '/apis/cove.run/v1/namespaces/other/containers/web/attach'],
    ['cove-frames', `/apis/cove.run/v1/${shop}/containers/..%2f..%2fother%2fweb/exec`],
    ['websocket', `/api/v1/${shop}/pods/web/exec?command=id`],
    ['SPDY/3.1', `/api/v1/${shop}/pods/web/attach`],
    ['SPDY/3.1', `/api/v1/${shop}/pods/web/portforward`],
    ['cove-tunnel', '/apis/cove.run/v1/nodes/n1/tunnel'],
    ['websocket', `/api/v1/${shop}/secrets/s`],
    ['h2c', `/api/v1/${shop}/secrets?watch=1`],
  ] as const
  const more: readonly Record<string, string>[] = [
    {},
    { 'impersonate-user': 'admin' },
    { 'impersonate-user': 'x', 'impersonate-group': 'system:masters' },
    { 'impersonate-user': 'system:node:n1', 'impersonate-group': 'system:nodes' },
  ]
  for (const [upgrade, path] of tries)
    for (const method of ['GET', 'POST', 'PUT'])
      for (const headers of more) {
        const { status } = await askOverHttps(client, path, {
          method,
          headers: { ...own, upgrade, ...headers },
        })
        t.true([400, 403, 404].includes(status), `${method} ${path} ${JSON.stringify(headers)}: ${status}`)
        if (!path.includes('secrets') && !path.includes('%2f')) t.is(status, 403, `${method} ${path}`)
      }
})
