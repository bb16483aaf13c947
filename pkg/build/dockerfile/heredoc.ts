/** Where heredocs begin: `<<WORD`, `<<-WORD`, `3<<"WORD"` as a word of its own in RUN, COPY and ADD. */
import type { Heredoc } from './dockerfile.ts'
import { splitCommand } from './words.ts'

export interface HeredocStart extends Pick<Heredoc, 'name' | 'chomp' | 'expand'> {
  /** In the logical line. */
  readonly offset: number
}

const takesHeredocs: ReadonlySet<string> = new Set(['RUN', 'COPY', 'ADD'])
const startPattern = /^\d*<<(-?)([^<]*)$/

/** In the order their contents come in. */
export function heredocStarts(line: string): readonly HeredocStart[] {
  if (!line.includes('<<')) return []
  const { keyword, rest, restAt } = splitCommand(line)
  if (keyword.toUpperCase() === 'ONBUILD') {
    return heredocStarts(rest).map((start) => ({ ...start, offset: start.offset + restAt }))
  }
  if (!takesHeredocs.has(keyword.toUpperCase()) || rest.startsWith('[')) return []
  return shellWords(rest).flatMap(({ text, offset }) => {
    const [, dash, word] = startPattern.exec(text) ?? []
    if (word === undefined || word === '') return []
    const name = word.replace(/["']/g, '')
    if (name === '') return []
    return [{ name, chomp: dash === '-', expand: name === word, offset: restAt + offset }]
  })
}

/** Words as a shell parts them; quotes stay in them. */
function shellWords(text: string): { readonly text: string; readonly offset: number }[] {
  const pattern = /(?:"(?:\\.|[^"\\])*"?|'[^']*'?|\\.|[^\s"'\\]|\\$)+/gs
  return [...text.matchAll(pattern)].map((match) => ({ text: match[0], offset: match.index }))
}

/** Whether a source or destination of COPY is the beginning of a heredoc. */
export function isHeredocWord(text: string): boolean {
  const [, , word] = startPattern.exec(text) ?? []
  return word !== undefined && word.replace(/["']/g, '') !== ''
}
