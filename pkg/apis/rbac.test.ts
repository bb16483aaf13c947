import test from 'ava'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { makeRuleChecker } from './cel.ts'
import { anyKind, type Kind } from './kind.ts'
import { applyDefaults } from './normalize.ts'
import { clusterRoleBindingKind, clusterRoleKind, roleBindingKind, roleKind } from './rbac.ts'
import { validate } from './validate.ts'

const group = 'rbac.authorization.k8s.io'

/** As admission completes it. */
function completed(kind: Kind, fields: Record<string, unknown>): KubeObject {
  const object = {
    apiVersion: `${group}/v1`,
    kind: kind.kind,
    metadata: { name: 'system:x' },
    ...Object(applyDefaults(kind.schema, fields)),
  }
  return kind.prepare?.(object) ?? object
}

function refusals(kind: Kind, fields: Record<string, unknown>): string[] {
  const object = completed(kind, fields)
  const causes = [...validate(kind.schema, object), ...kind.rules.flatMap((rule) => rule(object))]
  return causes.map(({ field, message }) => `${field}: ${message}`)
}

const refusedRole = (...rules: unknown[]) => refusals(anyKind(roleKind), { rules })
const pods = { verbs: ['get'], apiGroups: [''], resources: ['pods'] }

test('a rule is about resources of a group, or about paths', (t) => {
  t.deepEqual(refusedRole(pods), [])
  t.deepEqual(refusals(anyKind(roleKind), {}), [])
  t.deepEqual(refusedRole({ apiGroups: [''] }), [
    'rules[0].verbs: Required value: verbs must contain at least one value',
    'rules[0].resources: Required value: resource rules must supply at least one resource',
  ])
  t.deepEqual(refusedRole(pods, { verbs: ['get'], resources: ['pods', 'nodes'], resourceNames: ['a'] }), [
    'rules[1].apiGroups: Required value: resource rules must supply at least one api group',
    'rules[1].resourceNames: Required value: resource names cannot apply to multiple resources',
  ])
  const paths = { verbs: ['get'], nonResourceURLs: ['/x'] }
  t.deepEqual(refusals(anyKind(clusterRoleKind), { rules: [paths] }), [])
  t.deepEqual(refusedRole(paths), [
    'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
  ])
  t.deepEqual(refusals(anyKind(clusterRoleKind), { rules: [{ ...pods, ...paths }] }), [
    'rules[0].nonResourceURLs: Invalid value: ["/x"]: rules cannot apply to both regular resources and non-resource URLs',
  ])
})

const binding = (kind: Kind, roleRef: unknown, ...subjects: unknown[]) =>
  refusals(kind, { roleRef, subjects })
const everywhere = anyKind(clusterRoleBindingKind)
const inside = anyKind(roleBindingKind)
const view = { kind: 'ClusterRole', name: 'view' }

test('a binding names a role of its reach', (t) => {
  t.deepEqual(binding(inside, { kind: 'Role', name: 'a:b' }), [])
  t.deepEqual(binding(everywhere, { kind: 'Role', name: 'r' }), [
    'roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"',
  ])
  t.deepEqual(binding(inside, { apiGroup: 'x', kind: 'User', name: 'a/b' }), [
    `roleRef.apiGroup: Unsupported value: "x": supported values: "${group}"`,
    'roleRef.kind: Unsupported value: "User": supported values: "Role", "ClusterRole"',
    'roleRef.name: Invalid value: "a/b": may not contain \'/\'',
  ])
  t.deepEqual(binding(inside, { kind: 'Role', name: '' }), ['roleRef.name: Required value'])
})

test('subjects are users, groups and service accounts, each named in full', (t) => {
  const robot = { kind: 'ServiceAccount', name: 'robot' }
  t.deepEqual(binding(inside, view, robot, { kind: 'User', name: 'Bob@x' }), [])
  t.deepEqual(binding(everywhere, view, robot), ['subjects[0].namespace: Required value'])
  t.deepEqual(binding(inside, view, { kind: 'Robot', name: 'x' }), [
    'subjects[0].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
  ])
  t.deepEqual(binding(inside, view, { ...robot, apiGroup: group }), [
    `subjects[0].apiGroup: Unsupported value: "${group}": supported values: ""`,
  ])
  t.deepEqual(binding(inside, view, { kind: 'Group', name: '' }), ['subjects[0].name: Required value'])
})

test('groups of subjects and of the role are filled in', (t) => {
  const object = completed(inside, {
    roleRef: view,
    subjects: [
      { kind: 'User', name: 'ann' },
      { kind: 'ServiceAccount', name: 'robot', apiGroup: '' },
    ],
  })
  t.like(object, {
    roleRef: { apiGroup: group, ...view },
    subjects: [
      { kind: 'User', apiGroup: group, name: 'ann' },
      { kind: 'ServiceAccount', name: 'robot' },
    ],
  })
})

test('the role of a binding stays', (t) => {
  const rules = makeRuleChecker()
  const of = (name: string) => ({
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding' as const,
    metadata: { name: 'b' },
    roleRef: { apiGroup: group, kind: 'Role', name },
  })
  const change = (before: string, after: string) =>
    rules.check(roleBindingKind.schema, of(after), { old: of(before) })
  t.deepEqual(change('a', 'a'), [])
  t.deepEqual(change('a', 'b'), [
    {
      reason: 'FieldValueInvalid',
      field: 'roleRef',
      message: 'Invalid value: "Role/b": cannot change roleRef',
    },
  ])
})

test('a binding is shown with its role, and widely with its subjects by kind', (t) => {
  const cells = Object.fromEntries(
    roleBindingKind.columns.map(({ name, cell }) => [
      name,
      cell(
        {
          apiVersion: `${group}/v1`,
          kind: 'RoleBinding',
          metadata: { name: 'b', namespace: 'shop' },
          roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
          subjects: [
            { kind: 'User', name: 'ann' },
            { kind: 'User', name: 'bob' },
            { kind: 'Group', name: 'team' },
            { kind: 'ServiceAccount', name: 'robot' },
          ],
        },
        0,
      ),
    ]),
  )
  t.like(cells, {
    Role: 'ClusterRole/view',
    Users: 'ann, bob',
    Groups: 'team',
    ServiceAccounts: 'shop/robot',
  })
})
