import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { anyKind } from '#pkg/apis/kind.ts'
import {
  clusterRoleBindingKind,
  clusterRoleKind,
  type PolicyRule,
  roleBindingKind,
  roleKind,
} from '#pkg/apis/rbac.ts'
import { heldRbac, makeBinding, makeRole, type RbacObject, tell } from '#test/helpers/rbac.ts'
import { inOrder, mastersMay } from './authorizer.ts'
import { refuseEscalation } from './escalation.ts'
import { compactRules, missingRights, piecesIn, ruleText } from './rbaccover.ts'

const ann: UserInfo = { name: 'ann', groups: ['devs', 'system:authenticated'] }
const subjects = [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'bob' }]
const pods: PolicyRule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods'] }
const nodes: PolicyRule = { verbs: ['get', 'delete'], apiGroups: ['cove.run'], resources: ['nodes'] }
const kinds = {
  Role: anyKind(roleKind),
  ClusterRole: anyKind(clusterRoleKind),
  RoleBinding: anyKind(roleBindingKind),
  ClusterRoleBinding: anyKind(clusterRoleBindingKind),
}

/** A server on which ann is admin of the namespace shop, and holds `more` everywhere. */
function world(more: PolicyRule[] = []) {
  const rbac = heldRbac()
  const annAlone = [{ ...subjects[0], kind: 'User', name: 'ann' }]
  tell(rbac, makeBinding('ann', { role: 'admin', subjects: annAlone, namespace: 'shop' }))
  tell(rbac, makeRole('more', more))
  tell(rbac, makeBinding('more', { role: 'more', subjects: annAlone }))
  const admit = refuseEscalation({ rbac, authorize: inOrder(mastersMay, rbac.authorize) })
  return {
    rbac,
    write: (object: RbacObject, before?: RbacObject, user = ann) =>
      admit(user, {
        kind: kinds[object.kind],
        object: { ...object },
        ...(before && { before: { ...before } }),
      }),
  }
}

test('whoever holds the rights may put them into a role', (t) => {
  const { write } = world([nodes])
  t.notThrows(() => write(makeRole('r', [pods, nodes], 'shop')))
  t.notThrows(() => write(makeRole('r', [nodes])))
})

test('rights that one does not hold are refused, told as Kubernetes tells them', (t) => {
  const { write } = world()
  const error = t.throws(() => write(makeRole('r', [pods, nodes], 'shop')))
  t.true(isReason(error, 'Forbidden'))
  t.is(
    error?.message,
    `roles.rbac.authorization.k8s.io "r" is forbidden: user "ann" (groups=["devs" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:
{APIGroups:["cove.run"], Resources:["nodes"], Verbs:["get" "delete"]}`,
  )
  t.throws(() => write(makeRole('r', [pods], 'bank')), { message: /not currently held/ })
  t.throws(() => write(makeRole('r', [pods])), { message: /not currently held/ })
})

test('a change is looked at whole, its labels included, and upkeep is not', (t) => {
  const { write } = world()
  const role = makeRole('r', [nodes], 'shop')
  const labelled = { ...role, metadata: { ...role.metadata, labels: { a: 'b' } } }
  t.throws(() => write(labelled, role), { message: /not currently held/ })
  const leaving = { ...role, metadata: { ...role.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } }
  t.notThrows(() => write(leaving, role))
  t.notThrows(() => write({ ...role, metadata: { ...role.metadata, finalizers: ['x/y'] } }, role))
})

test('the verb escalate stands for all rights', (t) => {
  const escalate = (more: Partial<PolicyRule>) => ({
    verbs: ['escalate'],
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterroles'],
    ...more,
  })
  t.notThrows(() => world([escalate({})]).write(makeRole('r', [nodes])))
  t.notThrows(() => world([escalate({ resourceNames: ['r'] })]).write(makeRole('r', [nodes])))
  t.throws(() => world([escalate({ resourceNames: ['x'] })]).write(makeRole('r', [nodes])))
})

test('a binding needs the rights of its role, or the verb bind', (t) => {
  const view = makeBinding('b', { role: 'view', subjects, namespace: 'shop' })
  t.notThrows(() => world().write(view))
  const everywhere = makeBinding('b', { role: 'view', subjects })
  t.throws(() => world().write(everywhere), { message: /^clusterrolebindings.*not currently held/ })
  const root = makeBinding('b', { role: 'cluster-admin', subjects, namespace: 'shop' })
  const error = t.throws(() => world().write(root))
  t.true(
    error?.message.endsWith(`not currently held:
{APIGroups:["*"], Resources:["*"], Verbs:["*"]}
{NonResourceURLs:["*"], Verbs:["*"]}`),
  )
  const bind: PolicyRule = {
    verbs: ['bind'],
    apiGroups: ['rbac.authorization.k8s.io'],
    resources: ['clusterroles'],
    resourceNames: ['cluster-admin'],
  }
  t.notThrows(() => world([bind]).write(root))
  t.throws(() => world([bind]).write(everywhere))
  const lost = t.throws(() => world().write(makeBinding('b', { role: 'x', subjects, namespace: 'shop' })))
  t.is(lost?.message, 'clusterroles.rbac.authorization.k8s.io "x" not found')
})

test('collecting rules of other roles needs every right there is', (t) => {
  const role = {
    ...makeRole('r', []),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] },
  }
  const error = t.throws(() => world([nodes]).write(role))
  t.regex(error?.message ?? '', /must have cluster-admin privileges to use an aggregationRule$/)
  t.throws(() => world([nodes]).write(makeRole('r', []), role))
  const all: PolicyRule[] = [
    { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
    { verbs: ['*'], nonResourceURLs: ['*'] },
  ]
  t.notThrows(() => world(all).write(role))
})

test('system:masters gives what it likes, and a role too large to compare is refused', (t) => {
  const { write } = world()
  const master = { name: 'root', groups: ['system:masters'] }
  t.notThrows(() => write(makeRole('r', [nodes]), undefined, master))
  const many = Array.from({ length: 300 }, (_, index) => `w${index}`)
  const large: PolicyRule = { verbs: many, apiGroups: [''], resources: many }
  t.is(piecesIn([large]), 90_000)
  t.throws(() => write(makeRole('r', [large])), { message: /too many to compare/ })
})

test('what covers what is as Kubernetes says', (t) => {
  const lacking = (held: PolicyRule, wanted: PolicyRule) =>
    compactRules(missingRights([held], [wanted])).map(ruleText)
  const all: PolicyRule = { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }
  t.deepEqual(lacking(all, pods), [])
  t.deepEqual(lacking(all, { verbs: ['get'], nonResourceURLs: ['/x'] }), [
    '{NonResourceURLs:["/x"], Verbs:["get"]}',
  ])
  const named = { ...pods, resourceNames: ['a', 'b'] }
  t.deepEqual(lacking(pods, named), [])
  t.deepEqual(lacking(named, pods), ['{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}'])
  t.deepEqual(lacking({ ...named, resourceNames: ['a'] }, named), [
    '{APIGroups:[""], Resources:["pods"], ResourceNames:["b"], Verbs:["get" "list"]}',
  ])
  const status: PolicyRule = { verbs: ['get'], apiGroups: [''], resources: ['pods/status'] }
  t.deepEqual(lacking({ ...status, resources: ['*/status'] }, status), [])
  t.deepEqual(lacking(pods, status).length, 1)
  const paths: PolicyRule = { verbs: ['get'], nonResourceURLs: ['/a/*'] }
  t.deepEqual(lacking(paths, { verbs: ['get'], nonResourceURLs: ['/a/b', '/a/b/*'] }), [])
  t.is(lacking(paths, { verbs: ['get'], nonResourceURLs: ['/a'] }).length, 1)
})
