/** What all readers of instructions need: where they are in the line, what they find wrong, and words with their places. */
import type { Instruction, Problem, Word } from './dockerfile.ts'
import { type LogicalLine, placeAt } from './lines.ts'
import { jsonList, type Part } from './words.ts'

export type Arguments = Pick<Instruction, 'args' | 'json' | 'pairs' | 'legacy' | 'trigger' | 'check'>

export interface Source {
  readonly line: LogicalLine
  readonly escapeToken: string
  /** Of what is read, in the line. */
  readonly offset: number
  readonly problems: Problem[]
}

export function complain({ line, offset, problems }: Source, at: number, message: string): void {
  problems.push({ ...placeAt(line, offset + at), message })
}

export function wordsFrom(parts: readonly Part[], { line, offset }: Source): Word[] {
  return parts.map((part) => ({ text: part.text, ...placeAt(line, offset + part.offset) }))
}

export function whole(rest: string, source: Source): Word[] {
  return rest === '' ? [] : wordsFrom([{ text: rest, offset: 0 }], source)
}

/** A list of strings, or `otherwise`; a list of anything else is refused. */
export function listOr(
  rest: string,
  source: Source,
  otherwise: (text: string) => Word[],
): Partial<Arguments> {
  const list = jsonList(rest)
  if (list === 'mixed') complain(source, 0, 'a list in JSON form holds strings and nothing else')
  if (list === undefined || list === 'mixed') return { args: otherwise(rest) }
  return { args: wordsFrom(list.words, source), json: true }
}

export function command(rest: string, source: Source): Partial<Arguments> {
  return listOr(rest, source, (text) => whole(text, source))
}
