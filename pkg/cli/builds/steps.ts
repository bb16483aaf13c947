/** The steps of an attempt as its log tells them, line by line. Pure. */

import type { BuildStep } from '#pkg/apis/build.ts'
import { type BuildLogLine, BuildLogLines, type StepEnd } from '#pkg/build/buildlog.ts'

export interface ShownStep {
  readonly step: number
  readonly of: number
  readonly instruction: string
  readonly stage?: string
  /** ms since the epoch: when its beginning was read here. */
  readonly since: number
  readonly end?: StepEnd
  readonly seconds?: number
  /** What it wrote last. */
  readonly tail: readonly string[]
}

export type Steps = ReadonlyMap<number, ShownStep>

export const noSteps: Steps = new Map()

/** Lines of a step that are kept. */
const mostLines = 20

export function afterLine(steps: Steps, line: BuildLogLine, now: number): Steps {
  if (line.type === 'output') return line.step === undefined ? steps : withOutput(steps, line.step, line.text)
  const known = steps.get(line.step)
  const { step } = line
  if (line.type === 'step') {
    const { of, instruction, stage } = line
    const shown = { step, of, instruction, ...(stage !== undefined && { stage }), since: now, tail: [] }
    return new Map(steps).set(step, shown)
  }
  const { state: end, seconds = known === undefined ? 0 : (now - known.since) / 1000 } = line
  const begun = known ?? { step, of: step, instruction: '', since: now, tail: [] }
  return new Map(steps).set(step, { ...begun, end, seconds })
}

function withOutput(steps: Steps, step: number, text: string): Steps {
  const known = steps.get(step)
  if (known === undefined) return steps
  return new Map(steps).set(step, { ...known, tail: [...known.tail, text].slice(-mostLines) })
}

export function runningSteps(steps: Steps): ShownStep[] {
  return [...steps.values()].filter(({ end }) => end === undefined)
}

/** Lines that tell of the steps what has not been told yet: for when the log itself cannot be read. */
export function linesOfStatus(told: Steps, steps: readonly BuildStep[]): string[] {
  const lines = new BuildLogLines()
  return steps.flatMap(({ number, instruction, state, seconds, stage }) => {
    const known = told.get(number)
    const named = stage !== undefined && !/^\d+$/.test(stage) ? { stage } : {}
    const begun = lines.add({ type: 'step', step: number, of: steps.length, instruction, ...named })
    if (known?.end !== undefined) return []
    const time = seconds === undefined ? {} : { seconds }
    const ended = state === 'Running' ? [] : lines.add({ type: 'stepDone', step: number, state, ...time })
    return [...(known === undefined ? begun : []), ...ended]
  })
}
