/**
 * What Docker's classic builder writes while it builds, read line by line. Its own words and the output of programs come
 * in the same stream: words count as the builder's only where these can stand, so that no program passes for it.
 */
import type { BuildEvent, BuiltImage } from './builds.ts'
import { readStreamError } from './dockerimagesview.ts'
import { number, object, text } from './json.ts'

/** A failure in the words of a builder, and where it was then. */
export interface ToldFailure {
  readonly message: string
  readonly step?: number
  readonly instruction?: string
  readonly exitCode?: number
  /** That the step ran in; the beginning of its id. */
  readonly container?: string
}

interface Step {
  readonly number: number
  readonly instruction: string
  /** It runs, or has run, something: programs may write. */
  container?: string
  isCached: boolean
  /** It is a FROM whose image brings steps along. */
  hasTriggers: boolean
  layer?: string
  /** What may be its last words, or a program's: known when the next ones come. */
  held: string[]
}

const stepLine = /^Step (\d+)\/(\d+) : (.*)$/s
const cacheLine = ' ---> Using cache\n'
const runningLine = /^ ---> Running in ([0-9a-f]{12})\n$/
const layerLine = /^ ---> ([0-9a-f]{12})?\n$/
const removedLine = /^Removing intermediate container [0-9a-f]{12}\n$/
/** An `s` of its own may follow. */
const triggersLine = /^# Executing (\d+) build trigger/
const warningLine = /^(?: ---> )?\[Warning\] (.*)\n$/s
/** The builder's own words between two steps. */
const mostHeld = 4
const closingLine = /^(?:Successfully (?:built|tagged) .*|sha256:[0-9a-f]{64})\n?$/
const stageName = /^FROM\s.*\sAS\s+(\S+)\s*$/is
const isFrom = /^FROM\s/i
// biome-ignore lint/suspicious/noControlCharactersInRegex: it paints what programs write to stderr red.
const painted = /^\u001b\[91m(.*)\u001b\[0m$/s

export class ClassicReader {
  readonly #ids: { readonly id: string; readonly isBase: boolean }[] = []
  #step: Step | undefined
  #last = 0
  #of = 0
  /** The builder adds a last step for labels that are given to it, which nobody has written. */
  readonly #addedSteps: 0 | 1
  #stage: string | undefined
  failure: ToldFailure | undefined

  constructor({ hasLabels }: { readonly hasLabels: boolean }) {
    this.#addedSteps = hasLabels ? 1 : 0
  }

  /** Undefined: none was made. */
  get image(): BuiltImage | undefined {
    const [final, ...others] = this.#ids.toReversed()
    if (final === undefined) return undefined
    const stages = others.filter(({ id, isBase }) => !isBase && id !== final.id).map(({ id }) => id)
    return { image: final.id, stages: [...new Set(stages.toReversed())] }
  }

  /** One value of the stream. */
  read(line: unknown): readonly BuildEvent[] {
    const message = readStreamError(line)
    if (message !== undefined) return this.#fail(message, number(object(line, 'errorDetail')['code']))
    const root = object(line)
    const id = text(object(root, 'aux')['ID'])
    if (id !== '') return this.#endStage(id)
    const words = text(root['stream'])
    return words === '' ? this.#pulling(root) : this.#said(words)
  }

  /** It will say no more. */
  broken(): readonly BuildEvent[] {
    return this.#end('Canceled')
  }

  #said(words: string): readonly BuildEvent[] {
    const begun = stepLine.exec(words)
    if (begun !== null && Number(begun[1]) === this.#last + 1) {
      const of = Number(begun[2])
      if (this.#of === 0 || of === this.#of) return this.#next(of, begun[3]?.trim() ?? '')
    }
    const step = this.#step
    if (step === undefined) return ofTheWhole(words)
    return step.container === undefined ? beforeItRuns(step, words) : whileItRuns(step, words)
  }

  #next(of: number, instruction: string): readonly BuildEvent[] {
    const ended = this.#end('Done')
    this.#last += 1
    this.#of = of
    const isAdded = this.#addedSteps > 0 && this.#last === of && instruction.startsWith('LABEL ')
    return isAdded ? ended : [...ended, ...this.#begin(of - this.#addedSteps, instruction)]
  }

  #begin(of: number, instruction: string): readonly BuildEvent[] {
    const step = this.#last
    this.#step = { number: step, instruction, isCached: false, hasTriggers: false, held: [] }
    if (isFrom.test(instruction)) this.#stage = stageName.exec(instruction)?.[1]
    const named = this.#stage !== undefined && { stage: this.#stage }
    return [{ type: 'step', step, of, instruction, ...named }]
  }

  #endStage(id: string): readonly BuildEvent[] {
    const step = this.#step
    const isBase = step !== undefined && isFrom.test(step.instruction) && !step.hasTriggers
    this.#ids.push({ id, isBase })
    return this.#end('Done')
  }

  #fail(message: string, code: number): readonly BuildEvent[] {
    const step = this.#step
    this.failure = {
      message,
      ...(step !== undefined && { step: step.number, instruction: step.instruction }),
      ...(step?.container !== undefined && { container: step.container }),
      ...(code !== 0 && { exitCode: code }),
    }
    return this.#end('Failed')
  }

  #end(state: 'Done' | 'Failed' | 'Canceled'): readonly BuildEvent[] {
    const step = this.#step
    this.#step = undefined
    if (step === undefined) return []
    return [
      {
        type: 'stepDone',
        step: step.number,
        state: step.isCached && state === 'Done' ? 'Cached' : state,
        ...(step.layer !== undefined && state === 'Done' && { layer: step.layer }),
      },
    ]
  }

  /** Of a base image, or of a file from elsewhere; how far it is, is not passed on. */
  #pulling(root: Readonly<Record<string, unknown>>): readonly BuildEvent[] {
    const status = text(root['status'])
    if (
      status === '' ||
      'total' in object(root, 'progressDetail') ||
      'current' in object(root, 'progressDetail')
    )
      return []
    const id = text(root['id'])
    const step = this.#step && { step: this.#step.number }
    return [{ type: 'output', ...step, text: `${id === '' ? '' : `${id}: `}${status.trim()}\n` }]
  }
}

function ofTheWhole(words: string): readonly BuildEvent[] {
  const warning = warningLine.exec(words)?.[1]
  if (warning !== undefined) return [{ type: 'warning', message: warning }]
  if (runningLine.test(words) || layerLine.test(words) || words === cacheLine || removedLine.test(words))
    return []
  return words === '\n' || closingLine.test(words) ? [] : [{ type: 'output', text: words }]
}

function beforeItRuns(step: Step, words: string): readonly BuildEvent[] {
  const warning = warningLine.exec(words)?.[1]
  if (warning !== undefined) return [{ type: 'warning', message: warning }]
  if (words === '\n') return []
  const container = runningLine.exec(words)?.[1]
  const layer = layerLine.exec(words)
  if (words === cacheLine) step.isCached = true
  else if (container !== undefined) run(step, container)
  else if (layer !== null) keepLayer(step, layer[1])
  else if (!triggersLine.test(words)) return step.hasTriggers && words === 's' ? [] : [output(step, words)]
  else {
    step.hasTriggers = true
    return [output(step, `${words}${words.includes(' 1 ') ? '' : 's'}\n`)]
  }
  return []
}

/** The builder speaks again when the container is gone; that it did shows by what comes after. */
function whileItRuns(step: Step, words: string): readonly BuildEvent[] {
  const container = runningLine.exec(words)?.[1]
  const layer = layerLine.exec(words)?.[1]
  if (words === `Removing intermediate container ${step.container}\n` || layer !== undefined) {
    if (layer !== undefined) keepLayer(step, layer)
    step.held.push(words)
    // Of more a program is the author, and may go on for ever.
    return step.held.splice(0, step.held.length - mostHeld).map((one) => output(step, one))
  }
  if (container !== undefined && step.hasTriggers && step.held.length > 0) {
    run(step, container)
    return []
  }
  const held = step.held.splice(0)
  return [...held, words].map((one) => output(step, one))
}

function run(step: Step, container: string): void {
  step.container = container
  step.isCached = false
  step.held = []
}

function keepLayer(step: Step, layer: string | undefined): void {
  if (layer !== undefined) step.layer = layer
}

function output(step: Step, words: string): BuildEvent {
  return { type: 'output', step: step.number, text: painted.exec(words)?.[1] ?? words }
}
