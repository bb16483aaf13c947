/**
 * One pattern of a .dockerignore, with the meaning that docker's client gives it: Go's filepath.Match with `**`, made into
 * a regular expression of Go, whose odd corners (`^` at the start, `*` inside brackets) are a part of the rules. Pure.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { matchesGoPattern } from './gopattern.ts'
import { linearExpression, looseParts } from './linearexpression.ts'

export type PathTest = (path: string) => boolean

/**
 * Throws BadRequest for a pattern that docker refuses; some it refuses when it first compares them with a path, if ever,
 * and so does the test then.
 */
export function compilePattern(pattern: string): PathTest {
  // All that docker asks beforehand.
  if (matchesGoPattern(pattern, '.') === undefined) throw refused(pattern)
  const { kind, source } = goExpression(pattern)
  if (kind === 'exact') return (path) => path === pattern
  if (kind === 'prefix') {
    const prefix = pattern.slice(0, -2)
    return (path) => path.startsWith(prefix)
  }
  if (kind === 'suffix') {
    const suffix = pattern.slice(2)
    const own = suffix.startsWith('/') ? suffix.slice(1) : undefined
    return (path) => path.endsWith(suffix) || path === own
  }
  let test: PathTest | undefined
  return (path) => {
    test ??= expressionTest(ourExpression(source, pattern), pattern)
    return test(path)
  }
}

/** Then going back and trying again takes no time that anybody would notice. */
const mostLoose = 2
const longestQuick = 512

function expressionTest(expression: RegExp, pattern: string): PathTest {
  const loose = looseParts(expression.source)
  let linear: PathTest | undefined
  return (path) => {
    if (loose < mostLoose || (loose === mostLoose && path.length <= longestQuick))
      return expression.test(path)
    linear ??= linearExpression(expression.source)
    if (linear === undefined) throw badRequest(`the pattern ${JSON.stringify(pattern)} is too large`)
    return linear(path)
  }
}

function refused(pattern: string): Error {
  return badRequest(`syntax error in the pattern ${JSON.stringify(pattern)}`)
}

interface GoExpression {
  /** Short ways that are taken when nothing but text is left beside the `**`. */
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'expression'
  readonly source: string
}

/** What it escapes; that `|`, `{` and `}` are not among them is a rule by now. */
const literalInGo = '.+()$'

/** What docker's client would hand to Go's regexp. */
function goExpression(pattern: string): GoExpression {
  const chars = [...pattern]
  let kind: GoExpression['kind'] = 'exact'
  let source = '^'
  for (let at = 0; at < chars.length; ) {
    const step = stepAt(chars, at)
    const isLastOfText: boolean = step.source === anythingBelow && kind === 'exact'
    if (step.isMore) kind = isLastOfText ? 'prefix' : 'expression'
    if (at === 0 && step.isStars) kind = 'suffix'
    source += step.source
    at += step.taken
  }
  return { kind, source: `${source}$` }
}

const anythingBelow = '.*'

interface Step {
  readonly source: string
  /** How many characters of the pattern it stands for. */
  readonly taken: number
  /** Whether it stands for more than itself. */
  readonly isMore?: boolean
  readonly isStars?: boolean
}

function stepAt(chars: readonly string[], at: number): Step {
  const char = chars[at] ?? ''
  const next = chars[at + 1] ?? ''
  if (char === '*' && next === '*') {
    const taken = chars[at + 2] === '/' ? 3 : 2
    const source = at + taken >= chars.length ? anythingBelow : '(.*/)?'
    return { source, taken, isMore: true, isStars: true }
  }
  if (literalInGo.includes(char)) return { source: `\\${char}`, taken: 1 }
  if (char === '\\') return { source: `\\${next}`, taken: 2, isMore: next !== '' }
  return { source: oneOf[char] ?? char, taken: 1, isMore: '*?[]'.includes(char) }
}

const oneOf: Readonly<Record<string, string>> = { '*': '[^/]*', '?': '[^/]' }

/** Go's expression as one of JavaScript, character by character of Unicode. */
function ourExpression(source: string, pattern: string): RegExp {
  const chars = [...source]
  let made = ''
  for (let at = 0; at < chars.length; ) {
    const part = chars[at] === '[' ? bracketsAt(chars, at, pattern) : characterAt(chars, at, pattern)
    made += part.made
    at = part.end
  }
  try {
    return new RegExp(made, 'u')
  } catch (error) {
    // A range the wrong way round, which Go refuses as well.
    if (error instanceof SyntaxError) throw refused(pattern)
    throw error
  }
}

interface Part {
  readonly made: string
  readonly end: number
}

function characterAt(chars: readonly string[], at: number, pattern: string): Part {
  const char = chars[at] ?? ''
  if (char === '\\') return { made: escaped(chars[at + 1] ?? '', { isInside: false, pattern }), end: at + 2 }
  const repeat = char === '{' ? repeatOf(chars.slice(at).join(''), pattern) : undefined
  if (repeat !== undefined) return { made: repeat, end: at + repeat.length }
  return { made: outside(char), end: at + 1 }
}

const mostRepeats = 1000

/** `{2}`, `{2,}`, `{2,3}`; in Go other braces are text. */
function repeatOf(text: string, pattern: string): string | undefined {
  const match = /^\{(0|[1-9]\d*)(?:,(0|[1-9]\d*)?)?\}/.exec(text)
  if (match === null) return undefined
  if (Number(match[1]) > mostRepeats || Number(match[2] ?? 0) > mostRepeats) throw refused(pattern)
  return match[0]
}

/** From the opening bracket to behind the one that closes. */
function bracketsAt(chars: readonly string[], start: number, pattern: string): Part {
  let at = start + 1
  let made = '['
  if (chars[at] === '^') made += chars[at++]
  // Right after the opening a closing one is a character like others.
  for (const first = at; at === first || chars[at] !== ']'; ) {
    const member = memberAt(chars, at, pattern)
    if (member === undefined) throw refused(pattern)
    made += member.made
    at = member.end
  }
  return { made: `${made}]`, end: at + 1 }
}

/** Undefined: there is none, the brackets do not close. */
function memberAt(chars: readonly string[], at: number, pattern: string): Part | undefined {
  const char = chars[at]
  if (char === undefined) return undefined
  if (char === '\\') return { made: escaped(chars[at + 1] ?? '', { isInside: true, pattern }), end: at + 2 }
  const named = char === '[' ? namedClass(chars.slice(at).join('')) : undefined
  if (named !== undefined) return { made: posixClass(named.name, pattern), end: at + named.length }
  return { made: '[]/'.includes(char) ? `\\${char}` : char, end: at + 1 }
}

function outside(char: string): string {
  // What Go takes for "any", and for text.
  if (char === '.') return '[^\\n]'
  // It may be repeated there.
  if (char === '^') return '(?:^)'
  return ']{}'.includes(char) ? `\\${char}` : char
}

const goEscapes: Readonly<Record<string, string>> = {
  a: '\\x07',
  f: '\\f',
  t: '\\t',
  n: '\\n',
  r: '\\r',
  v: '\\v',
  d: '0-9',
  s: '\\t\\n\\f\\r ',
  w: '0-9A-Za-z_',
}

/** What a backslash makes of the character after it. */
function escaped(
  char: string,
  { isInside, pattern }: { readonly isInside: boolean; readonly pattern: string },
): string {
  if (/^[!-/:-@[-`{-~ ]$/.test(char)) return literal(char)
  const known = Object.hasOwn(goEscapes, char) ? (goEscapes[char] ?? '') : undefined
  if (known !== undefined) return isInside || !'dsw'.includes(char) ? known : `[${known}]`
  const opposite = 'DSW'.includes(char) && !isInside ? goEscapes[char.toLowerCase()] : undefined
  if (opposite !== undefined) return `[^${opposite}]`
  const place = isInside ? undefined : { A: '(?:^)', z: '(?:$)', b: '(?:\\b)', B: '(?:\\B)' }[char]
  if (place === undefined) throw refused(pattern)
  return place
}

function literal(char: string): string {
  return `\\x${(char.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`
}

function namedClass(text: string): { readonly name: string; readonly length: number } | undefined {
  const match = /^\[:(\^?\w+):\]/.exec(text)
  return match?.[1] === undefined ? undefined : { name: match[1], length: match[0].length }
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7f',
  blank: '\\t ',
  cntrl: '\\x00-\\x1f\\x7f',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
}

function posixClass(name: string, pattern: string): string {
  const found = Object.hasOwn(posixClasses, name) ? posixClasses[name] : undefined
  if (found === undefined) throw refused(pattern)
  return found
}
