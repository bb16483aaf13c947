/** Variables, quotes and escapes of a word, as builders resolve them where no shell does: `${V:-1}/"a b"`. */
import { expressionOf, trimmed } from './shellpattern.ts'

export interface Expanding {
  readonly lookup: (name: string) => string | undefined
  readonly escapeToken: string
}

export interface Expanded {
  readonly text: string
  /** Variables that have no value here. */
  readonly unset: readonly string[]
  /** Why no builder takes it. */
  readonly problem?: string
}

/** Of deeper ones nobody knows any more what they mean. */
const deepest = 32
/** As long as a line may be; a few lines could make one of any length out of a variable and itself. */
const longestValue = 65_535
/** Of a pattern and the value it is looked for in: how often going back and trying again may be worth it. */
const mostTries = 20_000

export function expand(text: string, expanding: Expanding): Expanded {
  if (!/[$'"\\`]/.test(text)) return { text, unset: [] }
  const reader: Reader = { text, at: 0, depth: 0, unset: new Set(), ...expanding }
  const read = readUntil(reader, undefined)
  const problem = reader.problem
  return { text: read, unset: [...reader.unset], ...(problem !== undefined && { problem }) }
}

interface Reader extends Expanding {
  readonly text: string
  readonly unset: Set<string>
  at: number
  depth: number
  problem?: string
}

/** To the end, or to a `}` or `/` that ends a part of a substitution, which is not read. */
function readUntil(reader: Reader, ends: string | undefined): string {
  const { text, escapeToken } = reader
  let read = ''
  while (reader.at < text.length && reader.problem === undefined) {
    const character = text[reader.at] ?? ''
    if (ends?.includes(character)) break
    if (character === "'") read += singleQuoted(reader)
    else if (character === '"') read += doubleQuoted(reader)
    else if (character === '$') read += dollar(reader)
    else if (character === escapeToken) {
      read += text[reader.at + 1] ?? ''
      reader.at += 2
    } else {
      read += character
      reader.at++
    }
    read = bounded(reader, read)
  }
  return read
}

function bounded(reader: Reader, read: string): string {
  return read.length > longestValue ? fail(reader, tooLong) : read
}

const tooLong = `it becomes longer than ${longestValue} characters`

function singleQuoted(reader: Reader): string {
  const end = reader.text.indexOf("'", reader.at + 1)
  if (end < 0) return fail(reader, "a ' is never closed")
  const quoted = reader.text.slice(reader.at + 1, end)
  reader.at = end + 1
  return quoted
}

function doubleQuoted(reader: Reader): string {
  const { text, escapeToken } = reader
  let read = ''
  reader.at++
  while (reader.at < text.length && reader.problem === undefined) {
    const character = text[reader.at] ?? ''
    if (character === '"') {
      reader.at++
      return read
    }
    if (character === '$') read += dollar(reader)
    else if (character === escapeToken) read += escapedInQuotes(reader)
    else {
      read += character
      reader.at++
    }
    read = bounded(reader, read)
  }
  return fail(reader, 'a " is never closed')
}

/** Between double quotes only these are escaped; in front of all else the token stays. */
function escapedInQuotes(reader: Reader): string {
  const { text, escapeToken } = reader
  const next = text[reader.at + 1]
  reader.at += 2
  if (next === undefined) return ''
  return next === '"' || next === '$' || next === escapeToken ? next : escapeToken + next
}

function dollar(reader: Reader): string {
  const { text } = reader
  reader.at++
  if (text[reader.at] === '{') return substitution(reader)
  const name = nameAt(reader)
  return name === '' ? '$' : valueFor(reader, name)
}

/** `name`, `12`, or one of the shell's special ones, which have no value in a Dockerfile. */
function nameAt(reader: Reader): string {
  const [name = ''] =
    /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(reader.text.slice(reader.at, reader.at + 1_024)) ?? []
  reader.at += name.length
  return name
}

function valueFor(reader: Reader, name: string): string {
  const value = reader.lookup(name)
  if (value === undefined) reader.unset.add(name)
  return value ?? ''
}

function substitution(reader: Reader): string {
  reader.at++
  if (reader.text[reader.at] === '}') return fail(reader, 'a substitution has no name between its braces')
  const name = nameAt(reader)
  if (name === '') return fail(reader, 'a substitution has no name behind its brace')
  if (reader.text[reader.at] === '}') {
    reader.at++
    return valueFor(reader, name)
  }
  if (reader.depth >= deepest) return fail(reader, 'its substitutions are nested too deeply')
  reader.depth++
  const read = modified(reader, name)
  reader.depth--
  if (reader.problem !== undefined) return ''
  if (reader.text[reader.at] !== '}') return fail(reader, `the } of \${${name} is missing`)
  reader.at++
  return read
}

function modified(reader: Reader, name: string): string {
  const { text, at } = reader
  if (at >= text.length) return ''
  const [operator = ''] = /^(?::?[-+?]|##?|%%?|\/\/?)/.exec(text.slice(at, at + 2)) ?? []
  if (operator === '') return fail(reader, `unknown modifier in \${${name}${text.slice(at, at + 2)}`)
  reader.at += operator.length
  if (operator.startsWith('/')) return replaced(reader, name, operator)
  if (/^[#%]/.test(operator)) {
    const pattern = readUntil(reader, '}')
    return trimmed(valueFor(reader, name), pattern, operator)
  }
  return chosen(reader, name, operator)
}

/** `-`, `+` and `?`: with a colon in front an empty value is as good as none. */
function chosen(reader: Reader, name: string, operator: string): string {
  const value = reader.lookup(name)
  const isSet = value !== undefined && !(operator.startsWith(':') && value === '')
  const before = new Set(reader.unset)
  const word = readUntil(reader, '}')
  const takesWord = operator.endsWith('+') ? isSet : !isSet
  if (!takesWord) {
    forget(reader, before)
    return operator.endsWith('+') ? '' : (value ?? '')
  }
  if (!operator.endsWith('?')) return word
  return fail(reader, `${name}: ${word === '' ? 'it is not set' : word}`)
}

/** What only the branch that is not taken asked for does not count. */
function forget(reader: Reader, before: ReadonlySet<string>): void {
  for (const name of reader.unset) if (!before.has(name)) reader.unset.delete(name)
}

function replaced(reader: Reader, name: string, operator: string): string {
  const pattern = readUntil(reader, '/}')
  let replacement = ''
  if (reader.text[reader.at] === '/') {
    reader.at++
    replacement = readUntil(reader, '}')
  }
  const value = valueFor(reader, name)
  if (!isQuick(pattern, value)) return fail(reader, tooSlow)
  if (value.length * replacement.length > 16 * longestValue) return fail(reader, tooLong)
  const expression = new RegExp(expressionOf(pattern), operator === '//' ? 'gs' : 's')
  return value.replace(expression, () => replacement)
}

const tooSlow = 'its pattern has too many * for so long a value'

function isQuick(pattern: string, value: string): boolean {
  const stars = pattern.match(/[*]+/g)?.length ?? 0
  return stars === 0 || value.length ** (stars + 1) <= mostTries
}

function fail(reader: Reader, problem: string): string {
  reader.problem ??= problem
  reader.at = reader.text.length
  return ''
}
