/** How a line falls into keyword, flags and words, as builders part them. Offsets are into the text that is given. */

export interface Part {
  readonly text: string
  readonly offset: number
}

export interface Command {
  readonly keyword: string
  readonly rest: string
  /** Of `rest` in the line. */
  readonly restAt: number
}

const space = /\s/

/** The first word, and what is behind it and the space after it. */
export function splitCommand(line: string): Command {
  const start = line.length - line.trimStart().length
  const [keyword = ''] = /^[^\t\v\f\r ]*/.exec(line.slice(start)) ?? []
  const behind = line.slice(start + keyword.length)
  const rest = behind.trimStart()
  return { keyword, rest: rest.trimEnd(), restAt: line.length - rest.length }
}

/** Flags in front: words that begin with `--`; a lone `--` ends them and is left out. */
export function splitFlags(text: string): { readonly flags: Part[]; readonly restAt: number } {
  const flags: Part[] = []
  let at = 0
  for (;;) {
    while (at < text.length && space.test(text[at] ?? '')) at++
    if (!text.startsWith('--', at)) return { flags, restAt: at }
    const { word, end } = flagWord(text, at)
    const from = at
    at = end
    if (word === '--') {
      while (at < text.length && space.test(text[at] ?? '')) at++
      return { flags, restAt: at }
    }
    flags.push({ text: word, offset: from })
  }
}

/** Quotes and backslashes of a flag do their work here, and are gone: here no other character escapes. */
function flagWord(text: string, start: number): { readonly word: string; readonly end: number } {
  let word = ''
  let quote: string | undefined
  let at = start
  for (; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === '\\') {
      at++
      word += text[at] ?? ''
    } else if (quote !== undefined) {
      if (character === quote) quote = undefined
      else word += character
    } else if (character === '"' || character === "'") quote = character
    else if (space.test(character)) break
    else word += character
  }
  return { word, end: at }
}

/** Words between spaces, nothing else. */
export function spacedWords(text: string): Part[] {
  return [...text.matchAll(/[^\t\v\f\r ]+/g)].map((match) => ({ text: match[0], offset: match.index }))
}

/** Words between spaces that are neither quoted nor escaped; quotes and escapes stay in them. */
export function quotedWords(text: string, escapeToken: string): Part[] {
  const words: Part[] = []
  let at = 0
  while (at < text.length) {
    if (isSpace(text[at])) {
      at++
      continue
    }
    const end = quotedEnd(text, at, escapeToken)
    words.push({ text: text.slice(at, end), offset: at })
    at = end
  }
  return words
}

function quotedEnd(text: string, start: number, escapeToken: string): number {
  let quote: string | undefined
  let at = start
  for (; at < text.length; at++) {
    const character = text[at]
    if (character === escapeToken && quote !== "'") at++
    else if (quote !== undefined) quote = character === quote ? undefined : quote
    else if (character === '"' || character === "'") quote = character
    else if (isSpace(character)) break
  }
  return Math.min(at, text.length)
}

function isSpace(character: string | undefined): boolean {
  return character !== undefined && /\s/.test(character)
}

export type JsonList =
  | { readonly words: readonly Part[] }
  /** A list, but not of strings alone. */
  | 'mixed'
  /** No list at all: the builders take it for the shell form. */
  | undefined

/** A JSON list of strings at the beginning; what is behind it is not looked at, as builders do not. */
export function jsonList(text: string): JsonList {
  const start = text.length - text.trimStart().length
  if (text[start] !== '[') return undefined
  const end = listEnd(text, start)
  if (end === undefined) return undefined
  let list: unknown
  try {
    list = JSON.parse(text.slice(start, end))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (!Array.isArray(list)) return undefined
  if (!list.every((entry) => typeof entry === 'string')) return 'mixed'
  const offsets = [...text.slice(start, end).matchAll(/"(?:[^"\\]|\\.)*"/g)].map(({ index }) => start + index)
  return { words: list.map((word, index) => ({ text: String(word), offset: offsets[index] ?? start })) }
}

function listEnd(text: string, start: number): number | undefined {
  let depth = 0
  const marks = /"(?:[^"\\]|\\.)*"|[[\]{}]/gs
  marks.lastIndex = start
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    if (mark[0] === '[' || mark[0] === '{') depth++
    else if (mark[0] === ']' || mark[0] === '}') depth--
    if (depth === 0) return marks.lastIndex
  }
  return undefined
}
