/**
 * Whether rights hold all that others hold, and how what is missing is told. Compared piece by piece (one group, one
 * resource, one verb, one name), as Kubernetes does: a piece counts as held when one rule holds it alone. Pure.
 */
import type { PolicyRule } from '#pkg/apis/rbac.ts'

/** Beyond so many pieces a role is not compared: nobody writes one by hand, and comparing would stop the server. */
export const mostPieces = 50_000

/** How many pieces the rules fall into. */
export function piecesIn(rules: readonly PolicyRule[]): number {
  let pieces = 0
  for (const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } of rules) {
    pieces += apiGroups.length * resources.length * verbs.length * Math.max(1, resourceNames.length)
    pieces += nonResourceURLs.length * verbs.length
  }
  return pieces
}

/** The pieces of `wanted` that `held` lacks, in order. */
export function missingRights(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted
    .filter((rule) => !held.some((own) => covers(own, rule)))
    .flatMap((rule) => [...pieces(rule)].filter((piece) => !held.some((own) => covers(own, piece))))
}

/** Pieces about resources that differ in their verb only become one rule again. */
export function compactRules(rules: readonly PolicyRule[]): PolicyRule[] {
  const merged = new Map<string, PolicyRule>()
  for (const { verbs, ...rest } of rules) {
    const key = JSON.stringify(rest.nonResourceURLs === undefined ? rest : { verbs, ...rest })
    const known = merged.get(key)
    merged.set(key, { ...rest, verbs: [...new Set([...(known?.verbs ?? []), ...verbs])] })
  }
  return [...merged.values()]
}

/** `{APIGroups:["apps"], Resources:["deployments"], Verbs:["get" "list"]}`, as Kubernetes prints a rule. */
export function ruleText(rule: PolicyRule): string {
  const parts = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ] as const
  const texts = parts.flatMap(([name, words = []]) =>
    words.length === 0 ? [] : `${name}:${wordsText(words)}`,
  )
  return `{${texts.join(', ')}}`
}

/** `["a" "b"]` */
export function wordsText(words: readonly string[]): string {
  return `[${words.map((word) => JSON.stringify(word)).join(' ')}]`
}

function* pieces(rule: PolicyRule): Generator<PolicyRule> {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule
  const names = resourceNames.length === 0 ? [undefined] : resourceNames
  for (const group of apiGroups)
    for (const resource of resources)
      for (const verb of verbs)
        for (const name of names)
          yield {
            apiGroups: [group],
            resources: [resource],
            verbs: [verb],
            ...(name !== undefined && { resourceNames: [name] }),
          }
  for (const url of nonResourceURLs) for (const verb of verbs) yield { nonResourceURLs: [url], verbs: [verb] }
}

/** Whether one rule holds everything of another. */
function covers(own: PolicyRule, wanted: PolicyRule): boolean {
  const urls = wanted.nonResourceURLs ?? []
  return (
    coversWords(own.verbs, wanted.verbs) &&
    coversWords(own.apiGroups ?? [], wanted.apiGroups ?? []) &&
    (wanted.resources ?? []).every((resource) => coversResource(own.resources ?? [], resource)) &&
    coversNames(own.resourceNames ?? [], wanted.resourceNames ?? []) &&
    urls.every((url) => (own.nonResourceURLs ?? []).some((pattern) => coversUrl(pattern, url)))
  )
}

function coversWords(own: readonly string[], wanted: readonly string[]): boolean {
  return own.includes('*') || wanted.every((word) => own.includes(word))
}

function coversResource(own: readonly string[], wanted: string): boolean {
  if (own.includes('*') || own.includes(wanted)) return true
  const slash = wanted.indexOf('/')
  return slash >= 0 && own.includes(`*${wanted.slice(slash)}`)
}

/** No names at all are all names. */
function coversNames(own: readonly string[], wanted: readonly string[]): boolean {
  if (own.length === 0) return true
  return wanted.length > 0 && wanted.every((name) => own.includes(name))
}

function coversUrl(pattern: string, url: string): boolean {
  return pattern === url || (pattern.endsWith('*') && url.startsWith(pattern.replace(/\*+$/, '')))
}
