/**
 * What a Dockerfile is once it is read: stages of instructions, each word with the place it stands at. Types only, and
 * the few questions that everybody asks. Words are as they are written: variables in them are put in by scopes.ts.
 */

/** As the engine port has them (pkg/engine/builds.ts). */
export type Builder = 'Classic' | 'BuildKit'

export interface Place {
  /** Both from 1; the column counts characters of the line as it is in the file. */
  readonly line: number
  readonly column: number
}

/** Why no builder would take it, or why it cannot be meant so. */
export interface Problem extends Place {
  readonly message: string
}

export interface Word extends Place {
  readonly text: string
}

/** `--NAME=VALUE` in front of the arguments. */
export interface Flag extends Place {
  /** As it is written, without the dashes. */
  readonly name: string
  /** Absent: `--link` alone. */
  readonly value?: string
}

/** KEY=VALUE of ARG, ENV and LABEL, as it is written: quotes and variables are still in it. */
export interface Pair extends Place {
  readonly key: string
  /** Absent: `ARG NAME`. */
  readonly value?: string
}

export interface Heredoc extends Place {
  /** The word that ends it. */
  readonly name: string
  readonly content: string
  /** `<<-`: tabs before its lines do not count. */
  readonly chomp: boolean
  /** Variables in it are put in: the word is not quoted. */
  readonly expand: boolean
}

export const keywords = [
  'ADD',
  'ARG',
  'CMD',
  'COPY',
  'ENTRYPOINT',
  'ENV',
  'EXPOSE',
  'FROM',
  'HEALTHCHECK',
  'LABEL',
  'MAINTAINER',
  'ONBUILD',
  'RUN',
  'SHELL',
  'STOPSIGNAL',
  'USER',
  'VOLUME',
  'WORKDIR',
] as const

export type Keyword = (typeof keywords)[number]

export interface Instruction extends Place {
  readonly keyword: Keyword
  /** The last line that belongs to it, that of heredocs included. */
  readonly endLine: number
  /** What is behind the keyword, continued lines put together and comments left out. */
  readonly text: string
  /** `text` without the flags. */
  readonly rest: string
  readonly flags: readonly Flag[]
  /**
   * The list of a JSON form, whose words are as JSON means them; else the words of ADD, COPY, EXPOSE, FROM and VOLUME,
   * and the whole of what is there for all others. HEALTHCHECK: what is behind CMD.
   */
  readonly args: readonly Word[]
  /** The arguments are a JSON list. */
  readonly json: boolean
  /** Of ARG, ENV and LABEL. */
  readonly pairs: readonly Pair[]
  /** Of ENV and LABEL: `KEY VALUE` without `=`. */
  readonly legacy: boolean
  readonly heredocs: readonly Heredoc[]
  /** Lines without anything between its continued ones. */
  readonly emptyLines: readonly number[]
  /** Of ONBUILD: what it keeps for others, where that is an instruction. */
  readonly trigger?: Instruction
  /** Of HEALTHCHECK: CMD or NONE. */
  readonly check?: 'CMD' | 'NONE'
}

export interface Stage {
  /** From 0, as `--from=0` counts. */
  readonly index: number
  /** Behind AS, in small letters. */
  readonly name?: string
  readonly from: Instruction
  /** What is behind FROM, as it is written. */
  readonly base: Word
  /** Of `--platform`, as it is written. */
  readonly platform?: string
  /** Without the FROM. */
  readonly instructions: readonly Instruction[]
}

export interface Directives {
  readonly escapeToken: '\\' | '`'
  /** `# syntax=docker/dockerfile:1`: the image that BuildKit reads it with. */
  readonly syntax?: string
}

export interface Dockerfile {
  readonly text: string
  readonly directives: Directives
  /** ARGs before the first FROM. */
  readonly globals: readonly Instruction[]
  readonly stages: readonly Stage[]
}

export function flagOf({ flags }: Instruction, name: string): Flag | undefined {
  return flags.find((flag) => flag.name === name)
}

/** Whether a flag that may be false is not. */
export function isOn({ value }: Flag): boolean {
  return value?.toLowerCase() !== 'false'
}

/** By name in any case, only among the stages before `limit`. Of two of one name the later one is meant. */
export function stageNamed(
  { stages }: Pick<Dockerfile, 'stages'>,
  reference: string,
  limit = stages.length,
): Stage | undefined {
  const name = reference.toLowerCase()
  return stages.findLast((stage) => stage.index < limit && stage.name === name)
}

/** `line 2: unknown instruction: FOO`, and `line 2, column 5: ...` of what does not begin its line. */
export function describeProblem({ line, column, message }: Problem): string {
  return column === 1 ? `line ${line}: ${message}` : `line ${line}, column ${column}: ${message}`
}
