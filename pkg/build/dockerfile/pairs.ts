/** What ARG, ENV and LABEL set, as it is written. */
import type { Keyword, Pair, Word } from './dockerfile.ts'
import { placeAt } from './lines.ts'
import { type Arguments, complain, type Source, wordsFrom } from './reading.ts'
import { quotedWords } from './words.ts'

export function argPairs(rest: string, source: Source): Partial<Arguments> {
  const words = wordsFrom(quotedWords(rest, source.escapeToken), source)
  if (words.length === 0) complain(source, 0, 'ARG needs at least one name')
  return { pairs: words.map((word) => pairFrom(word, source, 'ARG')) }
}

/** ENV and LABEL: KEY=VALUE any number of times, or one KEY VALUE. */
export function pairs(rest: string, source: Source, keyword: Keyword): Partial<Arguments> {
  const words = wordsFrom(quotedWords(rest, source.escapeToken), source)
  const [first] = words
  if (first === undefined) {
    complain(source, 0, `${keyword} needs at least one KEY=VALUE`)
    return {}
  }
  if (!first.text.includes('=')) return legacyPair(rest, source, keyword)
  for (const { text, line, column } of words) {
    if (text.includes('=')) continue
    source.problems.push({ line, column, message: `${keyword} has no = in ${text}: it is KEY=VALUE` })
  }
  const whole = words.filter(({ text }) => text.includes('='))
  return { pairs: whole.map((word) => pairFrom(word, source, keyword)) }
}

function legacyPair(rest: string, source: Source, keyword: Keyword): Partial<Arguments> {
  const [, key = '', value] = /^([^\t\v\f\r ]+)[\t\v\f\r ]+(.*)$/s.exec(rest) ?? []
  if (value === undefined || value === '') {
    complain(source, 0, `${keyword} needs a value: ${keyword} ${rest}=...`)
    return {}
  }
  return { pairs: [{ ...placeAt(source.line, source.offset), key, value }], legacy: true }
}

function pairFrom({ text, line, column }: Word, { problems }: Source, keyword: Keyword): Pair {
  const equals = text.indexOf('=')
  const key = equals < 0 ? text : text.slice(0, equals)
  if (key === '') problems.push({ line, column, message: `${keyword} has no name in front of =` })
  return { line, column, key, ...(equals >= 0 && { value: text.slice(equals + 1) }) }
}
