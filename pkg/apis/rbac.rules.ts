/** What a Role or a binding must hold beyond its schema; rules and words are Kubernetes' own. Pure. */
import type { Cause } from '#pkg/apimachinery/errors.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'

interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

interface Subject {
  readonly kind: string
  readonly apiGroup?: string
  readonly name: string
  readonly namespace?: string
}

interface Binding {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string }
  readonly subjects?: readonly Subject[]
}

export function roleRules(rules: readonly PolicyRule[], namespaced: boolean): Cause[] {
  return rules.flatMap((rule, index) => policyRule(rule, namespaced, `rules[${index}]`))
}

function policyRule(rule: PolicyRule, namespaced: boolean, at: string): Cause[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const causes = verbs.length === 0 ? [required(`${at}.verbs`, 'verbs must contain at least one value')] : []
  if (nonResourceURLs.length > 0) return [...causes, ...urlRule(rule, namespaced, `${at}.nonResourceURLs`)]
  if (apiGroups.length === 0)
    causes.push(required(`${at}.apiGroups`, 'resource rules must supply at least one api group'))
  if (resources.length === 0)
    causes.push(required(`${at}.resources`, 'resource rules must supply at least one resource'))
  if (resourceNames.length > 0 && resources.length > 1)
    causes.push(required(`${at}.resourceNames`, 'resource names cannot apply to multiple resources'))
  return causes
}

function urlRule(rule: PolicyRule, namespaced: boolean, field: string): Cause[] {
  const { apiGroups = [], resources = [], resourceNames = [], nonResourceURLs } = rule
  const causes: Cause[] = []
  if (namespaced)
    causes.push(wrong(field, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'))
  if (apiGroups.length > 0 || resources.length > 0 || resourceNames.length > 0)
    causes.push(
      wrong(field, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'),
    )
  return causes
}

export function bindingRules({ roleRef, subjects = [] }: Binding, namespaced: boolean): Cause[] {
  const kinds = namespaced ? ['Role', 'ClusterRole'] : ['ClusterRole']
  return [
    ...(roleRef.apiGroup === rbacGroup
      ? []
      : [unsupported('roleRef.apiGroup', roleRef.apiGroup, [rbacGroup])]),
    ...(kinds.includes(roleRef.kind) ? [] : [unsupported('roleRef.kind', roleRef.kind, kinds)]),
    ...roleName(roleRef.name),
    ...subjects.flatMap((subject, index) => subjectRules(subject, namespaced, `subjects[${index}]`)),
  ]
}

/** Why the text cannot be one segment of a path; the names of Roles and bindings may be anything else. Empty: it can. */
export function whyNoPathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`]
  return ['/', '%'].filter((character) => name.includes(character)).map((bad) => `may not contain '${bad}'`)
}

function roleName(name: string): Cause[] {
  if (name === '') return [required('roleRef.name', '')]
  return whyNoPathSegment(name).map((why) => wrong('roleRef.name', name, why))
}

const accountName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/

function subjectRules(subject: Subject, namespaced: boolean, at: string): Cause[] {
  const { kind, name, apiGroup = '' } = subject
  const nameless = name === '' ? [required(`${at}.name`, '')] : []
  switch (kind) {
    case 'ServiceAccount':
      return [...nameless, ...accountRules(subject, namespaced, at)]
    case 'User':
    case 'Group':
      return [
        ...nameless,
        ...(apiGroup === rbacGroup ? [] : [unsupported(`${at}.apiGroup`, apiGroup, [rbacGroup])]),
      ]
    default:
      return [...nameless, unsupported(`${at}.kind`, kind, ['ServiceAccount', 'User', 'Group'])]
  }
}

function accountRules(subject: Subject, namespaced: boolean, at: string): Cause[] {
  const { name, apiGroup = '', namespace = '' } = subject
  const causes: Cause[] = []
  if (name !== '' && !(accountName.test(name) && name.length <= 253))
    causes.push(
      wrong(
        `${at}.name`,
        name,
        'must consist of lower case letters, digits, "-" and ".", as names of DNS do',
      ),
    )
  if (apiGroup !== '') causes.push(unsupported(`${at}.apiGroup`, apiGroup, ['']))
  if (!namespaced && namespace === '') causes.push(required(`${at}.namespace`, ''))
  return causes
}

function required(field: string, why: string): Cause {
  return {
    reason: 'FieldValueRequired',
    field,
    message: why === '' ? 'Required value' : `Required value: ${why}`,
  }
}

function wrong(field: string, value: unknown, why: string): Cause {
  return { reason: 'FieldValueInvalid', field, message: `Invalid value: ${JSON.stringify(value)}: ${why}` }
}

function unsupported(field: string, value: string, supported: readonly string[]): Cause {
  const list = supported.map((word) => JSON.stringify(word)).join(', ')
  const message = `Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`
  return { reason: 'FieldValueNotSupported', field, message }
}
