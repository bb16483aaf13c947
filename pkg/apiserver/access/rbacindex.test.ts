import test from 'ava'
import fc from 'fast-check'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import type { PolicyRule, Role, RoleBinding, Subject } from '#pkg/apis/rbac.ts'
import { heldRbac, makeBinding, makeRole, type RbacObject, tell } from '#test/helpers/rbac.ts'
import { makeRequest } from '#test/helpers/request.ts'
import { type Attributes, attributesOf } from './attributes.ts'
import { RbacIndex } from './rbacindex.ts'

const user = (name: string, ...groups: string[]): UserInfo => ({ name, groups })
const person = (name: string): Subject => ({ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name })
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name })
const bob = user('bob', 'system:authenticated')
const resources = (verbs: string[], names: string[], more: Partial<PolicyRule> = {}): PolicyRule => ({
  verbs,
  apiGroups: [''],
  resources: names,
  ...more,
})

function holding(...objects: RbacObject[]): RbacIndex {
  const index = new RbacIndex()
  for (const object of objects) tell(index, object)
  return index
}

function may(index: RbacIndex, who: UserInfo, line: string): boolean {
  const [method = '', target = ''] = line.split(' ')
  return index.authorize(who, attributesOf(makeRequest(target, { method }))).verdict === 'allow'
}

/** Rights of bob everywhere. */
const bobHolds = (...rules: PolicyRule[]) =>
  holding(makeRole('r', rules), makeBinding('b', { role: 'r', subjects: [person('bob')] }))

const table: readonly [string, PolicyRule, readonly string[], readonly string[]][] = [
  [
    'a verb, a group and a resource are meant literally',
    resources(['get'], ['pods']),
    ['GET /api/v1/namespaces/a/pods/p'],
    [
      'GET /api/v1/namespaces/a/pods',
      'GET /api/v1/namespaces/a/pods/p/log',
      'GET /apis/cove.run/v1/namespaces/a/pods/p',
      'DELETE /api/v1/namespaces/a/pods/p',
    ],
  ],
  [
    'a subresource is another resource',
    resources(['get'], ['pods/log']),
    ['GET /api/v1/namespaces/a/pods/p/log'],
    ['GET /api/v1/namespaces/a/pods/p'],
  ],
  [
    'a star for resources includes subresources',
    resources(['get'], ['*']),
    ['GET /api/v1/namespaces/a/pods/p', 'GET /api/v1/namespaces/a/pods/p/log'],
    ['GET /apis/cove.run/v1/nodes/n'],
  ],
  [
    'a star before a subresource is that subresource of everything',
    resources(['get'], ['*/status']),
    ['GET /api/v1/namespaces/a/pods/p/status', 'GET /api/v1/namespaces/a/status'],
    ['GET /api/v1/namespaces/a/pods/p', 'GET /api/v1/namespaces/a/pods/p/log'],
  ],
  [
    'a star after a resource means nothing',
    resources(['get'], ['pods/*']),
    [],
    ['GET /api/v1/namespaces/a/pods/p', 'GET /api/v1/namespaces/a/pods/p/log'],
  ],
  [
    'stars for verbs and groups are all of them',
    { verbs: ['*'], apiGroups: ['*'], resources: ['nodes'] },
    ['DELETE /apis/cove.run/v1/nodes/n', 'GET /api/v1/nodes?watch=1'],
    ['DELETE /apis/cove.run/v1/namespaces/a/containers/c'],
  ],
  [
    'names hold for objects, and for collections of one name',
    resources(['get', 'list', 'watch', 'create', 'deletecollection'], ['secrets'], {
      resourceNames: ['db'],
    }),
    [
      'GET /api/v1/namespaces/a/secrets/db',
      'GET /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Ddb',
      'GET /api/v1/namespaces/a/secrets?watch=1&fieldSelector=metadata.name%3Ddb',
    ],
    [
      'GET /api/v1/namespaces/a/secrets/tls',
      'GET /api/v1/namespaces/a/secrets',
      'GET /api/v1/namespaces/a/secrets?watch=1',
      'GET /api/v1/namespaces/a/secrets?fieldSelector=metadata.name%3Dtls',
      'POST /api/v1/namespaces/a/secrets',
      'DELETE /api/v1/namespaces/a/secrets',
    ],
  ],
  [
    'paths are meant literally',
    { verbs: ['get'], nonResourceURLs: ['/metrics'] },
    ['GET /metrics'],
    ['GET /metrics/x', 'POST /metrics', 'GET /api/v1/pods'],
  ],
  [
    'a star at the end of a path is everything that begins so',
    { verbs: ['*'], nonResourceURLs: ['/metrics/*'] },
    ['GET /metrics/x/y', 'POST /metrics/'],
    ['GET /metrics', 'GET /'],
  ],
  ['a star alone is every path', { verbs: ['get'], nonResourceURLs: ['*'] }, ['GET /x', 'GET /'], []],
]

for (const [name, rule, yes, no] of table) {
  test(name, (t) => {
    const index = bobHolds(rule)
    for (const line of yes) t.true(may(index, bob, line), line)
    for (const line of no) t.false(may(index, bob, line), line)
    for (const line of yes) t.false(may(index, user('eve'), line), `eve: ${line}`)
  })
}

test('a RoleBinding gives rights in its namespace, whatever role it names', (t) => {
  const index = holding(
    makeRole('own', [resources(['get'], ['secrets'])], 'shop'),
    makeRole('all', [resources(['get'], ['pods', 'nodes', 'namespaces'])]),
    makeBinding('x', { role: 'own', kind: 'Role', subjects: [person('bob')], namespace: 'shop' }),
    makeBinding('y', { role: 'all', subjects: [person('bob')], namespace: 'shop' }),
    makeBinding('z', { role: 'own', kind: 'Role', subjects: [person('bob')], namespace: 'bank' }),
  )
  t.true(may(index, bob, 'GET /api/v1/namespaces/shop/secrets/s'))
  t.true(may(index, bob, 'GET /api/v1/namespaces/shop/pods/p'))
  t.true(may(index, bob, 'GET /api/v1/namespaces/shop'))
  t.false(may(index, bob, 'GET /api/v1/namespaces/bank'))
  t.false(may(index, bob, 'GET /api/v1/namespaces/bank/secrets/s'))
  t.false(may(index, bob, 'GET /api/v1/nodes/n'))
})

test('groups and service accounts hold rights as users do', (t) => {
  const index = holding(
    makeRole('r', [resources(['get'], ['pods'])]),
    makeBinding('g', { role: 'r', subjects: [group('team')] }),
    makeBinding('here', {
      role: 'r',
      subjects: [{ kind: 'ServiceAccount', name: 'robot' }],
      namespace: 'shop',
    }),
    makeBinding('there', {
      role: 'r',
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'bank' }],
      namespace: 'shop',
    }),
  )
  const line = 'GET /api/v1/namespaces/shop/pods/p'
  t.true(may(index, user('ann', 'team'), line))
  t.false(may(index, user('team', 'ann'), line))
  t.true(may(index, user('system:serviceaccount:shop:robot'), line))
  t.true(may(index, user('system:serviceaccount:bank:robot'), line))
  t.false(may(index, user('system:serviceaccount:attic:robot'), line))
})

test('what changed holds from the next decision on', (t) => {
  const index = bobHolds(resources(['get'], ['pods']))
  const [pods, secrets] = ['GET /api/v1/namespaces/a/pods/p', 'GET /api/v1/namespaces/a/secrets/s']
  t.true(may(index, bob, pods))
  tell(index, makeRole('r', [resources(['get'], ['secrets'])]))
  t.false(may(index, bob, pods))
  t.true(may(index, bob, secrets))
  tell(index, makeBinding('b', { role: 'r', subjects: [person('ann')] }))
  t.false(may(index, bob, secrets))
  t.true(may(index, user('ann'), secrets))
  tell(index, makeBinding('b', { role: 'r', subjects: [person('bob')] }))
  tell(index, makeRole('r', []), true)
  t.deepEqual(index.authorize(bob, { verb: 'get', group: '', resource: 'secrets' }), {
    verdict: 'no opinion',
    reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "r" not found',
  })
  tell(index, makeRole('r', [resources(['get'], ['secrets'])]))
  t.true(may(index, bob, secrets))
  tell(index, makeBinding('b', { role: 'r', subjects: [] }), true)
  t.deepEqual(index.authorize(bob, { verb: 'get', group: '', resource: 'secrets' }), {
    verdict: 'no opinion',
    reason: '',
  })
})

test('an allowance names the binding, the role and the subject', (t) => {
  const index = holding(
    makeRole('own', [resources(['get'], ['pods'])], 'shop'),
    makeBinding('x', {
      role: 'own',
      kind: 'Role',
      subjects: [{ kind: 'ServiceAccount', name: 'robot', namespace: 'bank' }],
      namespace: 'shop',
    }),
  )
  const asked = { verb: 'get', group: '', resource: 'pods', namespace: 'shop' }
  t.is(
    index.authorize(user('system:serviceaccount:bank:robot'), asked).reason,
    'RBAC: allowed by RoleBinding "x/shop" of Role "own" to ServiceAccount "robot/bank"',
  )
})

test('whoever may view everywhere may read what is of the cluster and for all, and change none of it', (t) => {
  const index = heldRbac()
  tell(index, makeBinding('viewers', { role: 'view', subjects: [person('view')] }))
  for (const plural of ['registries', 'prunepolicies']) {
    t.true(may(index, user('view'), `GET /apis/cove.run/v1/${plural}`))
    t.false(may(index, user('view'), `POST /apis/cove.run/v1/${plural}`))
  }
})

test('the default roles are what their names promise', (t) => {
  const index = heldRbac()
  for (const role of ['view', 'edit', 'admin'])
    tell(index, makeBinding(`${role}ers`, { role, subjects: [person(role)], namespace: 'shop' }))
  tell(index, makeBinding('masters', { role: 'cluster-admin', subjects: [person('root')] }))
  const who = (line: string) =>
    ['view', 'edit', 'admin', 'root'].filter((name) => may(index, user(name), line)).join(' ')
  const [shop, coveShop] = ['/api/v1/namespaces/shop', '/apis/cove.run/v1/namespaces/shop']
  t.is(who(`GET ${coveShop}/containers/web`), 'view edit admin root')
  t.is(who(`GET ${coveShop}/containers?watch=1`), 'view edit admin root')
  t.is(who(`GET ${coveShop}/containers/web/log`), 'view edit admin root')
  t.is(who(`GET ${shop}/pods/web/log`), 'view edit admin root')
  t.is(who(`GET ${shop}`), 'view edit admin root')
  t.is(who(`GET ${shop}/events`), 'view edit admin root')
  t.is(who(`PATCH ${coveShop}/containers/web`), 'edit admin root')
  t.is(who(`PATCH ${coveShop}/containers/web/status`), 'root')
  t.is(who(`GET ${shop}/secrets/s`), 'edit admin root')
  t.is(who(`POST ${shop}/secrets`), 'edit admin root')
  t.is(who(`POST ${shop}/events`), 'root')
  for (const stream of ['exec', 'attach', 'portforward']) {
    t.is(who(`GET ${shop}/pods/web/${stream}`), 'edit admin root')
    t.is(who(`POST ${shop}/pods/web/${stream}`), 'edit admin root')
  }
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles'
  t.is(who(`GET ${roles}`), 'admin root')
  t.is(who(`POST ${roles}`), 'admin root')
  t.is(who('GET /apis/rbac.authorization.k8s.io/v1/clusterroles'), 'root')
  t.is(who('GET /apis/cove.run/v1/nodes'), 'root')
  t.is(who(`DELETE ${shop}`), 'root')
  t.is(who(`GET ${coveShop}/builds/app/log`), 'view edit admin root')
  t.is(who(`PATCH ${coveShop}/builds/app`), 'edit admin root')
  t.is(who(`GET ${coveShop}/images/app`), 'view edit admin root')
  t.is(who(`PATCH ${coveShop}/images/app`), 'edit admin root')
  t.is(who(`GET ${coveShop}/uploads/sha256:1`), 'edit admin root')
  t.is(who(`PUT ${coveShop}/uploads/sha256:1`), 'edit admin root')
  for (const part of ['images', 'images/save', 'registry/tags', 'disk'])
    t.is(who(`GET /apis/cove.run/v1/nodes/n1/${part}`), 'root')
  t.is(who('POST /apis/cove.run/v1/nodes/n1/prune'), 'root')
  t.is(who('GET /api/v1/namespaces/bank/configmaps'), 'root')
  t.is(who('GET /metrics'), 'root')
})

const words = (...choices: string[]) => fc.subarray(choices, { minLength: 1 })
const ruleArbitrary: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record({
    verbs: words('get', 'list', '*'),
    apiGroups: words('', 'cove.run', '*'),
    resources: words('pods', 'pods/log', '*/log', '*', 'pods/*'),
    resourceNames: fc.subarray(['a', 'b']),
  }),
  fc.record({ verbs: words('get', 'post', '*'), nonResourceURLs: words('/x', '/x/*', '/x*', '*', '/') }),
)
const subjectArbitrary: fc.Arbitrary<Subject> = fc.oneof(
  fc.constantFrom('ann', 'bob', 'system:serviceaccount:n1:robot').map(person),
  fc.constantFrom('g1', 'g2').map(group),
  fc.constantFrom(undefined, 'n1', 'n2').map((namespace) => ({
    kind: 'ServiceAccount',
    name: 'robot',
    ...(namespace !== undefined && { namespace }),
  })),
)
const scope = fc.constantFrom(undefined, 'n1', 'n2')
const roleArbitrary = fc
  .record({ name: fc.constantFrom('r1', 'r2'), rules: fc.array(ruleArbitrary, { maxLength: 3 }), scope })
  .map(({ name, rules, scope }) => makeRole(name, rules, scope))
const bindingArbitrary = fc
  .record({
    name: fc.constantFrom('b1', 'b2', 'b3'),
    role: fc.constantFrom('r1', 'r2', 'r3'),
    kind: fc.constantFrom('Role' as const, 'ClusterRole' as const),
    subjects: fc.array(subjectArbitrary, { maxLength: 3 }),
    namespace: scope,
  })
  .map(({ name, role, kind, subjects, namespace }) =>
    makeBinding(name, {
      role,
      subjects,
      kind: namespace === undefined ? 'ClusterRole' : kind,
      ...(namespace !== undefined && { namespace }),
    }),
  )
const changeArbitrary = fc.record({
  object: fc.oneof<fc.Arbitrary<RbacObject>[]>(roleArbitrary, bindingArbitrary),
  gone: fc.boolean(),
})
const askedArbitrary: fc.Arbitrary<Attributes> = fc.oneof(
  fc
    .record({
      verb: fc.constantFrom('get', 'list', 'delete'),
      group: fc.constantFrom('', 'cove.run', 'other'),
      resource: fc.constantFrom('pods', 'pods/log', 'nodes', 'nodes/log', 'pods/exec'),
      namespace: scope,
      name: fc.constantFrom(undefined, 'a', 'c'),
    })
    .map(({ namespace, name, ...rest }) => ({
      ...rest,
      ...(namespace !== undefined && { namespace }),
      ...(name !== undefined && { name }),
    })),
  fc.record({
    verb: fc.constantFrom('get', 'post', 'put'),
    path: fc.constantFrom('/', '/x', '/x/y', '/xy', '/z'),
  }),
)
const userArbitrary: fc.Arbitrary<UserInfo> = fc.record({
  name: fc.constantFrom('ann', 'bob', 'system:serviceaccount:n1:robot', 'system:serviceaccount:n2:robot'),
  groups: fc.subarray(['g1', 'g2', 'ann']),
})

/** Read straight from the objects, as the documentation of Kubernetes tells the rules. */
function naive(objects: readonly RbacObject[], who: UserInfo, asked: Attributes): boolean {
  const namespace = 'path' in asked ? undefined : asked.namespace
  return objects.some((binding) => {
    if (!('roleRef' in binding)) return false
    const own = binding.metadata.namespace
    if (binding.kind === 'RoleBinding' && own !== namespace) return false
    if (!(binding.subjects ?? []).some((subject) => isSubject(subject, who, own))) return false
    return objects.some(
      (role) => 'rules' in role && isRole(role, binding) && role.rules.some((rule) => allows(rule, asked)),
    )
  })
}

function isSubject({ kind, name, namespace }: Subject, who: UserInfo, own = ''): boolean {
  if (kind === 'Group') return who.groups.includes(name)
  if (kind === 'User') return who.name === name
  const home = namespace ?? own
  return home !== '' && who.name === `system:serviceaccount:${home}:${name}`
}

function isRole(
  role: Pick<Role, 'metadata'> & { kind: string },
  { roleRef, metadata }: Pick<RoleBinding, 'roleRef' | 'metadata'>,
): boolean {
  if (role.kind !== roleRef.kind || role.metadata.name !== roleRef.name) return false
  return role.kind === 'ClusterRole' || role.metadata.namespace === metadata.namespace
}

function allows(rule: PolicyRule, asked: Attributes): boolean {
  const has = (list: readonly string[] = [], word: string) => list.includes('*') || list.includes(word)
  if (!has(rule.verbs, asked.verb)) return false
  if ('path' in asked) {
    const matches = (url: string) =>
      url === asked.path || (url.endsWith('*') && asked.path.startsWith(url.slice(0, -1)))
    return (rule.nonResourceURLs ?? []).some(matches)
  }
  const [, subresource] = asked.resource.split('/')
  const { resources = [], resourceNames = [] } = rule
  const resource =
    has(resources, asked.resource) || (subresource !== undefined && resources.includes(`*/${subresource}`))
  const named = resourceNames.length === 0 || resourceNames.includes(asked.name ?? '')
  return has(rule.apiGroups, asked.group) && resource && named
}

test('the index decides as the objects read, after every change', (t) => {
  const asks = fc.array(fc.record({ who: userArbitrary, asked: askedArbitrary }), {
    minLength: 1,
    maxLength: 6,
  })
  const property = fc.property(
    fc.array(fc.record({ change: changeArbitrary, asks }), { maxLength: 12 }),
    (steps) => {
      const index = new RbacIndex()
      const objects = new Map<string, RbacObject>()
      for (const { change, asks } of steps) {
        const { object, gone } = change
        const key = `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`
        if (gone) objects.delete(key)
        else objects.set(key, object)
        tell(index, object, gone)
        for (const { who, asked } of asks) {
          const expected = naive([...objects.values()], who, asked)
          if ((index.authorize(who, asked).verdict === 'allow') !== expected) return false
        }
      }
      return true
    },
  )
  t.notThrows(() => fc.assert(property, { numRuns: 500 }))
})
