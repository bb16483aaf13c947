/** What a simulated builder reads of a Dockerfile: instructions, stages and which of them are needed. Pure. */
import { BuildError } from './builds.ts'

export interface SimInstruction {
  /** In capitals. */
  readonly name: string
  /** As it is written, on one line. */
  readonly text: string
  /** Words like `--from=x`, by name. */
  readonly flags: ReadonlyMap<string, string>
  /** The rest, without flags. */
  readonly rest: string
  readonly line: number
}

export interface SimStage {
  readonly index: number
  /** In small letters. */
  readonly name?: string
  readonly base: string
  readonly instructions: readonly SimInstruction[]
}

const known =
  /^(FROM|ARG|RUN|CMD|LABEL|MAINTAINER|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ONBUILD|STOPSIGNAL|HEALTHCHECK|SHELL)$/

/** BuildFailed, with the line, for what is no Dockerfile. */
export function readStages(text: string): { args: readonly SimInstruction[]; stages: readonly SimStage[] } {
  const instructions = readInstructions(text)
  if (instructions.length === 0) throw new BuildError('the Dockerfile (Dockerfile) cannot be empty', {})
  const first = instructions.findIndex(({ name }) => name === 'FROM')
  const args = instructions.slice(0, first === -1 ? instructions.length : first)
  const misplaced = args.find(({ name }) => name !== 'ARG') ?? (first === -1 ? args[0] : undefined)
  if (misplaced !== undefined)
    throw new BuildError('no build stage in current context', { line: misplaced.line })
  const stages: { base: string; name?: string; index: number; instructions: SimInstruction[] }[] = []
  for (const instruction of instructions.slice(first)) {
    if (instruction.name === 'FROM') stages.push(readFrom(instruction, stages.length))
    else stages.at(-1)?.instructions.push(instruction)
  }
  return { args, stages }
}

function readFrom(instruction: SimInstruction, index: number) {
  const [base = '', as, name] = instruction.rest.split(/\s+/)
  const named = as?.toUpperCase() === 'AS' && name !== undefined && { name: name.toLowerCase() }
  return { base, index, ...named, instructions: [instruction] }
}

/** Those that the stage is made of, itself included, in order. */
export function neededStages(stages: readonly SimStage[], target: SimStage): readonly SimStage[] {
  const needed = new Set<SimStage>()
  const need = (stage: SimStage) => {
    if (needed.has(stage)) return
    needed.add(stage)
    const sources = stage.instructions
      .map(({ flags }) => flags.get('from'))
      .filter((from) => from !== undefined)
    for (const name of [stage.base, ...sources]) {
      const other = findStage(stages.slice(0, stage.index), name)
      if (other !== undefined) need(other)
    }
  }
  need(target)
  return stages.filter((stage) => needed.has(stage))
}

/** By name or number. */
export function findStage(stages: readonly SimStage[], name: string): SimStage | undefined {
  return (
    stages.findLast((stage) => stage.name === name.toLowerCase()) ??
    stages.find(({ index }) => String(index) === name)
  )
}

/** `$A` and `${A}`; what is not known is empty. */
export function expand(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(/\$(?:\{(\w+)\}|(\w+))/g, (_, braced, bare) => values.get(braced ?? bare) ?? '')
}

function readInstructions(text: string): SimInstruction[] {
  const found: SimInstruction[] = []
  let begun: { words: string; line: number } | undefined
  for (const [index, raw] of text.split('\n').entries()) {
    if (/^\s*(#|$)/.test(raw)) continue
    const { words, line } = begun ?? { words: '', line: index + 1 }
    const isContinued = raw.trimEnd().endsWith('\\')
    const joined = words + (isContinued ? raw.trimEnd().slice(0, -1) : raw.trimEnd())
    begun = isContinued ? { words: joined, line } : undefined
    if (!isContinued) found.push(readInstruction(joined.trim(), line))
  }
  if (begun !== undefined) found.push(readInstruction(begun.words.trim(), begun.line))
  return found
}

function readInstruction(text: string, line: number): SimInstruction {
  const [, word = '', after = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? []
  const name = word.toUpperCase()
  if (!known.test(name))
    throw new BuildError(`dockerfile parse error line ${line}: unknown instruction: ${name}`, { line })
  const [, written = '', rest = ''] = /^((?:--\S+\s+)*)(.*)$/s.exec(after) ?? []
  const flags = written
    .split(/\s+/)
    .filter((flag) => flag !== '')
    .map((flag): [string, string] => {
      const [key = '', ...value] = flag.slice(2).split('=')
      return [key, value.join('=')]
    })
  return { name, text, flags: new Map(flags), rest, line }
}
