/**
 * Labels for every stage's image: the classic builder gives those of a request to the last one only, so that images of
 * other stages could not be found again. A LABEL goes to the end of each stage; steps and lines that come back from the
 * builder are told as if it were not there.
 */
import type { Dockerfile, Stage } from './dockerfile.ts'
import { parseDockerfile } from './parse.ts'

export interface Labelled {
  readonly text: string
  /** Whether this step, counted as the builder counts, is one that was put in. */
  readonly hides: (step: number) => boolean
  /** Its number without those that were put in, also for how many there are; of one that was put in that of the step before. */
  readonly stepOf: (step: number) => number
  /** Line of the text that was given. */
  readonly lineOf: (line: number) => number
}

/**
 * Whoever builds the text that comes of this sends no labels along to the classic builder: it would make a step of its
 * own of them. Labels that one line cannot hold are left out.
 */
export function withStageLabels(dockerfile: Dockerfile, labels: Readonly<Record<string, string>>): Labelled {
  const line = labelLine(labels)
  const unchanged = labelled(dockerfile.text, [], [])
  if (line === undefined) return unchanged
  const ends = dockerfile.stages.map(endOf)
  const lines = dockerfile.text.split('\n')
  const blocks = ends.flatMap((end, index) => [...lines.slice(ends[index - 1] ?? 0, end), line])
  const text = [...blocks, ...lines.slice(ends.at(-1) ?? 0)].join('\n')
  return holdsThem(text, dockerfile) ? labelled(text, ends, labelSteps(dockerfile)) : unchanged
}

function labelled(text: string, ends: readonly number[], steps: readonly number[]): Labelled {
  return {
    text,
    hides: (step) => steps.includes(step),
    stepOf: (step) => step - steps.filter((own) => own <= step).length,
    lineOf: (line) => line - ends.filter((end, index) => line > end + index).length,
  }
}

/** A last line that is to be continued would take the label for its continuation. */
function holdsThem(text: string, { stages }: Dockerfile): boolean {
  const { dockerfile, problems } = parseDockerfile(text)
  const counts = dockerfile.stages.map(({ instructions }) => instructions.length)
  return (
    problems.length === 0 && stages.every((stage, index) => counts[index] === stage.instructions.length + 1)
  )
}

/** The last line of a stage. */
function endOf({ from, instructions }: Stage): number {
  return (instructions.at(-1) ?? from).endLine
}

/** One instruction is one step; FROM is one, too, and so is what stands before the first of them. */
function labelSteps({ globals, stages }: Dockerfile): readonly number[] {
  let step = globals.length
  return stages.map(({ instructions }) => {
    step += 1 + instructions.length + 1
    return step
  })
}

function labelLine(labels: Readonly<Record<string, string>>): string | undefined {
  const pairs = Object.entries(labels).filter((pair) => !/[\r\n]/.test(pair.join('')))
  if (pairs.length === 0) return undefined
  return `LABEL ${pairs.map(([key, value]) => `${quoted(key)}=${quoted(value)}`).join(' ')}`
}

/** Single quotes hold everything but themselves, whatever the escape token is. */
function quoted(text: string): string {
  return text
    .split("'")
    .map((part) => `'${part}'`)
    .join(`"'"`)
}
