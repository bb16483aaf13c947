/**
 * Builds on a terminal: lines that last, and below them one block that is redrawn in place, of what is going on in all of
 * them.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { parseBuildLogLine, secondsText } from '#pkg/build/buildlog.ts'
import type { Output } from '../io.ts'
import { plainText } from '../table.ts'
import type { BuildScreen, Heads } from './buildscreen.ts'
import { afterLine, noSteps, runningSteps, type ShownStep } from './steps.ts'

const redrawEveryMs = 200
/** What running steps wrote last, of all of them together. */
const shownLines = 6
/** A block that is higher than the terminal cannot be taken away again. */
const mostLines = 20

interface Shown {
  /** Of the block; `tails`: how many lines of what each of its running steps wrote. */
  lines(tails: number): readonly string[]
  readonly running: number
}

export class LiveBlock {
  readonly #output: Output
  readonly clock: Clock
  readonly #shown = new Set<Shown>()
  #drawn = 0
  #cancelTimer: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  /** One write after the other, whoever asks for it. */
  #last: Promise<void> = Promise.resolve()

  constructor(output: Output, clock: Clock) {
    this.#output = output
    this.clock = clock
  }

  show(one: Shown): void {
    this.#shown.add(one)
  }

  /** The last one takes the block with it. */
  async hide(one: Shown): Promise<void> {
    this.#shown.delete(one)
    if (this.#shown.size > 0) return await this.draw([])
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    await this.#last
    await this.#output.write(this.#clear())
    this.#drawn = 0
  }

  /** Soon: what steps write may come by thousands of lines. */
  schedule(): void {
    if (this.#cancelTimer !== undefined) return
    this.#cancelTimer = this.clock.after(redrawEveryMs, () => {
      this.#cancelTimer = undefined
      // The next line that must be seen says that nobody can see it.
      this.draw([]).catch((error: unknown) => {
        this.#failure = { error }
      })
    })
  }

  async draw(lasting: readonly string[]): Promise<void> {
    await this.#inTurn(async () => {
      const block = this.#block()
      const toWidth = (line: string) => fitted(line, this.#output.columns)
      const text = [...lasting, ...block].map((line) => `${toWidth(line)}\n`).join('')
      const clear = this.#clear()
      this.#drawn = block.length
      await this.#output.write(`${clear}${text}`)
      if (block.length > 0) this.schedule()
    })
  }

  async aside(write: () => Promise<void>): Promise<void> {
    await this.#inTurn(async () => {
      await this.#output.write(this.#clear())
      this.#drawn = 0
      await write()
    })
    await this.draw([])
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    const turn = this.#last.then(work)
    this.#last = turn.catch(() => undefined)
    await turn
  }

  /** The fewer lines of each step, the more of them there are. */
  #block(): readonly string[] {
    const shown = [...this.#shown]
    const running = shown.reduce((sum, one) => sum + one.running, 0)
    const tails = Math.max(1, Math.floor(shownLines / Math.max(1, running)))
    const whole = shown.flatMap((one) => one.lines(tails))
    if (whole.length <= mostLines) return whole
    const steps = shown.flatMap((one) => one.lines(0))
    if (steps.length <= mostLines) return steps
    return [...steps.slice(0, mostLines - 1), `... and ${steps.length - mostLines + 1} more`]
  }

  #clear(): string {
    return this.#drawn === 0 ? '' : `\u001b[${this.#drawn}A\u001b[J`
  }
}

/** One build of a block. */
export class LiveScreen implements BuildScreen {
  readonly #block: LiveBlock
  readonly #heads: Heads
  steps = noSteps
  #note: { readonly text: string; readonly since: number } | undefined

  constructor(block: LiveBlock, heads: Heads) {
    this.#block = block
    this.#heads = heads
    block.show(this)
  }

  get running(): number {
    return runningSteps(this.steps).length
  }

  async begin(): Promise<void> {
    this.steps = noSteps
    this.#note = undefined
  }

  async line(written: string): Promise<void> {
    const line = parseBuildLogLine(withoutGaps(written))
    this.#note = undefined
    this.steps = afterLine(this.steps, line, this.#now())
    const ended = line.type === 'stepDone' ? this.steps.get(line.step) : undefined
    if (ended !== undefined) return await this.tell(stepLine(ended, this.#now()))
    if (line.type === 'output' && line.step === undefined && line.text !== '')
      return await this.tell(line.text)
    if (line.type === 'step') await this.#block.draw([])
    else this.#block.schedule()
  }

  async note(told: string): Promise<void> {
    const text = withoutGaps(told)
    if (text === (this.#note?.text ?? '')) return
    this.#note = text === '' ? undefined : { text, since: this.#now() }
    await this.#block.draw([])
  }

  async tell(text: string): Promise<void> {
    await this.#block.draw([`${this.#heads.line}${text}`])
  }

  async aside(write: () => Promise<void>): Promise<void> {
    await this.#block.aside(write)
  }

  async finish(): Promise<void> {
    await this.#block.hide(this)
  }

  /** Of the block. */
  lines(tails: number): readonly string[] {
    const { line, note } = this.#heads
    const noted = this.#note === undefined ? [] : [`${note}${this.#noteText(this.#note)}`]
    const steps = runningSteps(this.steps).flatMap((step) => [
      stepLine(step, this.#now()),
      ...(tails === 0 ? [] : step.tail.slice(-tails).map((text) => `    ${text}`)),
    ])
    return [...noted, ...steps.map((text) => `${line}${text}`)]
  }

  #noteText({ text, since }: { readonly text: string; readonly since: number }): string {
    return timed(text, secondsText((this.#now() - since) / 1000))
  }

  #now(): number {
    return this.#block.clock.now()
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
