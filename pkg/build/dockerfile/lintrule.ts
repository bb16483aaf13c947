/** What a rule is, and what it looks at. */
import type { Dockerfile, Instruction, Place } from './dockerfile.ts'
import type { Scoped, ScopedStage } from './scopes.ts'
import type { Building } from './stages.ts'

export interface Lint extends Partial<Place> {
  /** `UnusedBuildArg`. */
  readonly rule: string
  /** What is the matter, and what to do. */
  readonly message: string
}

/** What all rules look at. */
export interface Linting {
  readonly dockerfile: Dockerfile
  readonly building: Building
  readonly scoped: Scoped
  /** Those that are made. */
  readonly stages: readonly ScopedStage[]
  /** Those whose layers are in the image: the target, and what it is built upon. */
  readonly image: readonly ScopedStage[]
}

export type LintRule = (linting: Linting) => readonly Lint[]

/** A rule over the single instructions of all stages that are made. */
export function eachInstruction(
  rule: string,
  messageOf: (instruction: Instruction) => string | undefined,
): LintRule {
  return ({ stages }) =>
    stages.flatMap(({ instructions }) =>
      instructions.flatMap(({ instruction }) => {
        const message = messageOf(instruction)
        return message === undefined ? [] : [lintAt(rule, instruction, message)]
      }),
    )
}

export function lintAt(rule: string, { line, column }: Place, message: string): Lint {
  return { rule, message, line, column }
}

/** The commands of a RUN, CMD or the like as one text: heredocs, too. */
export function commandOf({ args, heredocs }: Instruction): string {
  return [...args.map(({ text }) => text), ...heredocs.map(({ content }) => content)].join(' ')
}
