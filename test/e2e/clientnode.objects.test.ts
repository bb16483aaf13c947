/** @kubernetes/client-node: objects of every kind over TLS, through its generated APIs and its generic one. */
import assert from 'node:assert/strict'
import {
  ApiException,
  AuthenticationV1Api,
  AuthorizationV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
  RbacAuthorizationV1Api,
  setHeaderOptions,
  V1MicroTime,
  type V1Status,
  VersionApi,
} from '@kubernetes/client-node'
import test, { type ExecutionContext } from 'ava'
import { startServer } from '#test/helpers/server.ts'

interface Thing extends KubernetesObject {
  data?: Record<string, string>
  spec?: Record<string, unknown>
}

const namespace = 'default'
const cove = { group: 'cove.run', version: 'v1', namespace, plural: 'containers' }

async function open(t: ExecutionContext) {
  const serving = await startServer(t)
  const config = new KubeConfig()
  config.loadFromFile(serving.kubeconfigPath)
  return { serving, config, objects: KubernetesObjectApi.makeApiClient(config) }
}

function configMap(name: string, data: Record<string, string> = {}, metadata: object = {}): Thing {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...metadata }, data }
}

function container(name: string, spec: object = {}): Thing {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { name, namespace },
    spec: { image: 'registry.example/web:1', ...spec },
  }
}

interface Refusal {
  readonly code: number
  readonly status: V1Status
}

/** What the library throws: the code of the answer, and its Status as text or object. */
async function refusal(doing: Promise<unknown>): Promise<Refusal> {
  const error: unknown = await doing.then(
    () => undefined,
    (thrown) => thrown,
  )
  assert.ok(error instanceof ApiException, `no ApiException: ${String(error)}`)
  const status = typeof error.body === 'string' ? JSON.parse(error.body) : error.body
  return { code: error.code, status }
}

function reasonOf({ code, status }: Refusal): [number, string | undefined] {
  return [code, status.reason]
}

test('the kubeconfig of the administrator loads as it is', async (t) => {
  const { serving, config } = await open(t)
  t.is(config.getCurrentCluster()?.server, serving.url)
  const { gitVersion } = await config.makeApiClient(VersionApi).getCode()
  t.regex(gitVersion, /^v/)
  const namespaces = await config.makeApiClient(CoreV1Api).listNamespace()
  t.deepEqual(
    namespaces.items.map(({ metadata }) => metadata?.name),
    ['default', 'kube-system'],
  )
})

test('objects of the core and of Cove are created, read, replaced and deleted by what they are', async (t) => {
  const { objects } = await open(t)
  for (const object of [configMap('c', { a: '1' }), container('web')]) {
    const created = await objects.create<Thing>(object)
    t.truthy(created.metadata?.uid)
    const read = await objects.read<Thing>({
      ...object,
      metadata: { name: object.metadata?.name ?? '', namespace },
    })
    t.deepEqual(read, created)
    const labelled = await objects.replace<Thing>({
      ...read,
      metadata: { ...read.metadata, labels: { app: 'x' } },
    })
    t.deepEqual(labelled.metadata?.labels, { app: 'x' })
    t.deepEqual(reasonOf(await refusal(objects.replace(read))), [409, 'Conflict'])
    const gone = await objects.delete(object)
    t.is(gone.status, 'Success')
    t.deepEqual(reasonOf(await refusal(objects.read(object as never))), [404, 'NotFound'])
  }
})

test('a namespace is made, listed and terminated by what it is', async (t) => {
  const { objects } = await open(t)
  const team = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } }
  await objects.create(team)
  const listed = await objects.list('v1', 'Namespace')
  t.true(listed.items.some(({ metadata }) => metadata?.name === 'team'))
  await objects.delete(team)
  const { code, status } = await refusal(objects.create(configMap('c', {}, { namespace: 'team' })))
  t.is(code, 403)
  t.is(status.details?.causes?.[0]?.reason, 'NamespaceTerminating')
})

test('a JSON patch, a merge patch and a strategic one change what they name', async (t) => {
  const { objects, config } = await open(t)
  await objects.create(container('web', { env: [{ name: 'A', value: '1' }] }))
  const patch = (spec: object, strategy: PatchStrategy) =>
    objects.patch<Thing>(
      { ...container('web'), spec: { ...spec } },
      undefined,
      undefined,
      'tester',
      undefined,
      strategy,
    )
  const strategic = await patch({ env: [{ name: 'B', value: '2' }] }, PatchStrategy.StrategicMergePatch)
  t.deepEqual(strategic.spec?.['env'], [
    { name: 'B', value: '2' },
    { name: 'A', value: '1' },
  ])
  const merged = await patch({ env: [{ name: 'C', value: '3' }] }, PatchStrategy.MergePatch)
  t.deepEqual(merged.spec?.['env'], [{ name: 'C', value: '3' }])
  const api = config.makeApiClient(CustomObjectsApi)
  const body = [
    { op: 'test', path: '/spec/env/0/name', value: 'C' },
    { op: 'replace', path: '/spec/state', value: 'Stopped' },
  ]
  const patched: Thing = await api.patchNamespacedCustomObject(
    { ...cove, name: 'web', body },
    setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
  )
  t.is(patched.spec?.['state'], 'Stopped')
  const wrong = [{ op: 'test', path: '/spec/env/0/name', value: 'Z' }]
  const refused = api.patchNamespacedCustomObject(
    { ...cove, name: 'web', body: wrong },
    setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
  )
  t.deepEqual(reasonOf(await refusal(refused)), [422, 'Invalid'])
})

test('server-side apply makes, owns, conflicts and takes over by force', async (t) => {
  const { objects } = await open(t)
  const apply = (manager: string, spec: object, force?: boolean) =>
    objects.patch<Thing>(
      container('web', spec),
      undefined,
      undefined,
      manager,
      force,
      PatchStrategy.ServerSideApply,
    )
  const made = await apply('alice', { state: 'Running' })
  t.deepEqual(
    made.metadata?.managedFields?.map(({ manager, operation }) => [manager, operation]),
    [['alice', 'Apply']],
  )
  const { code, status } = await refusal(apply('bob', { state: 'Stopped' }))
  t.is(code, 409)
  t.deepEqual(status.details?.causes, [
    { reason: 'FieldManagerConflict', message: 'conflict with "alice"', field: '.spec.state' },
  ])
  const forced = await apply('bob', { state: 'Stopped' }, true)
  t.is(forced.spec?.['state'], 'Stopped')
  const again = await apply('bob', { state: 'Stopped' })
  t.is(again.metadata?.resourceVersion, forced.metadata?.resourceVersion)
})

test('a trial changes nothing, whatever is tried', async (t) => {
  const { objects } = await open(t)
  await objects.create(configMap('new'), undefined, 'All')
  t.deepEqual(reasonOf(await refusal(objects.read(configMap('new') as never))), [404, 'NotFound'])
  const kept = await objects.create<Thing>(configMap('kept', { a: '1' }))
  await objects.replace({ ...kept, data: { a: '2' } }, undefined, 'All')
  await objects.patch(configMap('kept', { a: '3' }), undefined, 'All')
  await objects.delete(configMap('kept'), undefined, 'All')
  t.deepEqual(await objects.read<Thing>(configMap('kept') as never), kept)
})

test('lists are selected by labels and fields, and come in pages', async (t) => {
  const { objects, config } = await open(t)
  const names = ['a', 'b', 'c', 'd', 'e']
  for (const [index, name] of names.entries()) {
    await objects.create(configMap(name, {}, { labels: { app: index < 3 ? 'x' : 'y' } }))
  }
  const list = (fields?: string, labels?: string, limit?: number, token?: string) =>
    objects.list<Thing>(
      'v1',
      'ConfigMap',
      namespace,
      undefined,
      undefined,
      undefined,
      fields,
      labels,
      limit,
      token,
    )
  const named = (page: { items: Thing[] }) => page.items.map(({ metadata }) => metadata?.name)
  t.deepEqual(named(await list(undefined, 'app=x')), ['a', 'b', 'c'])
  t.deepEqual(named(await list('metadata.name=d')), ['d'])
  const first = await list(undefined, undefined, 2)
  t.deepEqual(named(first), ['a', 'b'])
  t.is(first.metadata?.remainingItemCount, 3)
  await objects.delete(configMap('c'))
  await objects.create(configMap('b1'))
  const second = await list(undefined, undefined, 2, first.metadata?._continue ?? tokenOf(first))
  t.deepEqual(named(second), ['c', 'd'])
  const core = config.makeApiClient(CoreV1Api)
  const page = await core.listNamespacedConfigMap({ namespace, limit: 2, labelSelector: 'app in (x,y)' })
  const rest = await core.listNamespacedConfigMap({
    namespace,
    labelSelector: 'app in (x,y)',
    _continue: page.metadata?._continue ?? '',
  })
  t.deepEqual(
    [...page.items, ...rest.items].map(({ metadata }) => metadata?.name),
    ['a', 'b', 'd', 'e'],
  )
})

/** The generic API leaves the names of kinds that it does not know as they came. */
function tokenOf({ metadata }: { metadata?: object | undefined }): string {
  const token = Object.entries(metadata ?? {}).find(([name]) => name === 'continue')
  return String(token?.[1] ?? '')
}

test('how dependents are treated, and how long an end may take, can be said in the query', async (t) => {
  const { objects } = await open(t)
  for (const [policy, finalizers] of [
    ['Foreground', ['foregroundDeletion']],
    ['Orphan', ['orphan']],
  ] as const) {
    const name = policy.toLowerCase()
    await objects.create(configMap(name))
    await objects.delete(configMap(name), undefined, undefined, undefined, undefined, policy)
    const marked = await objects.read<Thing>(configMap(name) as never)
    t.truthy(marked.metadata?.deletionTimestamp)
    t.deepEqual(marked.metadata?.finalizers, [...finalizers])
  }
  const held = container('web', {})
  await objects.create({ ...held, metadata: { ...held.metadata, finalizers: ['example.com/held'] } })
  await objects.delete(held, undefined, undefined, 3)
  const going = await objects.read<Thing>(held as never)
  t.is(going.metadata?.deletionGracePeriodSeconds, 3)
  await objects.create(configMap('background'))
  const gone = await objects.delete(
    configMap('background'),
    undefined,
    undefined,
    undefined,
    undefined,
    'Background',
  )
  t.is(gone.status, 'Success')
})

test('preconditions of a deletion hold', async (t) => {
  const { objects } = await open(t)
  const { metadata } = await objects.create<Thing>(configMap('c'))
  const remove = (preconditions: object) =>
    objects.delete(configMap('c'), undefined, undefined, undefined, undefined, undefined, { preconditions })
  t.deepEqual(reasonOf(await refusal(remove({ uid: 'other' }))), [409, 'Conflict'])
  t.deepEqual(reasonOf(await refusal(remove({ resourceVersion: '1' }))), [409, 'Conflict'])
  t.is((await remove({ uid: metadata?.uid ?? '' })).status, 'Success')
})

test('CoreV1Api keeps ConfigMaps, Secrets, Namespaces and ServiceAccounts', async (t) => {
  const { config } = await open(t)
  const core = config.makeApiClient(CoreV1Api)
  const typed = { apiVersion: 'v1', kind: 'ConfigMap' }
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { ...typed, metadata: { name: 'c' }, data: { a: '1' }, binaryData: { b: 'AAE=' } },
  })
  t.true(made.metadata?.creationTimestamp instanceof Date)
  const replaced = await core.replaceNamespacedConfigMap({
    namespace,
    name: 'c',
    body: { ...made, data: { a: '2' } },
  })
  t.deepEqual(replaced.data, { a: '2' })
  t.deepEqual(replaced.binaryData, { b: 'AAE=' })
  t.deepEqual(replaced.metadata?.creationTimestamp, made.metadata?.creationTimestamp)
  const secret = await core.createNamespacedSecret({
    namespace,
    body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, stringData: { key: 'value' } },
  })
  t.deepEqual(secret.data, { key: Buffer.from('value').toString('base64') })
  await core.createNamespace({ body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team' } } })
  const team = await core.readNamespace({ name: 'team' })
  t.is(team.status?.phase, 'Active')
  await core.createNamespacedServiceAccount({
    namespace,
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
  })
  const removed = await core.deleteCollectionNamespacedConfigMap({
    namespace,
    fieldSelector: 'metadata.name=c',
  })
  t.truthy(removed)
  t.deepEqual((await core.listNamespacedConfigMap({ namespace })).items, [])
  t.is((await core.deleteNamespacedSecret({ namespace, name: 's', gracePeriodSeconds: 0 })).status, 'Success')
})

test('typed bodies need not say what they are', async (t) => {
  const { config } = await open(t)
  const core = config.makeApiClient(CoreV1Api)
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'c' }, data: { a: '1' } },
  })
  t.is(made.kind, 'ConfigMap')
  const body = { metadata: { name: 'c' }, data: { a: '2' } }
  t.deepEqual((await core.replaceNamespacedConfigMap({ namespace, name: 'c', body })).data, { a: '2' })
  const account = await core.createNamespacedServiceAccount({
    namespace,
    body: { metadata: { name: 'robot' } },
  })
  t.is(account.apiVersion, 'v1')
  const token = await core.createNamespacedServiceAccountToken({
    name: 'robot',
    namespace,
    body: { spec: { audiences: [], expirationSeconds: 3600 } },
  })
  t.truthy(token.status?.token)
  const review = { spec: { resourceAttributes: { verb: 'list', resource: 'configmaps', namespace } } }
  const authorization = config.makeApiClient(AuthorizationV1Api)
  t.true((await authorization.createSelfSubjectAccessReview({ body: review })).status?.allowed)
  const lease = await config
    .makeApiClient(CoordinationV1Api)
    .createNamespacedLease({ namespace, body: { metadata: { name: 'l' }, spec: { holderIdentity: 'a' } } })
  t.is(lease.kind, 'Lease')
})

test('CustomObjectsApi keeps Containers and their status', async (t) => {
  const { config } = await open(t)
  const api = config.makeApiClient(CustomObjectsApi)
  const made: Thing = await api.createNamespacedCustomObject({ ...cove, body: container('web') })
  t.is(made.metadata?.generation, 1)
  const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch)
  const body = { status: { phase: 'Running' } }
  await api.patchNamespacedCustomObjectStatus({ ...cove, name: 'web', body }, merge)
  const read: Thing & { status?: unknown } = await api.getNamespacedCustomObject({ ...cove, name: 'web' })
  t.like(read.status, { phase: 'Running' })
  const list: { items: Thing[]; kind: string } = await api.listNamespacedCustomObject(cove)
  t.is(list.kind, 'ContainerList')
  t.is(list.items.length, 1)
  const replaced: Thing = await api.replaceNamespacedCustomObject({
    ...cove,
    name: 'web',
    body: { ...read, spec: { ...read.spec, state: 'Stopped' } },
  })
  t.is(replaced.metadata?.generation, 2)
  const gone: V1Status = await api.deleteNamespacedCustomObject({
    ...cove,
    name: 'web',
    propagationPolicy: 'Background',
  })
  t.is(gone.status, 'Success')
  t.deepEqual(reasonOf(await refusal(api.getNamespacedCustomObject({ ...cove, name: 'web' }))), [
    404,
    'NotFound',
  ])
})

test('a Lease is taken, renewed and lost to who was faster', async (t) => {
  const { config } = await open(t)
  const api = config.makeApiClient(CoordinationV1Api)
  const spec = (holderIdentity: string, seconds: number) => ({
    holderIdentity,
    leaseDurationSeconds: 15,
    leaseTransitions: 0,
    acquireTime: new V1MicroTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678)),
    renewTime: new V1MicroTime(Date.UTC(2026, 0, 2, 3, 4, seconds, 0)),
  })
  const typed = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }
  const taken = await api.createNamespacedLease({
    namespace,
    body: { ...typed, metadata: { name: 'leader' }, spec: spec('a', 5) },
  })
  // The library gives these as text although it declares them as times.
  t.is(String(taken.spec?.acquireTime), '2026-01-02T03:04:05.678000Z')
  const renewed = await api.replaceNamespacedLease({
    name: 'leader',
    namespace,
    body: { ...taken, spec: spec('a', 15) },
  })
  t.not(renewed.metadata?.resourceVersion, taken.metadata?.resourceVersion)
  const late = api.replaceNamespacedLease({
    name: 'leader',
    namespace,
    body: { ...taken, spec: spec('b', 16) },
  })
  t.deepEqual(reasonOf(await refusal(late)), [409, 'Conflict'])
  t.is((await api.readNamespacedLease({ name: 'leader', namespace })).spec?.holderIdentity, 'a')
})

test('roles are bound to a ServiceAccount, whose requested token then may what they say', async (t) => {
  const { config } = await open(t)
  const core = config.makeApiClient(CoreV1Api)
  const rbac = config.makeApiClient(RbacAuthorizationV1Api)
  const group = 'rbac.authorization.k8s.io'
  await core.createNamespacedServiceAccount({
    namespace,
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
  })
  const request = await core.createNamespacedServiceAccountToken({
    name: 'robot',
    namespace,
    body: {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: [], expirationSeconds: 3600 },
    },
  })
  const token = request.status?.token ?? ''
  t.true((request.status?.expirationTimestamp?.getTime() ?? 0) > Date.now())
  const robot = withToken(config, token)
  const asRobot = robot.makeApiClient(CoreV1Api)
  const { code, status } = await refusal(asRobot.listNamespacedConfigMap({ namespace }))
  t.is(code, 403)
  t.is(
    status.message,
    'configmaps is forbidden: User "system:serviceaccount:default:robot" cannot list resource "configmaps" in API group "" in the namespace "default"',
  )
  await rbac.createNamespacedRole({
    namespace,
    body: {
      apiVersion: `${group}/v1`,
      kind: 'Role',
      metadata: { name: 'reader' },
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list', 'watch'] }],
    },
  })
  await rbac.createNamespacedRoleBinding({
    namespace,
    body: {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'reader' },
      roleRef: { apiGroup: group, kind: 'Role', name: 'reader' },
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace }],
    },
  })
  t.deepEqual((await asRobot.listNamespacedConfigMap({ namespace })).items, [])
  t.deepEqual(reasonOf(await refusal(asRobot.listNamespacedSecret({ namespace }))), [403, 'Forbidden'])
  const roles = await rbac.listClusterRole()
  t.true(roles.items.some(({ metadata }) => metadata?.name === 'cluster-admin'))
})

function withToken(config: KubeConfig, token: string): KubeConfig {
  const cluster = config.getCurrentCluster()
  assert.ok(cluster)
  const made = new KubeConfig()
  made.loadFromClusterAndUser(cluster, { name: 'robot', token })
  return made
}

test('reviews say who somebody is and what they may', async (t) => {
  const { config } = await open(t)
  const authorization = config.makeApiClient(AuthorizationV1Api)
  const authentication = config.makeApiClient(AuthenticationV1Api)
  const core = config.makeApiClient(CoreV1Api)
  const versioned = { apiVersion: 'authorization.k8s.io/v1' }
  const attributes = { namespace, verb: 'delete', group: 'cove.run', resource: 'containers' }
  const self = await authorization.createSelfSubjectAccessReview({
    body: { ...versioned, kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: attributes } },
  })
  t.true(self.status?.allowed)
  const other = await authorization.createSubjectAccessReview({
    body: {
      ...versioned,
      kind: 'SubjectAccessReview',
      spec: { user: 'somebody', resourceAttributes: attributes },
    },
  })
  t.false(other.status?.allowed)
  const local = await authorization.createNamespacedLocalSubjectAccessReview({
    namespace,
    body: {
      ...versioned,
      kind: 'LocalSubjectAccessReview',
      spec: { user: 'somebody', groups: ['system:masters'], resourceAttributes: attributes },
    },
  })
  t.true(local.status?.allowed)
  const rules = await authorization.createSelfSubjectRulesReview({
    body: { ...versioned, kind: 'SelfSubjectRulesReview', spec: { namespace } },
  })
  t.true(rules.status?.resourceRules.some(({ verbs }) => verbs.includes('*')))
  const me = await authentication.createSelfSubjectReview({
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
  })
  t.true(me.status?.userInfo?.groups?.includes('system:masters'))
  await core.createNamespacedServiceAccount({
    namespace,
    body: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot' } },
  })
  const request = await core.createNamespacedServiceAccountToken({
    name: 'robot',
    namespace,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences: [] } },
  })
  const review = (token: string) =>
    authentication.createTokenReview({
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } },
    })
  const known = await review(request.status?.token ?? '')
  t.true(known.status?.authenticated)
  t.is(known.status?.user?.username, 'system:serviceaccount:default:robot')
  t.falsy((await review('nonsense')).status?.authenticated)
})

test('errors come as ApiExceptions with the code and the Status of the server', async (t) => {
  const { objects, config } = await open(t)
  const core = config.makeApiClient(CoreV1Api)
  const missing = await refusal(core.readNamespacedConfigMap({ name: 'nope', namespace }))
  t.is(missing.code, 404)
  t.like(missing.status, {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'configmaps "nope" not found',
    reason: 'NotFound',
    code: 404,
  })
  t.like(missing.status.details, { name: 'nope', kind: 'configmaps' })
  await objects.create(configMap('c'))
  t.deepEqual(reasonOf(await refusal(objects.create(configMap('c')))), [409, 'AlreadyExists'])
  const invalid = await refusal(objects.create(container('web', { restartPolicy: 'Sometimes' })))
  t.deepEqual(reasonOf(invalid), [422, 'Invalid'])
  t.is(invalid.status.details?.causes?.[0]?.field, 'spec.restartPolicy')
  const future = core.listNamespacedConfigMap({ namespace, resourceVersion: '999999' })
  const late = await refusal(future)
  t.deepEqual(reasonOf(late), [504, 'Timeout'])
  t.is(late.status.details?.retryAfterSeconds, 1)
  t.is(late.status.details?.causes?.[0]?.reason, 'ResourceVersionTooLarge')
  const stranger = withToken(config, 'nonsense').makeApiClient(CoreV1Api)
  // Of this one the library drops the Status.
  t.is((await refusal(stranger.listNamespace())).code, 401)
})
