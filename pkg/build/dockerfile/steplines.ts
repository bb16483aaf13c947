/** Which line of a Dockerfile a step of a builder is made of: builders tell none of a command that fails. Pure. */
import type { Dockerfile, Instruction, Stage } from './dockerfile.ts'

/** What the builder tells of a step. */
export interface ToldStep {
  /** `RUN make`, as the builder writes it. */
  readonly instruction: string
  /** Its name, or `stage-1`; absent of a Dockerfile with one stage that has none. */
  readonly stage?: string
  /** BuildKit only: its place among those of its stage that make layers, from 1; FROM is the first where there is an image. */
  readonly inStage?: { readonly step: number }
}

/** The classic builder makes one step of each instruction, in their order. */
export function classicSteps({ globals, stages }: Dockerfile): readonly Instruction[] {
  return [...globals, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])]
}

export function lineOfClassicStep(dockerfile: Dockerfile, number: number): number | undefined {
  return classicSteps(dockerfile)[number - 1]?.line
}

/**
 * By its place where the instruction there is of the same kind, else by its words: instructions that a base image brings
 * along (ONBUILD) shift all others, and have no line themselves.
 */
export function lineOfBuildKitStep(dockerfile: Dockerfile, told: ToldStep): number | undefined {
  const stage = stageOf(dockerfile, told.stage)
  if (stage === undefined) return undefined
  const made = counted(dockerfile, stage)
  const exact = made.filter((each) => isSame(each, told.instruction))
  const there = made[(told.inStage?.step ?? 0) - 1]
  if (there !== undefined && (exact.includes(there) || exact.length === 0) && isOfKind(there, told))
    return there.line
  return exact[0]?.line
}

function stageOf({ stages }: Dockerfile, name: string | undefined): Stage | undefined {
  if (name === undefined) return stages.length === 1 ? stages[0] : undefined
  const [, index] = /^stage-(\d+)$/.exec(name) ?? []
  const named = stages.findLast((stage) => stage.name === name.toLowerCase())
  return named ?? (index === undefined ? undefined : stages[Number(index)])
}

function counted({ stages }: Dockerfile, { index, base, from, instructions }: Stage): Instruction[] {
  const isStage = stages.some((other) => other.index < index && other.name === base.text.toLowerCase())
  const first = isStage || base.text === 'scratch' ? [] : [from]
  const making = instructions.filter(({ keyword }) => /^(?:RUN|COPY|ADD|WORKDIR)$/.test(keyword))
  return [...first, ...making]
}

function isOfKind({ keyword }: Instruction, { instruction }: ToldStep): boolean {
  return instruction.toUpperCase().startsWith(keyword)
}

function isSame({ keyword, text }: Instruction, instruction: string): boolean {
  return plain(`${keyword} ${text}`) === plain(instruction)
}

function plain(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}
