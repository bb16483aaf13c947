/** What the rules of roles allow, compiled so that a decision looks at few of them however many there are. Pure. */
import type { PolicyRule } from '#pkg/apis/rbac.ts'
import type { Attributes, ResourceAttributes } from './attributes.ts'

/** A rule, and who gave it: `ClusterRoleBinding "x" of ClusterRole "y" to User "bob"`. */
export interface Grant {
  readonly rule: PolicyRule
  readonly source: string
}

/** Rules by what they are about: `pods`, `pods/log`, `*`, `*` with a subresource; and by paths. */
export interface Rights {
  readonly grants: readonly Grant[]
  readonly resources: ReadonlyMap<string, readonly CompiledRule[]>
  readonly paths: ReadonlyMap<string, readonly CompiledRule[]>
  readonly prefixes: readonly { readonly prefix: string; readonly rule: CompiledRule }[]
}

interface CompiledRule {
  readonly verbs: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  /** Absent: every name. */
  readonly names: ReadonlySet<string> | undefined
  readonly source: string
}

export function compile(grants: readonly Grant[]): Rights {
  const resources = new Map<string, CompiledRule[]>()
  const paths = new Map<string, CompiledRule[]>()
  const prefixes: { prefix: string; rule: CompiledRule }[] = []
  for (const { rule, source } of grants) {
    const { resourceNames = [] } = rule
    const compiled: CompiledRule = {
      verbs: new Set(rule.verbs),
      groups: new Set(rule.apiGroups),
      names: resourceNames.length === 0 ? undefined : new Set(resourceNames),
      source,
    }
    for (const resource of new Set(rule.resources)) add(resources, resource, compiled)
    for (const url of new Set(rule.nonResourceURLs)) {
      if (url.endsWith('*')) prefixes.push({ prefix: url.replace(/\*+$/, ''), rule: compiled })
      else add(paths, url, compiled)
    }
  }
  return { grants, resources, paths, prefixes }
}

/** Who gave the right to do it; undefined when nobody did. */
export function sourceOf(rights: Rights, attributes: Attributes): string | undefined {
  if ('path' in attributes) return pathSource(rights, attributes.verb, attributes.path)
  const { resource } = attributes
  const slash = resource.indexOf('/')
  return (
    among(rights.resources.get(resource), attributes) ??
    among(rights.resources.get('*'), attributes) ??
    (slash < 0 ? undefined : among(rights.resources.get(`*${resource.slice(slash)}`), attributes))
  )
}

function among(
  rules: readonly CompiledRule[] | undefined,
  { verb, group, name = '' }: ResourceAttributes,
): string | undefined {
  return rules?.find(
    ({ verbs, groups, names }) =>
      has(verbs, verb) && has(groups, group) && (names === undefined || names.has(name)),
  )?.source
}

function pathSource({ paths, prefixes }: Rights, verb: string, path: string): string | undefined {
  const exact = paths.get(path)?.find(({ verbs }) => has(verbs, verb))
  if (exact !== undefined) return exact.source
  return prefixes.find(({ prefix, rule }) => path.startsWith(prefix) && has(rule.verbs, verb))?.rule.source
}

function has(words: ReadonlySet<string>, word: string): boolean {
  return words.has(word) || words.has('*')
}

function add(map: Map<string, CompiledRule[]>, key: string, rule: CompiledRule): void {
  const rules = map.get(key)
  if (rules === undefined) map.set(key, [rule])
  else rules.push(rule)
}
