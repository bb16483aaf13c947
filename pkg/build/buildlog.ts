/**
 * The log of a build as lines: written by the node that builds, read by people as they are, and by the command line for
 * its progress. A line is one of
 *
 *     [3/7] RUN make                     a step begins; `[build 3/7]` where its stage has a name
 *     #3 cc -c main.c                    step 3 writes
 *     [3/7] DONE 12.4s                   it has ended: DONE, CACHED, FAILED or CANCELED
 *     warning: line 4: ...               of the builder
 *     anything else                      what the builder itself writes
 *
 * Steps may run beside each other, so each line says whose it is. Pure.
 */

/** What a builder tells as it goes; the engine port's BuildEvent is one. */
export type LoggedEvent =
  | {
      readonly type: 'step'
      readonly step: number
      readonly of: number
      readonly instruction: string
      readonly stage?: string
    }
  | {
      readonly type: 'stepDone'
      readonly step: number
      readonly state: StepEnd
      readonly seconds?: number
    }
  | { readonly type: 'output'; readonly step?: number; readonly text: string }
  | { readonly type: 'warning'; readonly message: string; readonly line?: number }

export type StepEnd = 'Done' | 'Cached' | 'Failed' | 'Canceled'

/** What one line says. */
export type BuildLogLine =
  | Extract<LoggedEvent, { type: 'step' }>
  | Extract<LoggedEvent, { type: 'stepDone' }>
  | { readonly type: 'output'; readonly step?: number; readonly text: string }

const longestInstruction = 1024
/** Characters; what goes on longer without an end of the line is broken. */
const longestLine = 16_384

const ends = { Done: 'DONE', Cached: 'CACHED', Failed: 'FAILED', Canceled: 'CANCELED' } as const

/** Events to lines, without their newlines. Output that has no end of its line yet waits for it. */
export class BuildLogLines {
  readonly #pending = new Map<number | undefined, string>()
  readonly #heads = new Map<number, string>()

  add(event: LoggedEvent): string[] {
    switch (event.type) {
      case 'step': {
        const { step, of, instruction, stage } = event
        this.#heads.set(step, headOf(step, of, stage))
        return [`${this.#head(step)} ${oneLine(instruction)}`]
      }
      case 'stepDone': {
        const { step, state, seconds } = event
        const time = seconds === undefined || state === 'Cached' ? '' : ` ${secondsText(seconds)}`
        return [...this.#flush(step), `${this.#head(step)} ${ends[state]}${time}`]
      }
      case 'output':
        return this.#output(event.text, event.step)
      case 'warning': {
        const { line, message } = event
        return [`warning: ${line === undefined ? '' : `line ${line}: `}${oneLine(message)}`]
      }
    }
  }

  /** The same lines as one text, for a step may write millions of them. Undefined: there are none. */
  text(event: LoggedEvent): string | undefined {
    const lines = event.type === 'output' ? this.#blocks(event.text, event.step) : this.add(event)
    return lines.length === 0 ? undefined : lines.join('\n')
  }

  /** What stands between the first and the last end of a line needs no looking at. */
  #blocks(text: string, step: number | undefined): string[] {
    const [first, last] = [text.indexOf('\n') + 1, text.lastIndexOf('\n')]
    if (first === 0 || first > last || text.includes('\r')) return this.#output(text, step)
    const head = step === undefined ? '' : `#${step} `
    return [
      ...this.#output(text.slice(0, first), step),
      `${head}${text.slice(first, last).replaceAll('\n', `\n${head}`)}`,
      ...this.#output(text.slice(last + 1), step),
    ]
  }

  /** What was written last and not ended. */
  end(): string[] {
    return [...this.#pending.keys()].flatMap((step) => this.#flush(step))
  }

  #output(text: string, step: number | undefined): string[] {
    const lines = `${this.#pending.get(step) ?? ''}${text}`.split('\n')
    const rest = lines.pop() ?? ''
    // Whatever is written over is kept only in its last form.
    this.#pending.set(step, rest.slice(rest.lastIndexOf('\r', rest.length - 2) + 1))
    const broken = rest.length > longestLine ? this.#flush(step) : []
    return [...lines.map((line) => outputLine(line, step)), ...broken]
  }

  #flush(step: number | undefined): string[] {
    const rest = this.#pending.get(step) ?? ''
    this.#pending.delete(step)
    return rest === '' ? [] : [outputLine(rest, step)]
  }

  #head(step: number): string {
    return this.#heads.get(step) ?? headOf(step, 0, undefined)
  }
}

/** Never throws: what is nothing else is output of the builder. */
export function parseBuildLogLine(line: string): BuildLogLine {
  const output = /^#(\d{1,6}) (.*)$/s.exec(line)
  if (output !== null) return { type: 'output', step: Number(output[1]), text: output[2] ?? '' }
  const head = /^\[(?:(\S+) )?(\d{1,6})\/(\d{1,6})\] (.+)$/s.exec(line)
  if (head === null) return { type: 'output', text: line }
  const [, stage, number, of, rest = ''] = head
  const step = Number(number)
  const end = /^(DONE|CACHED|FAILED|CANCELED)(?: (\d+(?:\.\d+)?)s)?$/.exec(rest)
  if (end === null)
    return {
      type: 'step',
      step,
      of: Number(of),
      instruction: rest,
      ...(stage !== undefined && { stage }),
    }
  const [, word, seconds] = end
  return {
    type: 'stepDone',
    step,
    state: stateOf(word),
    ...(seconds !== undefined && { seconds: Number(seconds) }),
  }
}

/** `12.4s` */
export function secondsText(seconds: number): string {
  return `${seconds.toFixed(1)}s`
}

function stateOf(word: string | undefined): StepEnd {
  if (word === 'CACHED') return 'Cached'
  if (word === 'FAILED') return 'Failed'
  return word === 'CANCELED' ? 'Canceled' : 'Done'
}

function headOf(step: number, of: number, stage: string | undefined): string {
  const name = stage === undefined || /\s/.test(stage) ? '' : `${stage} `
  return `[${name}${step}/${Math.max(of, step)}]`
}

function outputLine(text: string, step: number | undefined): string {
  const bare = text.endsWith('\r') ? text.slice(0, -1) : text
  const last = bare.slice(bare.lastIndexOf('\r') + 1)
  return step === undefined ? last : `#${step} ${last}`
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*[\r\n]\s*/g, ' ').slice(0, longestInstruction)
}
