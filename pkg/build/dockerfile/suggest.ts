/** What was probably meant, and texts of others cut to what a message can hold. */
import { nearest } from '#pkg/apimachinery/nearest.ts'
import type { Problem } from './dockerfile.ts'

/** Longer words are no typing errors, shorter ones could be any. */
const longestWord = 64
const shortestWord = 3
const longestMessage = 300

/** ` (did you mean RUN?)`, or nothing. */
export function suggestion(word: string, candidates: readonly string[], prefix = ''): string {
  const near = closest(word, candidates)
  return near === undefined ? '' : ` (did you mean ${prefix}${near}?)`
}

export function closest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > longestWord || word.length < shortestWord) return undefined
  return nearest(
    word,
    candidates.filter(({ length }) => Math.abs(length - word.length) <= 2),
  )
}

/** Sorted by place, none of them longer than a message should be. */
export function told(problems: readonly Problem[]): readonly Problem[] {
  return problems
    .map(({ line, column, message }) => ({ line, column, message: shortened(message) }))
    .sort((left, right) => left.line - right.line || left.column - right.column)
}

function shortened(message: string): string {
  return message.length <= longestMessage ? message : `${message.slice(0, longestMessage)}...`
}
