/** Who may do what, as Kubernetes has it: Role and ClusterRole list rights, their bindings give them to subjects. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Column, Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { bindingRules, rbacGroup, roleRules } from './rbac.rules.ts'
import { atomicList, rules as kept, stringMap } from './schema.ts'

const group = { group: rbacGroup, version: 'v1' } as const
const strings = (description: string) => Type.Optional(atomicList(Type.String(), { description }))

const policyRule = Type.Object({
  verbs: Type.Array(Type.String(), {
    default: [],
    'x-kubernetes-list-type': 'atomic',
    description: 'What may be done: get, list, watch, create, update, patch, delete, ...; "*" is everything.',
  }),
  apiGroups: strings('The groups of the resources; "" is the core group, "*" every group.'),
  resources: strings(
    'With what, in the plural; "pods/log" is a subresource, "*/status" one of every resource, "*" everything.',
  ),
  resourceNames: strings('Only objects of these names; absent: of every name.'),
  nonResourceURLs: strings(
    'Paths that are no resources; a path may end in "*". Only in a ClusterRole that a ClusterRoleBinding gives.',
  ),
})

const requirement = Type.Object({
  key: Type.String({ description: 'The key of the label.' }),
  operator: Type.String({ description: 'In, NotIn, Exists or DoesNotExist.' }),
  values: strings('The values, for In and NotIn.'),
})

const labelSelector = Type.Object({
  matchLabels: Type.Optional(stringMap({ description: 'Labels that must be there with these values.' })),
  matchExpressions: Type.Optional(atomicList(requirement, { description: 'All of these must hold.' })),
})

const aggregationRule = Type.Object(
  {
    clusterRoleSelectors: Type.Optional(
      atomicList(labelSelector, { description: 'ClusterRoles that any of these selects are collected.' }),
    ),
  },
  { description: 'The rules are collected from other ClusterRoles, and what is written to them is lost.' },
)

const subject = Type.Object({
  kind: Type.String({ description: 'User, Group or ServiceAccount.' }),
  apiGroup: Type.Optional(
    Type.String({ description: `Absent: ${rbacGroup} for User and Group, "" for ServiceAccount.` }),
  ),
  name: Type.String({ description: 'The name.' }),
  namespace: Type.Optional(
    Type.String({ description: 'Of a ServiceAccount; absent in a RoleBinding: its own.' }),
  ),
})

/** A binding to another role is another binding: who may change subjects may not change what they get. */
const roleRef = Type.Object(
  {
    apiGroup: Type.String({ default: rbacGroup, description: 'The group of the role.' }),
    kind: Type.String({ description: 'Role or ClusterRole.' }),
    name: Type.String({ description: 'The name of the role.' }),
  },
  {
    description: 'The role that is given. Cannot be changed.',
    ...kept({
      rule: 'self == oldSelf',
      message: 'cannot change roleRef',
      messageExpression: `'Invalid value: "' + self.kind + '/' + self.name + '": cannot change roleRef'`,
    }),
  },
)

const rules = atomicList(policyRule, {
  default: [],
  description: 'What is allowed; nothing is ever forbidden.',
})
const subjects = Type.Optional(atomicList(subject, { description: 'Who is given the role.' }))

export type PolicyRule = Static<typeof policyRule>
export type LabelSelectorSpec = Static<typeof labelSelector>
export type Subject = Static<typeof subject>
export type RoleRef = Static<typeof roleRef>

export interface Role extends KubeObject {
  kind: 'Role'
  rules: PolicyRule[]
}

export interface ClusterRole extends KubeObject {
  kind: 'ClusterRole'
  rules: PolicyRule[]
  aggregationRule?: Static<typeof aggregationRule>
}

export interface RoleBinding extends KubeObject {
  kind: 'RoleBinding'
  subjects?: Subject[]
  roleRef: RoleRef
}

export interface ClusterRoleBinding extends KubeObject {
  kind: 'ClusterRoleBinding'
  subjects?: Subject[]
  roleRef: RoleRef
}

const common = {
  ...group,
  shortNames: [],
  categories: [],
  nameRule: 'path segment',
  statusSubresource: false,
  selectableFields: [],
} as const

const createdColumn: Column<KubeObject> = {
  name: 'Created At',
  type: 'date',
  description: 'When it was created.',
  cell: ({ metadata }) => metadata.creationTimestamp ?? '',
}

export const roleKind: Kind<Role> = {
  ...common,
  kind: 'Role',
  plural: 'roles',
  singular: 'role',
  namespaced: true,
  description: 'Role lists rights within a namespace, which a RoleBinding gives to subjects.',
  schema: objectSchema({ rules }),
  columns: [createdColumn],
  rules: [({ rules }) => roleRules(rules, true)],
}

export const clusterRoleKind: Kind<ClusterRole> = {
  ...common,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  singular: 'clusterrole',
  namespaced: false,
  description:
    'ClusterRole lists rights, which a ClusterRoleBinding gives everywhere and a RoleBinding in its namespace.',
  schema: objectSchema({ rules, aggregationRule: Type.Optional(aggregationRule) }),
  columns: [createdColumn],
  rules: [({ rules }) => roleRules(rules, false)],
}

type Binding = RoleBinding | ClusterRoleBinding

export const roleBindingKind: Kind<RoleBinding> = {
  ...common,
  kind: 'RoleBinding',
  plural: 'rolebindings',
  singular: 'rolebinding',
  namespaced: true,
  description: 'RoleBinding gives the rights of a Role or ClusterRole to subjects, within its namespace.',
  schema: objectSchema({ subjects, roleRef }, ['roleRef']),
  columns: bindingColumns(),
  prepare: withSubjectGroups,
  rules: [(binding) => bindingRules(binding, true)],
}

export const clusterRoleBindingKind: Kind<ClusterRoleBinding> = {
  ...common,
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  singular: 'clusterrolebinding',
  namespaced: false,
  description: 'ClusterRoleBinding gives the rights of a ClusterRole to subjects, everywhere.',
  schema: objectSchema({ subjects, roleRef }, ['roleRef']),
  columns: bindingColumns(),
  prepare: withSubjectGroups,
  rules: [(binding) => bindingRules(binding, false)],
}

function withSubjectGroups<T extends Binding>(binding: T): T {
  if (binding.subjects === undefined) return binding
  const subjects = binding.subjects.map(({ apiGroup = '', ...subject }) => {
    const named = apiGroup === '' && (subject.kind === 'User' || subject.kind === 'Group')
    const own = named ? rbacGroup : apiGroup
    return own === '' ? subject : { ...subject, apiGroup: own }
  })
  return { ...binding, subjects }
}

function bindingColumns(): readonly Column<Binding>[] {
  const names = (name: string, kind: string): Column<Binding> => ({
    name,
    type: 'string',
    description: `Of the subjects the ${name.toLowerCase()}.`,
    wide: true,
    cell: ({ subjects = [], metadata }) =>
      subjects
        .filter((subject) => subject.kind === kind)
        .map((subject) =>
          kind === 'ServiceAccount' ? accountName(subject, metadata.namespace) : subject.name,
        )
        .join(', '),
  })
  return [
    {
      name: 'Role',
      type: 'string',
      description: 'The role that is given.',
      cell: ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`,
    },
    ageColumn,
    names('Users', 'User'),
    names('Groups', 'Group'),
    names('ServiceAccounts', 'ServiceAccount'),
  ]
}

function accountName({ namespace, name }: Subject, own = ''): string {
  return `${namespace ?? own}/${name}`
}
