/**
 * What people see of a build as it goes. On a terminal a line for each step, and below the one that runs the last lines that
 * it wrote, redrawn in place; elsewhere the lines of the log, each once.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { parseBuildLogLine, secondsText } from '#pkg/build/buildlog.ts'
import type { Output } from '../io.ts'
import { plainText } from '../table.ts'
import { afterLine, noSteps, runningSteps, type ShownStep, type Steps } from './steps.ts'

export interface BuildScreen {
  /** What was told so far of the attempt. */
  readonly steps: Steps
  /** A new attempt: its steps are others. */
  begin(): Promise<void>
  /** A line of the log. */
  line(line: string): Promise<void>
  /** What is going on when no step is: `it has no node yet`. */
  note(text: string): Promise<void>
  /** Takes away what is redrawn; the lines of steps stay. */
  finish(): Promise<void>
}

export function makeBuildScreen(output: Output, clock: Clock, name: string): BuildScreen {
  return output.isTTY ? new LiveScreen(output, clock, name) : new PlainScreen(output, clock, name)
}

export class QuietScreen implements BuildScreen {
  readonly steps = noSteps
  async begin(): Promise<void> {}
  async line(): Promise<void> {}
  async note(): Promise<void> {}
  async finish(): Promise<void> {}
}

/** What lasts no longer is no news. */
const notedAfterMs = 1500

class PlainScreen implements BuildScreen {
  readonly #output: Output
  readonly #clock: Clock
  readonly #name: string
  #note = ''
  #cancelNote: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  steps = noSteps

  constructor(output: Output, clock: Clock, name: string) {
    this.#output = output
    this.#clock = clock
    this.#name = name
  }

  async begin(): Promise<void> {
    this.#hush()
    this.steps = noSteps
  }

  async line(line: string): Promise<void> {
    this.#hush()
    this.steps = afterLine(this.steps, parseBuildLogLine(line), this.#clock.now())
    await this.#output.write(`${line}\n`)
  }

  async note(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    if (text === this.#note) return
    this.#hush()
    this.#note = text
    this.#cancelNote = this.#clock.after(notedAfterMs, () => {
      // The next line that must be seen says that nobody can see it.
      this.#output.write(`${this.#name}: ${text}\n`).catch((error: unknown) => {
        this.#failure = { error }
      })
    })
  }

  async finish(): Promise<void> {
    this.#hush()
  }

  #hush(): void {
    this.#cancelNote?.()
    this.#cancelNote = undefined
  }
}

const redrawEveryMs = 200
const shownLines = 6

class LiveScreen implements BuildScreen {
  readonly #output: Output
  readonly #clock: Clock
  readonly #name: string
  steps = noSteps
  #note: { readonly text: string; readonly since: number } | undefined
  #drawn = 0
  #cancelTimer: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  /** One write after the other, whoever asks for it. */
  #last: Promise<void> = Promise.resolve()

  constructor(output: Output, clock: Clock, name: string) {
    this.#output = output
    this.#clock = clock
    this.#name = name
  }

  async begin(): Promise<void> {
    this.steps = noSteps
    this.#note = undefined
  }

  async line(written: string): Promise<void> {
    const line = parseBuildLogLine(withoutGaps(written))
    this.#note = undefined
    this.steps = afterLine(this.steps, line, this.#clock.now())
    const ended = line.type === 'stepDone' ? this.steps.get(line.step) : undefined
    if (ended !== undefined) return await this.#draw([stepLine(ended, this.#now())])
    if (line.type === 'output' && line.step === undefined && line.text !== '')
      return await this.#draw([line.text])
    // What steps write may come by thousands of lines: the timer shows the last ones.
    if (line.type === 'step') await this.#draw([])
    else this.#schedule()
  }

  async note(told: string): Promise<void> {
    const text = withoutGaps(told)
    if (this.#note?.text === text) return
    this.#note = { text, since: this.#now() }
    await this.#draw([])
  }

  async finish(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    await this.#last
    await this.#output.write(this.#clear())
    this.#drawn = 0
  }

  #now(): number {
    return this.#clock.now()
  }

  #schedule(): void {
    if (this.#cancelTimer !== undefined) return
    this.#cancelTimer = this.#clock.after(redrawEveryMs, () => {
      this.#cancelTimer = undefined
      // The next line that must be seen says that nobody can see it.
      this.#draw([]).catch((error: unknown) => {
        this.#failure = { error }
      })
    })
  }

  async #draw(lasting: readonly string[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    const turn = this.#last.then(async () => {
      const note = this.#note === undefined ? [] : [this.#noteLine(this.#note)]
      const block = [...note, ...liveLines(this.steps, this.#now())]
      const toWidth = (line: string) => fitted(line, this.#output.columns)
      const text = [...lasting, ...block].map((line) => `${toWidth(line)}\n`).join('')
      const clear = this.#clear()
      this.#drawn = block.length
      await this.#output.write(`${clear}${text}`)
      if (block.length > 0) this.#schedule()
    })
    this.#last = turn.catch(() => undefined)
    await turn
  }

  #noteLine({ text, since }: { readonly text: string; readonly since: number }): string {
    return timed(`${this.#name}: ${text}`, secondsText((this.#now() - since) / 1000))
  }

  #clear(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`
  }
}

/** Marks where a line has room, and what comes behind that. */
const gap = '\u0000'

/** Whoever writes one must not pass for a time, which is shown as it is. */
function withoutGaps(text: string): string {
  return text.replaceAll(gap, '')
}

function timed(text: string, time: string): string {
  return `${text}${gap}${time}`
}

/** The steps that run, and below them what they wrote last: the fewer lines of each, the more they are. */
function liveLines(steps: Steps, now: number): string[] {
  const running = runningSteps(steps)
  const each = Math.max(1, Math.floor(shownLines / Math.max(1, running.length)))
  return running.flatMap((step) => [
    stepLine(step, now),
    ...step.tail.slice(-each).map((line) => `    ${line}`),
  ])
}

function stepLine({ step, of, stage, instruction, since, end, seconds }: ShownStep, now: number): string {
  const head = `[${stage === undefined ? '' : `${stage} `}${step}/${Math.max(of, step)}] ${instruction}`
  if (end === 'Cached') return timed(head, 'CACHED')
  const time = secondsText(seconds ?? Math.max(0, now - since) / 1000)
  const word = end === 'Failed' ? 'FAILED ' : end === 'Canceled' ? 'CANCELED ' : ''
  return timed(head, `${word}${time}`)
}

/** Not wider than the terminal; what is timed ends at its right. Nothing in it gives orders to the terminal. */
export function fitted(line: string, columns: number): string {
  const [text = '', time] = line.split(gap)
  const width = columns - 1
  const plain = [...withoutColours(text)]
  if (time === undefined) return plain.slice(0, width).join('')
  const room = Math.max(0, width - time.length - 1)
  const cut = plain.length <= room ? plain.join('') : `${plain.slice(0, Math.max(0, room - 1)).join('')}…`
  return `${cut.padEnd(room)} ${time}`
}

/** Tools colour what they write to a terminal; a cut line would colour what follows it. */
function withoutColours(text: string): string {
  const orders = new RegExp(`${String.fromCharCode(27)}\\[[0-9;?]*[A-Za-z]`, 'g')
  return plainText(text.replaceAll(orders, '').replaceAll('\t', '  '))
}
