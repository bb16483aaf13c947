/** Patterns as Go's path.Match has them: `*`, `?` and `[a-z]` stand for anything but a slash. Pure. */
import { UsageError } from '../errors.ts'

/** Throws UsageError for a pattern that is none. */
export function compileGlob(pattern: string): (text: string) => boolean {
  const source = sourceOf(pattern)
  if (source === undefined)
    throw new UsageError(`"${pattern}" is no pattern: a bracket or a backslash is left open`)
  const expression = new RegExp(`^${source}$`, 'su')
  return (text) => expression.test(text)
}

/** Undefined: it is malformed. */
function sourceOf(pattern: string): string | undefined {
  let source = ''
  let rest = pattern
  while (rest !== '') {
    const found = readPiece(rest)
    if (found === undefined) return undefined
    source += found.source
    rest = rest.slice(found.length)
  }
  return source
}

interface Found {
  readonly source: string
  readonly length: number
}

function readPiece(rest: string): Found | undefined {
  const [first = ''] = rest
  // Several stars are one, and cost no more.
  if (first === '*') return { source: '[^/]*', length: /^\*+/.exec(rest)?.[0].length ?? 1 }
  if (first === '?') return { source: '[^/]', length: 1 }
  if (first === '[') return readClass(rest)
  const text = first === '\\' ? (/^\\(.)/su.exec(rest)?.[1] ?? '') : first
  if (text === '') return undefined
  return { source: literal(text), length: first === '\\' ? 1 + text.length : text.length }
}

/** Ranges and single characters; a caret in front means all others. */
function readClass(rest: string): Found | undefined {
  const [whole, not = '', members = ''] =
    /^\[(\^?)((?:(?:\\.|[^\]\\-])(?:-(?:\\.|[^\]\\-]))?)+)\]/su.exec(rest) ?? []
  if (whole === undefined) return undefined
  const ranges = [...members.matchAll(/(\\.|[^\\])(?:-(\\.|[^\\]))?/gsu)].map(([, from = '', to = from]) => [
    bare(from),
    bare(to),
  ])
  const isBackwards = ranges.some(([from = '', to = '']) => from > to)
  const source = ranges.map(([from = '', to = '']) => `${literal(from)}-${literal(to)}`).join('')
  // A range that runs backwards holds nothing.
  if (isBackwards) return { source: not === '' ? '[^\\s\\S]' : '[^]', length: whole.length }
  return { source: `[${not}${source}]`, length: whole.length }
}

function bare(text: string): string {
  return text.startsWith('\\') ? text.slice(1) : text
}

function literal(text: string): string {
  return `\\u{${(text.codePointAt(0) ?? 0).toString(16)}}`
}
