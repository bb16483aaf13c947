/**
 * The API behind its door. First everything that it promises, to a user whose rights come from a role and not from a
 * group that may everything; then what it promises of users with fewer rights.
 */
import test, { type ExecutionContext } from 'ava'
import { inProcess, type Transport, type UserInfo } from '#pkg/apimachinery/transport.ts'
import { authorizing } from '#pkg/apiserver/access/authorize.ts'
import { makeAccess } from '#pkg/apiserver/accesscontrol.ts'
import {
  admin,
  ask,
  call,
  startTestServer,
  type TestServer,
  type TestServerOptions,
} from '#test/helpers/apiserver.ts'
import { container } from './apiserver.objects.ts'
import { apiServerSuite } from './apiserver.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const subject = (name: string) => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name })

interface Guarded extends TestServer {
  /** The server as this user reaches it. */
  as(name: string, ...groups: string[]): Transport
}

async function open(t: ExecutionContext, options: TestServerOptions = {}): Promise<Guarded> {
  const access = makeAccess()
  const started = await startTestServer({ ...options, ...access.server, surfaces: [access.reviews] })
  t.teardown(started.close)
  const handler = authorizing(started.server.handler, access.guard)
  const of = (user: UserInfo) => inProcess(handler, user)
  return {
    ...started,
    transport: of(admin),
    as: (name, ...groups) => of({ name, groups: [...groups, 'system:authenticated'] }),
  }
}

/** Gives a ClusterRole everywhere, or in one namespace. */
async function give(
  t: ExecutionContext,
  { transport }: Guarded,
  role: string,
  to: string,
  namespace?: string,
) {
  const [kind, path] =
    namespace === undefined
      ? ['ClusterRoleBinding', `${rbac}/clusterrolebindings`]
      : ['RoleBinding', `${rbac}/namespaces/${namespace}/rolebindings`]
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role }
  const body = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind,
    metadata: { name: `${to}-${role}` },
    roleRef,
    subjects: [subject(to)],
  }
  t.is((await ask(transport, `POST ${path}`, { body })).status, 201)
}

async function makeNamespace(t: ExecutionContext, { transport }: Guarded, name: string) {
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }
  t.is((await ask(transport, 'POST /api/v1/namespaces', { body })).status, 201)
}

apiServerSuite(test, 'by a user who holds cluster-admin', async (t, { window } = {}) => {
  const server = await open(t, window === undefined ? {} : { window })
  await give(t, server, 'cluster-admin', 'tester')
  const { clock, storage } = server
  const forget = async () => storage.compact((await storage.revisions()).current)
  return { transport: server.as('tester'), clock, forget, stats: () => server.server.cache.stats() }
})

test('a list and a watch of one namespace are for those who may see it, and of all for those who may see all', async (t) => {
  const server = await open(t)
  await makeNamespace(t, server, 'shop')
  await give(t, server, 'view', 'bob', 'shop')
  await give(t, server, 'view', 'eve')
  const containers = (namespace?: string) =>
    `/apis/cove.run/v1/${namespace === undefined ? '' : `namespaces/${namespace}/`}containers`
  const status = async (name: string, line: string) => {
    const { status, body } = await call(server.as(name), line, { signal: AbortSignal.timeout(50) })
    if (typeof body !== 'string' && !(body instanceof Uint8Array))
      await body[Symbol.asyncIterator]().return?.()
    return status
  }
  for (const query of ['', '?watch=1']) {
    t.is(await status('bob', `GET ${containers('shop')}${query}`), 200)
    t.is(await status('bob', `GET ${containers('default')}${query}`), 403)
    t.is(await status('bob', `GET ${containers()}${query}`), 403)
    t.is(await status('eve', `GET ${containers('default')}${query}`), 200)
    t.is(await status('eve', `GET ${containers()}${query}`), 200)
  }
  const { body } = await ask(server.as('bob'), `GET ${containers()}`)
  t.is(body.reason, 'Forbidden')
  t.is(
    body.message,
    'containers.cove.run is forbidden: User "bob" cannot list resource "containers" in API group "cove.run" at the cluster scope',
  )
})

test('a right that was taken back is gone with the answer that says so', async (t) => {
  const server = await open(t)
  await give(t, server, 'view', 'bob', 'default')
  const bob = server.as('bob')
  const line = 'GET /api/v1/namespaces/default/configmaps'
  t.is((await ask(bob, line)).status, 200)
  const binding = `${rbac}/namespaces/default/rolebindings/bob-view`
  t.is((await ask(server.transport, `DELETE ${binding}`)).status, 200)
  t.is((await ask(bob, line)).status, 403)
})

const role = (verbs: string[], resources: string[]) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name: 'r', namespace: 'default' },
  rules: [{ verbs, apiGroups: [''], resources }],
})

test('no way of writing a role gives more than the writer holds', async (t) => {
  const server = await open(t)
  await give(t, server, 'admin', 'dora', 'default')
  const dora = server.as('dora')
  const roles = `${rbac}/namespaces/default/roles`
  const tooMuch = role(['get'], ['nodes', 'configmaps'])
  const refused = async (line: string, options: Parameters<typeof ask>[2]) => {
    const { status, body } = await ask(dora, line, options)
    t.is(status, 403, line)
    t.regex(
      body.message,
      /is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\[""\], Resources:\["nodes"\]/,
    )
  }
  const apply = { headers: { 'content-type': 'application/apply-patch+yaml' }, body: tooMuch }
  await refused(`POST ${roles}`, { body: tooMuch })
  await refused(`POST ${roles}?dryRun=All`, { body: tooMuch })
  await refused(`PATCH ${roles}/r?fieldManager=x`, apply)
  t.is((await ask(dora, `POST ${roles}`, { body: role(['get'], ['configmaps']) })).status, 201)
  await refused(`PUT ${roles}/r`, { body: tooMuch })
  await refused(`PATCH ${roles}/r`, { body: { rules: tooMuch.rules } })
  await refused(`PATCH ${roles}/r?fieldManager=x&force=true`, apply)
  t.is((await ask(dora, `DELETE ${roles}/r`)).status, 200)
})

test('applying what is not there needs the right to create', async (t) => {
  const server = await open(t)
  const make = (verbs: string[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: verbs.join('-') },
    rules: [{ verbs, apiGroups: ['cove.run'], resources: ['containers'] }],
  })
  for (const verbs of [['patch'], ['patch', 'create']]) {
    await ask(server.transport, `POST ${rbac}/clusterroles`, { body: make(verbs) })
    await give(t, server, verbs.join('-'), verbs.join('-'), 'default')
  }
  const line = 'PATCH /apis/cove.run/v1/namespaces/default/containers/web?fieldManager=x'
  const body = container('web')
  const options = { headers: { 'content-type': 'application/apply-patch+yaml' }, body }
  t.is((await ask(server.as('patch'), line, options)).status, 403)
  t.is((await ask(server.as('patch-create'), line, options)).status, 201)
})

test('collections are deleted by those who may, and roles are no exception', async (t) => {
  const server = await open(t)
  await give(t, server, 'edit', 'ed', 'default')
  await give(t, server, 'admin', 'dora', 'default')
  const roles = `${rbac}/namespaces/default/roles`
  t.is((await ask(server.as('ed'), `DELETE ${roles}`)).status, 403)
  t.is((await ask(server.as('dora'), `DELETE ${roles}`)).status, 200)
  t.is((await ask(server.as('ed'), 'DELETE /api/v1/namespaces/default/configmaps')).status, 200)
})

test('revisions are for people to read; what is in them, nobody but the control plane decides', async (t) => {
  const server = await open(t)
  for (const name of ['view', 'edit']) await give(t, server, name, `${name}er`, 'default')
  const path = '/apis/apps/v1/namespaces/default/controllerrevisions'
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: { name: 'web-1' },
    data: { spec: { image: 'app:1' } },
    revision: 1,
  }
  t.is((await ask(server.transport, `POST ${path}`, { body })).status, 201)
  for (const name of ['viewer', 'editer']) {
    const user = server.as(name)
    t.is((await ask(user, `GET ${path}`)).body.items.length, 1, name)
    t.is((await ask(user, `POST ${path}`, { body: { ...body, metadata: { name: 'web-2' } } })).status, 403)
    t.is((await ask(user, `PATCH ${path}/web-1`, { body: { revision: 9 } })).status, 403, name)
    t.is((await ask(user, `DELETE ${path}/web-1`)).status, 403, name)
  }
  t.is((await ask(server.as('nobody'), `GET ${path}/web-1`)).status, 403)
})

test('what shows or touches more of a container than its object is for edit, images and nodes for nobody of a namespace', async (t) => {
  const server = await open(t)
  const roles = ['view', 'edit', 'admin'] as const
  for (const name of roles) await give(t, server, name, `${name}er`, 'default')
  const web = '/apis/cove.run/v1/namespaces/default/containers/web'
  const node = '/apis/cove.run/v1/nodes/n1'
  const looks: readonly (readonly [string, readonly (typeof roles)[number][]])[] = [
    ...['stats', 'changes', 'ports', 'log'].map((look) => [`GET ${web}/${look}`, roles] as const),
    ...['inspect', 'export', 'top'].map((look) => [`GET ${web}/${look}`, ['edit', 'admin']] as const),
    [`POST ${web}/kill`, ['edit', 'admin']],
    [`POST ${web}/commit`, []],
    [`GET ${node}/containers`, []],
    [`GET ${node}/adoptable`, []],
    ['GET /apis/metrics.k8s.io/v1beta1/namespaces/default/pods', roles],
    ['GET /apis/metrics.k8s.io/v1beta1/namespaces/other/pods', []],
    ['GET /apis/metrics.k8s.io/v1beta1/pods', []],
    ['GET /apis/metrics.k8s.io/v1beta1/nodes', []],
  ]
  for (const [line, allowed] of looks)
    for (const name of roles) {
      const { status } = await ask(server.as(`${name}er`), line)
      t.is(status !== 403, allowed.includes(name), `${name}: ${line}`)
    }
})
