/**
 * One pattern of a .dockerignore, with the meaning that docker's client gives it: Go's filepath.Match with `**`, made into
 * a regular expression of Go, whose odd corners (`^` at the start, `*` inside brackets) are a part of the rules. Pure.
 */
import { badRequest } from '#pkg/apimachinery/errors.ts'
import { isGoPattern } from './gopattern.ts'

export type PathTest = (path: string) => boolean

/** Throws BadRequest for a pattern that docker refuses. */
export function compilePattern(pattern: string): PathTest {
  if (!isGoPattern(pattern)) throw refused(pattern)
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
  const expression = ourExpression(source, pattern)
  return (path) => expression.test(path)
}

function refused(pattern: string): Error {
  return badRequest(`syntax error in the pattern ${JSON.stringify(pattern)}`)
}

interface GoExpression {
  /** Short ways that are taken when nothing but text is left beside the `**`. */
  readonly kind: 'exact' | 'prefix' | 'suffix' | 'expression'
  readonly source: string
}

const literalInGo = '.+()|{}$'

/** What docker's client would hand to Go's regexp. */
function goExpression(pattern: string): GoExpression {
  const chars = [...pattern]
  let kind: GoExpression['kind'] = 'exact'
  let source = '^'
  let at = 0
  for (let round = 0; at < chars.length; round++) {
    const char = chars[at++] ?? ''
    if (char === '*' && chars[at] === '*') {
      at += chars[at + 1] === '/' ? 2 : 1
      const isLast = at >= chars.length
      source += isLast ? '.*' : '(.*/)?'
      kind = isLast && kind === 'exact' ? 'prefix' : 'expression'
      if (round === 0) kind = 'suffix'
    } else if (literalInGo.includes(char)) {
      source += `\\${char}`
    } else if (char === '\\') {
      source += `\\${chars[at++] ?? ''}`
      kind = 'expression'
    } else {
      source += oneOf[char] ?? char
      if ('*?[]'.includes(char)) kind = 'expression'
    }
  }
  return { kind, source: `${source}$` }
}

const oneOf: Readonly<Record<string, string>> = { '*': '[^/]*', '?': '[^/]' }

/** Go's expression as one of JavaScript, character by character of Unicode. */
function ourExpression(source: string, pattern: string): RegExp {
  const chars = [...source]
  let made = ''
  let isInside = false
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? ''
    if (char === '\\') made += escaped(chars[++at] ?? '', { isInside, pattern })
    else if (isInside) {
      const named = char === '[' && chars[at + 1] === ':' ? namedClass(chars.slice(at).join('')) : undefined
      if (named !== undefined) at += named.length - 1
      made += named === undefined ? inside(char) : posixClass(named.name, pattern)
      isInside = char !== ']'
    } else if (char === '[') {
      isInside = true
      made += '['
      if (chars[at + 1] === '^') made += chars[++at]
      // Right after the opening it is one of the characters.
      if (chars[at + 1] === ']') made += `\\${chars[++at]}`
    } else made += outside(char)
  }
  try {
    return new RegExp(made, 'u')
  } catch (error) {
    // A range the wrong way round, or brackets that do not close, which Go refuses as well.
    if (error instanceof SyntaxError) throw refused(pattern)
    throw error
  }
}

function outside(char: string): string {
  // What Go takes for "any", and for text.
  if (char === '.') return '[^\\n]'
  return char === ']' || char === '}' || char === '{' ? `\\${char}` : char
}

function inside(char: string): string {
  return char === '[' || char === '/' ? `\\${char}` : char
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
  const place = isInside ? undefined : { A: '^', z: '$', b: '\\b', B: '\\B' }[char]
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
