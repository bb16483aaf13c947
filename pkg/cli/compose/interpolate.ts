/** Variables of a Compose file: `$NAME`, `${NAME:-default}`, `${NAME:?error}`, `${NAME:+other}`, and `$$`. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { CliError } from '../errors.ts'

export type Variables = (name: string) => string | undefined

export interface Interpolated {
  readonly value: unknown
  /** Names without a value and without a default, which became nothing. */
  readonly missing: ReadonlySet<string>
}

export function interpolate(value: unknown, variables: Variables): Interpolated {
  const missing = new Set<string>()
  const walk = (member: unknown): unknown => {
    if (typeof member === 'string') return replace(member, variables, missing)
    if (Array.isArray(member)) return member.map(walk)
    if (!isPlainObject(member)) return member
    return Object.fromEntries(Object.entries(member).map(([key, below]) => [key, walk(below)]))
  }
  return { value: walk(value), missing }
}

const variable = /\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-?+])|\}))/

/** Defaults may hold variables themselves, so braces are counted. */
function replace(source: string, variables: Variables, missing: Set<string>): string {
  let result = ''
  let at = 0
  for (let match = variable.exec(source); match !== null; match = variable.exec(source.slice(at))) {
    const [whole, plain, braced, operator] = match
    result += source.slice(at, at + match.index)
    at += match.index + whole.length
    const name = plain ?? braced
    if (name === undefined) result += '$'
    else if (operator === undefined) result += lookUp(name, variables, missing)
    else {
      const end = closing(source, at)
      result += choose({ name, operator, word: source.slice(at, end) }, variables, missing)
      at = end + 1
    }
  }
  return result + source.slice(at)
}

function closing(source: string, from: number): number {
  let depth = 1
  for (let at = from; at < source.length; at++) {
    if (source.startsWith('${', at)) depth++
    else if (source[at] === '}' && --depth === 0) return at
  }
  throw new CliError(`"${source}": a variable is not closed with "}"`)
}

interface Choice {
  readonly name: string
  /** With a colon an empty value counts as none. */
  readonly operator: string
  readonly word: string
}

function choose({ name, operator, word }: Choice, variables: Variables, missing: Set<string>): string {
  const found = variables(name)
  const present = found !== undefined && (found !== '' || !operator.startsWith(':'))
  const other = () => replace(word, variables, missing)
  if (operator.endsWith('+')) return present ? other() : ''
  if (present) return found
  if (operator.endsWith('-')) return other()
  throw new CliError(`variable ${name} is required: ${other() || 'it has no value'}`)
}

function lookUp(name: string, variables: Variables, missing: Set<string>): string {
  const found = variables(name)
  if (found === undefined) missing.add(name)
  return found ?? ''
}

/** Lines `NAME=VALUE` of an env file, quotes taken off; a name without `=` takes its value from around. */
export function parseEnvFile(content: string, variables: Variables): Map<string, string> {
  const found = new Map<string, string>()
  for (const line of content.split(/\r?\n/)) {
    const match = /^\s*(?:export\s+)?([^\s#=][^=\s]*)\s*(?:=\s*(.*))?$/.exec(line)
    const name = match?.[1]
    if (name === undefined) continue
    const value = match?.[2] === undefined ? variables(name) : unquote(match[2], variables)
    if (value !== undefined) found.set(name, value)
  }
  return found
}

function unquote(raw: string, variables: Variables): string {
  const single = /^'([^']*)'\s*(?:#.*)?$/.exec(raw)
  if (single !== null) return single[1] ?? ''
  const double = /^"((?:[^"\\]|\\.)*)"\s*(?:#.*)?$/.exec(raw)
  const plain = double?.[1] ?? raw.replace(/\s+#.*$/, '').trimEnd()
  const expanded = replace(plain, variables, new Set())
  const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' }
  return double === null
    ? expanded
    : expanded.replace(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter)
}
