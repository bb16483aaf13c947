/**
 * What people see of builds as they go. On a terminal a line for each step, and below the one that runs the last lines that it
 * wrote, redrawn in place; elsewhere the lines of the log, each once. Of several builds at once each line says whose it is.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { parseBuildLogLine } from '#pkg/build/buildlog.ts'
import type { Output } from '../io.ts'
import type { BuildScreen, Heads } from './buildscreen.ts'
import { LiveBlock, LiveScreen } from './livescreen.ts'
import { afterLine, noSteps } from './steps.ts'

/** `name`: for messages, `build/web`. */
export function makeBuildScreen(output: Output, clock: Clock, name: string): BuildScreen {
  const heads = { line: '', note: `${name}: ` }
  return output.isTTY
    ? new LiveScreen(new LiveBlock(output, clock), heads)
    : new PlainScreen(output, clock, heads)
}

/** Those of several builds beside each other, each line behind its name: `web | [1/3] FROM busybox:1`. */
export function makeBuildScreens(output: Output, clock: Clock, names: readonly string[]): BuildScreen[] {
  const width = Math.max(0, ...names.map((name) => name.length))
  const block = new LiveBlock(output, clock)
  return names.map((name) => {
    const head = `${name.padEnd(width)} | `
    const heads = { line: head, note: head }
    return output.isTTY ? new LiveScreen(block, heads) : new PlainScreen(output, clock, heads)
  })
}

export class QuietScreen implements BuildScreen {
  readonly steps = noSteps
  async begin(): Promise<void> {}
  async line(): Promise<void> {}
  async note(): Promise<void> {}
  async tell(): Promise<void> {}
  async aside(write: () => Promise<void>): Promise<void> {
    await write()
  }
  async finish(): Promise<void> {}
}

/** What lasts no longer is no news. */
const notedAfterMs = 1000

class PlainScreen implements BuildScreen {
  readonly #output: Output
  readonly #clock: Clock
  readonly #heads: Heads
  #note = ''
  #cancelNote: (() => void) | undefined
  #failure: { readonly error: unknown } | undefined
  steps = noSteps

  constructor(output: Output, clock: Clock, heads: Heads) {
    this.#output = output
    this.#clock = clock
    this.#heads = heads
  }

  async begin(): Promise<void> {
    this.#hush()
    this.steps = noSteps
  }

  async line(line: string): Promise<void> {
    this.#hush()
    this.steps = afterLine(this.steps, parseBuildLogLine(line), this.#clock.now())
    await this.tell(line)
  }

  async note(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure.error
    if (text === this.#note) return
    this.#hush()
    this.#note = text
    if (text === '') return
    this.#cancelNote = this.#clock.after(notedAfterMs, () => {
      // The next line that must be seen says that nobody can see it.
      this.#output.write(`${this.#heads.note}${text}\n`).catch((error: unknown) => {
        this.#failure = { error }
      })
    })
  }

  async tell(text: string): Promise<void> {
    await this.#output.write(`${this.#heads.line}${text}\n`)
  }

  async aside(write: () => Promise<void>): Promise<void> {
    await write()
  }

  async finish(): Promise<void> {
    this.#hush()
  }

  #hush(): void {
    this.#cancelNote?.()
    this.#cancelNote = undefined
  }
}
