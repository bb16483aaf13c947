/**
 * Lines as builders read them: continued ones put together, comments left out, heredocs taken along, directives at the
 * top. Every character knows where it stood.
 */
import type { Directives, Heredoc, Place, Problem } from './dockerfile.ts'
import { heredocStarts } from './heredoc.ts'

/** Builders refuse longer lines. */
export const longestLine = 65_535

interface Segment extends Place {
  /** Of the first character, in the text of the logical line. */
  readonly offset: number
}

/** An instruction as one line. */
export interface LogicalLine {
  readonly text: string
  readonly line: number
  readonly endLine: number
  readonly segments: readonly Segment[]
  readonly heredocs: readonly Heredoc[]
  /** Of empty lines between continued ones. */
  readonly emptyLines: readonly number[]
}

export interface Lines {
  readonly directives: Directives
  readonly lines: readonly LogicalLine[]
  readonly problems: readonly Problem[]
}

/** Where a character of the logical line stands in the file. */
export function placeAt({ segments }: Pick<LogicalLine, 'segments'>, offset: number): Place {
  let low = 0
  let high = segments.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((segments[middle]?.offset ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  const { line, column, offset: from } = segments[low] ?? { line: 1, column: 1, offset: 0 }
  return { line, column: column + offset - from }
}

export function readLines(text: string): Lines {
  const raw = text.replace(/^\uFEFF/, '').split('\n')
  if (raw.at(-1) === '') raw.pop()
  const physical = raw.map((line) => line.replace(/\r$/, ''))
  const { directives, problems } = readDirectives(physical)
  const found: Problem[] = [...problems]
  for (const [index, line] of physical.entries()) {
    if (line.length <= longestLine || Buffer.byteLength(line) <= longestLine) continue
    found.push({ line: index + 1, column: 1, message: `line is longer than ${longestLine} bytes` })
  }
  const lines: LogicalLine[] = []
  for (let index = 0; index < physical.length; ) {
    const read = readLogical(physical, index, directives)
    index = read.next
    found.push(...read.problems)
    if (read.line !== undefined) lines.push(read.line)
  }
  return { directives, lines, problems: found }
}

const directivePattern = /^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$/

function readDirectives(physical: readonly string[]): Pick<Lines, 'directives' | 'problems'> {
  const seen = new Map<string, string>()
  const problems: Problem[] = []
  for (const [index, line] of physical.entries()) {
    const [, word = '', value = ''] = directivePattern.exec(line.trimStart()) ?? []
    const name = word.toLowerCase()
    if (name !== 'escape' && name !== 'syntax' && name !== 'check') break
    const at = { line: index + 1, column: 1 + line.length - line.trimStart().length }
    if (seen.has(name)) problems.push({ ...at, message: `only one ${name} parser directive can be used` })
    else if (name === 'escape' && value !== '\\' && value !== '`')
      problems.push({ ...at, message: `invalid escape token '${value}': it is \` or \\` })
    seen.set(name, seen.get(name) ?? value)
  }
  const syntax = seen.get('syntax')
  const escapeToken = seen.get('escape') === '`' ? '`' : '\\'
  return { directives: { escapeToken, ...(syntax !== undefined && { syntax }) }, problems }
}

interface Read {
  /** Absent: nothing but comments and empty lines. */
  readonly line?: LogicalLine
  readonly next: number
  readonly problems: readonly Problem[]
}

function readLogical(physical: readonly string[], start: number, { escapeToken }: Directives): Read {
  const first = physical[start] ?? ''
  const trimmed = first.trimStart()
  if (trimmed === '' || trimmed.startsWith('#')) return { next: start + 1, problems: [] }
  const joined = joinContinued(physical, start, escapeToken)
  if (joined.text.trim() === '') return { next: joined.next, problems: [] }
  const head = { ...joined, line: start + 1 }
  const starts = heredocStarts(joined.text)
  const heredocs: Heredoc[] = []
  const problems: Problem[] = []
  let next = joined.next
  for (const { offset, ...heredoc } of starts) {
    const place = placeAt(head, offset)
    const body = readBody(physical, next, heredoc)
    if (body === undefined) {
      problems.push({ ...place, message: `unterminated heredoc: no line is ${heredoc.name}` })
      next = physical.length
      break
    }
    next = body.next
    heredocs.push({ ...place, ...heredoc, content: body.content })
  }
  const { text, segments, emptyLines } = joined
  return {
    line: { text, segments, emptyLines, line: start + 1, endLine: next, heredocs },
    next,
    problems,
  }
}

interface Joined {
  readonly text: string
  readonly segments: readonly Segment[]
  readonly emptyLines: readonly number[]
  readonly next: number
}

function joinContinued(physical: readonly string[], start: number, escapeToken: string): Joined {
  const parts: string[] = []
  const segments: Segment[] = []
  const emptyLines: number[] = []
  let offset = 0
  let index = start
  for (let goesOn = true; goesOn && index < physical.length; index++) {
    const line = physical[index] ?? ''
    const content = index === start ? line.trimStart() : line
    if (index > start && content.trimStart().startsWith('#')) continue
    if (index > start && content.trim() === '') {
      emptyLines.push(index + 1)
      continue
    }
    const end = continuedAt(content, escapeToken)
    goesOn = end !== undefined
    const part = content.slice(0, end)
    segments.push({ offset, line: index + 1, column: 1 + line.length - content.length })
    parts.push(part)
    offset += part.length
  }
  return { text: parts.join(''), segments, emptyLines, next: index }
}

/** Where the character stands that continues the line. */
function continuedAt(line: string, escapeToken: string): number | undefined {
  let end = line.length
  while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--
  return line[end - 1] === escapeToken ? end - 1 : undefined
}

function readBody(
  physical: readonly string[],
  start: number,
  { name, chomp }: Pick<Heredoc, 'name' | 'chomp'>,
): { readonly content: string; readonly next: number } | undefined {
  for (let index = start; index < physical.length; index++) {
    const line = physical[index] ?? ''
    if ((chomp ? line.replace(/^\t+/, '') : line) !== name) continue
    const content = physical.slice(start, index).map((text) => `${text}\n`)
    return { content: content.join(''), next: index + 1 }
  }
  return undefined
}
