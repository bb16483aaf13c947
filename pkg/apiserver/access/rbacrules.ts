/** What the rules of roles allow, compiled so that a decision looks at few of them however many there are. Pure. */
import type { PolicyRule } from '#pkg/apis/rbac.ts'
import type { Attributes, ResourceAttributes } from './attributes.ts'

/** A rule as decisions read it; made once for all who hold it. */
export interface CompiledRule {
  readonly rule: PolicyRule
  readonly verbs: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  /** Absent: every name. */
  readonly names: ReadonlySet<string> | undefined
}

/** A rule, and who gave it: `ClusterRoleBinding "x" of ClusterRole "y" to User "bob"`. */
export interface Grant {
  readonly rule: CompiledRule
  readonly source: string
}

/** Rules by what they are about: `pods`, `pods/log`, `*`, `*` with a subresource; and by paths. */
export interface Rights {
  readonly resources: ReadonlyMap<string, readonly Grant[]>
  readonly paths: ReadonlyMap<string, readonly Grant[]>
  readonly prefixes: readonly { readonly prefix: string; readonly grant: Grant }[]
}

export function compileRule(rule: PolicyRule): CompiledRule {
  const { verbs, apiGroups, resourceNames = [] } = rule
  const names = resourceNames.length === 0 ? undefined : new Set(resourceNames)
  return { rule, verbs: new Set(verbs), groups: new Set(apiGroups), names }
}

export function makeRights(grants: readonly Grant[]): Rights {
  const resources = new Map<string, Grant[]>()
  const paths = new Map<string, Grant[]>()
  const prefixes: { prefix: string; grant: Grant }[] = []
  for (const grant of grants) {
    const { resources: about = [], nonResourceURLs = [] } = grant.rule.rule
    for (const resource of about) add(resources, resource, grant)
    for (const url of nonResourceURLs) {
      if (url.endsWith('*')) prefixes.push({ prefix: url.replace(/\*+$/, ''), grant })
      else add(paths, url, grant)
    }
  }
  return { resources, paths, prefixes }
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
  grants: readonly Grant[] | undefined,
  { verb, group, name = '' }: ResourceAttributes,
): string | undefined {
  if (grants === undefined) return undefined
  for (const { rule, source } of grants) {
    const { verbs, groups, names } = rule
    if (has(verbs, verb) && has(groups, group) && (names === undefined || names.has(name))) return source
  }
  return undefined
}

function pathSource({ paths, prefixes }: Rights, verb: string, path: string): string | undefined {
  const exact = paths.get(path)?.find(({ rule }) => has(rule.verbs, verb))
  if (exact !== undefined) return exact.source
  return prefixes.find(({ prefix, grant }) => path.startsWith(prefix) && has(grant.rule.verbs, verb))?.grant
    .source
}

function has(words: ReadonlySet<string>, word: string): boolean {
  return words.has(word) || words.has('*')
}

function add(map: Map<string, Grant[]>, key: string, grant: Grant): void {
  const grants = map.get(key)
  if (grants === undefined) map.set(key, [grant])
  else grants.push(grant)
}
