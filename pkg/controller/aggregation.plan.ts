/** Which rules a ClusterRole with an aggregationRule has: those of the ClusterRoles that it selects. Pure. */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { type LabelSelector, matchesLabels, type Requirement } from '#pkg/apimachinery/selector.ts'
import type { ClusterRole, LabelSelectorSpec, PolicyRule } from '#pkg/apis/rbac.ts'

/** The rules that each aggregating role should have and does not. */
export function planAggregation(
  roles: readonly ClusterRole[],
): { readonly role: ClusterRole; readonly rules: readonly PolicyRule[] }[] {
  const sorted = roles.toSorted((left, right) => (left.metadata.name < right.metadata.name ? -1 : 1))
  return sorted.flatMap((role) => {
    if (role.aggregationRule === undefined || role.metadata.deletionTimestamp !== undefined) return []
    const rules = collected(role, sorted)
    return sameJson(rules, role.rules) ? [] : [{ role, rules }]
  })
}

/** By selector, then by name, each rule once: the order must not depend on who came first. */
function collected({ metadata, aggregationRule }: ClusterRole, sorted: readonly ClusterRole[]): PolicyRule[] {
  const others = sorted.filter((other) => other.metadata.name !== metadata.name)
  const found = (aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector) => {
    const requirements = requirementsOf(selector)
    return others
      .filter((other) => requirements !== undefined && matchesLabels(requirements, other.metadata.labels))
      .flatMap(({ rules }) => rules)
  })
  return [...new Map(found.map((rule) => [JSON.stringify(rule), rule])).values()]
}

/** Undefined: it says something that selects nothing, because nobody knows what it means. */
function requirementsOf({
  matchLabels = {},
  matchExpressions = [],
}: LabelSelectorSpec): LabelSelector | undefined {
  const requirements: Requirement[] = Object.entries(matchLabels).map(([key, value]) => ({
    key,
    operator: 'In',
    values: [value],
  }))
  for (const { key, operator, values = [] } of matchExpressions) {
    if (operator === 'In' || operator === 'NotIn') requirements.push({ key, operator, values })
    else if (operator === 'Exists') requirements.push({ key, operator })
    else if (operator === 'DoesNotExist') requirements.push({ key, operator: 'NotExists' })
    else return undefined
  }
  return requirements
}
