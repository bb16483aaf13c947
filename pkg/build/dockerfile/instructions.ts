/** One line read as one instruction. What is wrong is told in all its places; what is right stays usable. */
import { type Flag, type Instruction, type Keyword, keywords, type Problem } from './dockerfile.ts'
import { flagProblems } from './flags.ts'
import { checkTimes, healthcheck } from './healthcheck.ts'
import { isHeredocWord } from './heredoc.ts'
import { type LogicalLine, placeAt } from './lines.ts'
import { mountProblems } from './mounts.ts'
import { argPairs, pairs } from './pairs.ts'
import { type Arguments, command, complain, listOr, type Source, whole, wordsFrom } from './reading.ts'
import { suggestion } from './suggest.ts'
import { type Part, spacedWords, splitCommand, splitFlags } from './words.ts'

export interface Reading {
  /** Absent: the line begins with nothing that is known. */
  readonly instruction?: Instruction
  readonly problems: readonly Problem[]
}

type Reader = (rest: string, source: Source, keyword: Keyword) => Partial<Arguments>

const readers: Readonly<Record<Keyword, Reader>> = {
  ADD: copied,
  ARG: argPairs,
  CMD: command,
  COPY: copied,
  ENTRYPOINT: command,
  ENV: pairs,
  EXPOSE: atLeastOne,
  FROM: from,
  HEALTHCHECK: healthcheck,
  LABEL: pairs,
  MAINTAINER: exactlyOne,
  ONBUILD: trigger,
  RUN: run,
  SHELL: shell,
  STOPSIGNAL: exactlyOne,
  USER: exactlyOne,
  VOLUME: volumes,
  WORKDIR: exactlyOne,
}

export function readInstruction(line: LogicalLine, escapeToken: string): Reading {
  const problems: Problem[] = []
  const instruction = readAt(line.text, { line, escapeToken, offset: 0, problems })
  return { problems, ...(instruction !== undefined && { instruction }) }
}

function readAt(text: string, source: Source): Instruction | undefined {
  const { line } = source
  const { keyword: word, rest: behind, restAt } = splitCommand(text)
  const indent = text.length - text.trimStart().length
  const keyword = keywordOf(word)
  if (keyword === undefined) {
    complain(source, indent, unknownInstruction(word))
    return undefined
  }
  const { flags: parts, restAt: flagsEnd } = splitFlags(behind)
  const flags = parts.map((part) => flagFrom(part, { ...source, offset: source.offset + restAt }))
  const rest = behind.slice(flagsEnd)
  const inside = { ...source, offset: source.offset + restAt + flagsEnd }
  const read = readers[keyword](rest, inside, keyword)
  const instruction = {
    keyword,
    ...placeAt(line, source.offset + indent),
    endLine: line.endLine,
    text: behind,
    rest,
    flags,
    args: [],
    json: false,
    pairs: [],
    legacy: false,
    heredocs: line.heredocs,
    emptyLines: line.emptyLines,
    ...read,
  }
  source.problems.push(...settingProblems(instruction))
  return instruction
}

function settingProblems(instruction: Instruction): Problem[] {
  const { keyword, flags } = instruction
  if (keyword === 'RUN') return [...flagProblems(keyword, flags), ...mountProblems(flags)]
  if (keyword !== 'HEALTHCHECK') return flagProblems(keyword, flags)
  if (instruction.check === 'NONE') return []
  return [...flagProblems(keyword, flags), ...checkTimes(instruction)]
}

function keywordOf(word: string): Keyword | undefined {
  const upper = word.toUpperCase()
  return keywords.find((keyword) => keyword === upper)
}

function unknownInstruction(word: string): string {
  return `unknown instruction: ${word}${suggestion(word.toUpperCase(), keywords)}`
}

function flagFrom({ text, offset }: Part, source: Source): Flag {
  const equals = text.indexOf('=')
  const place = placeAt(source.line, source.offset + offset)
  if (equals < 0) return { ...place, name: text.slice(2) }
  return { ...place, name: text.slice(2, equals), value: text.slice(equals + 1) }
}

function run(rest: string, source: Source): Partial<Arguments> {
  const read = command(rest, source)
  const isEmpty = read.json === true ? read.args?.length === 0 : rest === ''
  if (isEmpty) complain(source, 0, 'RUN needs a command')
  return read
}

function spaced(rest: string, source: Source): Partial<Arguments> {
  return listOr(rest, source, (text) => wordsFrom(spacedWords(text), source))
}

function copied(rest: string, source: Source, keyword: Keyword): Partial<Arguments> {
  const read = spaced(rest, source)
  const args = read.args ?? []
  const [only] = args
  if (args.length === 0) complain(source, 0, `${keyword} needs a source and a destination`)
  else if (args.length === 1) complain(source, 0, `${keyword} needs a destination besides ${only?.text}`)
  const target = args.at(-1)
  if (target !== undefined && args.length > 1 && read.json !== true && isHeredocWord(target.text)) {
    source.problems.push({
      line: target.line,
      column: target.column,
      message: `${keyword} cannot have a heredoc as its destination`,
    })
  }
  return read
}

function volumes(rest: string, source: Source): Partial<Arguments> {
  const read = spaced(rest, source)
  if ((read.args ?? []).length === 0) complain(source, 0, 'VOLUME needs at least one path')
  for (const { text, line, column } of read.args ?? []) {
    if (text.trim() === '') source.problems.push({ line, column, message: 'VOLUME has an empty path' })
  }
  return read
}

function shell(rest: string, source: Source): Partial<Arguments> {
  const read = command(rest, source)
  if (rest === '') complain(source, 0, 'SHELL needs a list in JSON form: SHELL ["/bin/sh", "-c"]')
  else if (read.json !== true) complain(source, 0, 'SHELL is a list in JSON form: SHELL ["/bin/sh", "-c"]')
  else if (read.args?.length === 0) complain(source, 0, 'SHELL needs at least one word in its list')
  return read
}

function exactlyOne(rest: string, source: Source, keyword: Keyword): Partial<Arguments> {
  if (rest === '') complain(source, 0, `${keyword} needs exactly one argument`)
  return { args: whole(rest, source) }
}

function atLeastOne(rest: string, source: Source, keyword: Keyword): Partial<Arguments> {
  const args = wordsFrom(spacedWords(rest), source)
  if (args.length === 0) complain(source, 0, `${keyword} needs at least one argument`)
  return { args }
}

const stageName = /^[a-z][a-z0-9-_.]*$/

function from(rest: string, source: Source): Partial<Arguments> {
  const args = wordsFrom(spacedWords(rest), source)
  const [, as, name] = args
  const named = args.length === 3 && as?.text.toLowerCase() === 'as'
  if (args.length !== 1 && !named) complain(source, 0, 'FROM is followed by IMAGE, or by IMAGE AS NAME')
  else if (name !== undefined && !stageName.test(name.text.toLowerCase())) {
    const message = `invalid name of a stage: ${name.text}: it begins with a letter, and has letters, digits, - _ and . only`
    source.problems.push({ line: name.line, column: name.column, message })
  }
  return { args }
}

const neverKept: ReadonlySet<string> = new Set(['ONBUILD', 'FROM', 'MAINTAINER'])

function trigger(rest: string, source: Source): Partial<Arguments> {
  const args = whole(rest, source)
  if (rest === '') {
    complain(source, 0, 'ONBUILD needs an instruction')
    return { args }
  }
  const { keyword } = splitCommand(rest)
  if (neverKept.has(keyword.toUpperCase())) {
    complain(source, 0, `ONBUILD cannot keep ${keyword.toUpperCase()}`)
    return { args }
  }
  const kept = readAt(rest, source)
  return { args, ...(kept !== undefined && { trigger: kept }) }
}
