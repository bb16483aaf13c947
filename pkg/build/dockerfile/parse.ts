/**
 * A Dockerfile from its text, by the rules of the builders: what this takes they take, what they refuse to read this
 * refuses. What is wrong is told at once and altogether, each with its place; the rest can be used all the same.
 */
import type { Dockerfile, Instruction, Problem, Stage } from './dockerfile.ts'
import { readInstruction } from './instructions.ts'
import { readLines } from './lines.ts'
import { told } from './suggest.ts'

export interface Parsed {
  readonly dockerfile: Dockerfile
  /** Sorted by place. */
  readonly problems: readonly Problem[]
}

/** What somebody writes by hand stays far below; an image could not have as many layers. */
export const mostInstructions = 1_000
/** `${V#x}`, `${V%x}` and `${V/x/y}`: each is looked for anew whenever somebody asks what a variable is. */
const mostPatterns = 1_000
const patternUse = /\$\{\w+[#%/]/g

export function parseDockerfile(text: string): Parsed {
  const { directives, lines, problems } = readLines(text)
  const found: Problem[] = [...problems]
  const instructions: Instruction[] = []
  for (const line of lines.slice(0, mostInstructions)) {
    const { instruction, problems: wrong } = readInstruction(line, directives.escapeToken)
    found.push(...wrong)
    if (instruction !== undefined) instructions.push(instruction)
  }
  const beyond = lines[mostInstructions]
  if (beyond !== undefined) {
    found.push({ line: beyond.line, column: 1, message: `it has more than ${mostInstructions} instructions` })
  }
  if ((text.match(patternUse)?.length ?? 0) > mostPatterns)
    return tooManyPatterns({ text, directives, globals: [], stages: [] })
  const { globals, stages, problems: misplaced } = intoStages(instructions)
  found.push(...misplaced)
  if (lines.length === 0) found.push({ line: 1, column: 1, message: 'it has no instructions' })
  else if (stages.length === 0 && found.length === 0) {
    const { line, column } = instructions.at(-1) ?? { line: 1, column: 1 }
    found.push({ line, column, message: 'it has no FROM, so that there is nothing to build' })
  }
  return {
    dockerfile: { text, directives, globals, stages },
    problems: told(found),
  }
}

/** Nothing of it is looked at any further. */
function tooManyPatterns(dockerfile: Dockerfile): Parsed {
  const message = `it has more than ${mostPatterns} patterns in its variables`
  return { dockerfile, problems: [{ line: 1, column: 1, message }] }
}

interface Staged {
  readonly globals: readonly Instruction[]
  readonly stages: readonly Stage[]
  readonly problems: readonly Problem[]
}

function intoStages(instructions: readonly Instruction[]): Staged {
  const first = instructions.findIndex(({ keyword }) => keyword === 'FROM')
  const before = first < 0 ? instructions : instructions.slice(0, first)
  const early = before.find(({ keyword }) => keyword !== 'ARG')
  const stages: Stage[] = []
  let own: Instruction[] = []
  for (const instruction of first < 0 ? [] : instructions.slice(first)) {
    if (instruction.keyword !== 'FROM') {
      own.push(instruction)
      continue
    }
    own = []
    stages.push(stageFrom(instruction, stages.length, own))
  }
  return {
    globals: before.filter(({ keyword }) => keyword === 'ARG'),
    stages,
    problems: early === undefined ? [] : [misplaced(early)],
  }
}

function stageFrom(from: Instruction, index: number, instructions: readonly Instruction[]): Stage {
  const [base, , name] = from.args
  const platform = from.flags.find((flag) => flag.name === 'platform')?.value
  return {
    index,
    from,
    base: base ?? { text: '', line: from.line, column: from.column },
    instructions,
    ...(name !== undefined && { name: name.text.toLowerCase() }),
    ...(platform !== undefined && { platform }),
  }
}

function misplaced({ line, column, keyword }: Instruction): Problem {
  return { line, column, message: `${keyword} comes before the first FROM: there only ARG may be` }
}
