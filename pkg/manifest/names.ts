/** What names may be, and what Kubernetes says of those that are none. Empty answers mean: it is one. Pure. */
import type { Kind } from '#pkg/apis/kind.ts'
import { whyNoPathSegment } from '#pkg/apis/rbac.rules.ts'

export type NameRule = 'subdomain' | NonNullable<Kind['nameRule']>

interface Shape {
  readonly expression: RegExp
  readonly text: string
  readonly longest: number
}

const labelPattern = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const subdomainPattern = String.raw`${labelPattern}(\.${labelPattern})*`

const label: Shape = {
  expression: whole(labelPattern),
  text: regexText(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    labelPattern,
    ['my-name', '123-abc'],
  ),
  longest: 63,
}

const subdomain: Shape = {
  expression: whole(subdomainPattern),
  text: regexText(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    subdomainPattern,
    ['example.com'],
  ),
  longest: 253,
}

/** `prefix`: the name goes on, so that it may end in a dash. */
export function whyNoName(rule: NameRule, name: string, { prefix = false } = {}): string[] {
  switch (rule) {
    case 'path segment':
      return whyNoPathSegment(prefix ? `${name}a` : name)
    case 'label':
      return whyNot(label, prefix ? endless(name) : name)
    default:
      return whyNot(subdomain, prefix ? endless(name) : name)
  }
}

/** The form of a namespace's name. */
export function whyNoLabel(name: string): string[] {
  return whyNot(label, name)
}

export function whyNoSubdomain(name: string): string[] {
  return whyNot(subdomain, name)
}

export function tooManyCharacters(text: string, longest: number): string[] {
  return text.length > longest ? [`must be no more than ${longest} characters`] : []
}

export function prefixed(prefix: string, messages: readonly string[]): string[] {
  return messages.map((message) => prefix + message)
}

/** Kubernetes' way to write a pattern with its examples, two blanks before each "or" included. */
export function regexText(text: string, pattern: string, examples: readonly string[]): string {
  const list = examples.map((example) => `'${example}', `).join(' or ')
  return `${text} (e.g. ${list}regex used for validation is '${pattern}')`
}

/** The pattern from the first character to the last. */
export function whole(pattern: string): RegExp {
  return new RegExp(`^(?:${pattern})$`)
}

function whyNot({ expression, text, longest }: Shape, name: string): string[] {
  const long = tooManyCharacters(name, longest)
  return expression.test(name) ? long : [...long, text]
}

/** The dash at the end of a prefix, for which something else will follow. */
function endless(prefix: string): string {
  return prefix.length > 1 && prefix.endsWith('-') ? `${prefix.slice(0, -1)}a` : prefix
}
