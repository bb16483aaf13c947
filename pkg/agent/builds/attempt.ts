/**
 * One attempt to build, while it is under way: what the engine tells becomes steps of the status and lines of the log.
 * Steps that the agent has put into the Dockerfile are not told.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { statusBounds } from '#pkg/apis/build.status.ts'
import type { BuildFailure, BuildStep, BuildWarning } from '#pkg/apis/build.ts'
import { BuildLogLines } from '#pkg/build/buildlog.ts'
import type { Labelled } from '#pkg/build/dockerfile/labels.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { lineOfBuildKitStep, lineOfClassicStep } from '#pkg/build/dockerfile/steplines.ts'
import type { BuildEvent, BuildFailureDetails } from '#pkg/engine/builds.ts'
import type { LogWriter } from './buildlogs.ts'
import type { BuildOrder, RunningBuild } from './port.ts'

type StepEvent = Extract<BuildEvent, { type: 'step' }>

export type Mapping = Pick<Labelled, 'hides' | 'stepOf' | 'lineOf'>

export interface AttemptOptions {
  readonly clock: Clock
  readonly order: BuildOrder
  readonly log: Pick<LogWriter, 'line' | 'end'>
  /** There is more to tell. */
  readonly onChange: () => void
}

const longestTail = 8192
const longestInstruction = 256
const longestName = 128
/** A builder repeats whole commands in what it says. */
const longestMessage = 2048

export class Attempt implements RunningBuild {
  readonly order: BuildOrder
  readonly startedAt: number
  readonly #options: AttemptOptions
  readonly #lines = new BuildLogLines()
  readonly #steps = new Map<number, BuildStep>()
  /** As each began. */
  readonly #began = new Map<number, { readonly at: number; readonly told: StepEvent }>()
  readonly #warnings: BuildWarning[] = []
  /** The last of what each step wrote. */
  readonly #tails = new Map<number, string>()
  #mapping: Mapping = { hides: () => false, stepOf: (step) => step, lineOf: (line) => line }
  #triggers: ReadonlyMap<number, readonly string[]> = new Map()
  #failed: number | undefined

  constructor(options: AttemptOptions) {
    this.#options = options
    this.order = options.order
    this.startedAt = options.clock.now()
    options.log.line(`attempt ${options.order.attempt}: ${options.order.cause}`)
  }

  get steps(): readonly BuildStep[] {
    return [...this.#steps.values()].sort((a, b) => a.number - b.number).slice(0, statusBounds.steps)
  }

  get warnings(): readonly BuildWarning[] {
    return this.#warnings
  }

  /** Of steps and lines that the engine tells from here on. */
  useMapping(mapping: Mapping): void {
    this.#mapping = mapping
  }

  /** What steps that the engine tells from here on run along with them, by their number. */
  useTriggers(triggers: ReadonlyMap<number, readonly string[]>): void {
    this.#triggers = triggers
  }

  say(line: string): void {
    this.#options.log.line(line)
  }

  add(told: BuildEvent): void {
    const event = this.#mapped(told)
    if (event === undefined) return
    this.#note(event)
    const lines = this.#lines.text(this.#timed(event))
    if (lines !== undefined) this.#options.log.line(lines)
    if (event.type === 'step') this.#logTriggers(event.step)
    this.#options.onChange()
  }

  /** The record of why it failed: of the step, with its last lines and the line of the Dockerfile. */
  failureOf(
    { step, exitCode, line }: BuildFailureDetails,
    told: { readonly reason: string; readonly message: string },
  ): BuildFailure {
    const number = step === undefined ? this.#failed : this.#mapping.stepOf(step)
    const found = number === undefined ? undefined : this.#steps.get(number)
    const at = line === undefined ? this.#lineOfStep(number) : this.#mapping.lineOf(line)
    const log = number === undefined ? [] : this.#tailOf(number)
    const where = found === undefined ? '' : `step ${found.number}: ${found.instruction}: `
    return {
      reason: told.reason,
      message: cut(`${where}${told.message}`, longestMessage),
      ...(exitCode !== undefined && { exitCode }),
      ...(number !== undefined && number > 0 && { step: number }),
      ...(at !== undefined && { line: at }),
      ...(log.length > 0 && { log }),
    }
  }

  #lineOfStep(number: number | undefined): number | undefined {
    if (number === undefined) return undefined
    const { builder, dockerfile: text } = this.order
    const { dockerfile } = parseDockerfile(text)
    if (builder === 'Classic') return lineOfClassicStep(dockerfile, number)
    const told = this.#began.get(number)?.told
    return told === undefined ? undefined : lineOfBuildKitStep(dockerfile, told)
  }

  /** Last words. */
  end(result: string, words: string): void {
    for (const line of this.#lines.end()) this.#options.log.line(line)
    this.#options.log.line(words)
    this.#options.log.end(result)
  }

  #logTriggers(step: number): void {
    for (const trigger of this.#triggers.get(step) ?? []) {
      const lines = this.#lines.text({ type: 'output', step, text: `ONBUILD ${trigger}\n` })
      if (lines !== undefined) this.#options.log.line(lines)
    }
  }

  /** Undefined: of a step that is not told. */
  #mapped(event: BuildEvent): BuildEvent | undefined {
    const { hides, stepOf, lineOf } = this.#mapping
    if (event.type === 'warning')
      return event.line === undefined ? event : { ...event, line: lineOf(event.line) }
    if (event.step === undefined) return event
    if (hides(event.step)) return undefined
    const step = stepOf(event.step)
    return event.type === 'step' ? { ...event, step, of: stepOf(event.of) } : { ...event, step }
  }

  /** With what was measured here, where the builder does not tell. */
  #timed(event: BuildEvent): BuildEvent {
    const seconds = event.type === 'stepDone' ? this.#steps.get(event.step)?.seconds : undefined
    return event.type === 'stepDone' && seconds !== undefined ? { ...event, seconds } : event
  }

  #note(event: BuildEvent): void {
    if (event.type === 'step') this.#begin(event)
    else if (event.type === 'stepDone') this.#done(event)
    else if (event.type === 'warning') this.#warn(event)
    else if (event.step !== undefined) {
      const text = `${this.#tails.get(event.step) ?? ''}${event.text}`
      this.#tails.set(event.step, text.slice(-longestTail))
    }
  }

  #begin(told: StepEvent): void {
    const { step: number, instruction, stage } = told
    const triggers = this.#triggers.get(number)?.slice(0, statusBounds.triggers)
    this.#began.set(number, { at: this.#options.clock.now(), told })
    this.#steps.set(number, {
      number,
      instruction: cut(instruction, longestInstruction),
      state: 'Running',
      ...(stage !== undefined && { stage: cut(stage, longestName) }),
      ...(triggers !== undefined && { triggers: triggers.map((one) => cut(one, longestInstruction)) }),
    })
  }

  #done({ step: number, state, seconds, layer }: Extract<BuildEvent, { type: 'stepDone' }>): void {
    const step = this.#steps.get(number)
    if (step === undefined) return
    const took = (this.#options.clock.now() - (this.#began.get(number)?.at ?? 0)) / 1000
    const told = Math.round((seconds ?? took) * 1000) / 1000
    if (state === 'Failed') this.#failed = number
    else this.#tails.delete(number)
    this.#steps.set(number, { ...step, state, seconds: told, ...(layer !== undefined && { layer }) })
  }

  #warn({ message, line }: Extract<BuildEvent, { type: 'warning' }>): void {
    if (this.#warnings.length >= statusBounds.warnings) return
    this.#warnings.push({
      rule: 'Builder',
      message: cut(message, longestMessage),
      ...(line !== undefined && { line }),
    })
  }

  #tailOf(number: number): string[] {
    const text = this.#tails.get(number) ?? ''
    const lines = text
      .split('\n')
      .map((line) => cut(line.slice(line.lastIndexOf('\r', line.length - 2) + 1), 512))
    return lines.filter((line) => line !== '').slice(-statusBounds.failureLog)
  }
}

function cut(text: string, longest: number): string {
  return text.length > longest ? `${text.slice(0, longest)}...` : text
}
