/**
 * Processes with streams in a simulated engine: a command's behaviour is a function of what it reads, and its output
 * goes at its reader's pace, as through a real engine's pipes.
 */
import type { AttachedProcess, ExecOptions, ExecProcess, LogChunk, TerminalSize } from './port.ts'

/** What a simulated command is given. */
export interface SimCommandIO {
  /** Ends when whoever runs the command has no more for it, or hangs up. */
  readonly input: AsyncIterable<Uint8Array>
  /** The last one asked for; absent without a terminal and before the first. */
  readonly size: () => TerminalSize | undefined
  /** Resolves when it has been read; what nobody wants is gone. A command that nobody reads any more stands still. */
  write(stream: LogChunk['stream'], data: Uint8Array | string): Promise<void>
}

/** Resolves with the exit code. */
export type SimCommand = (io: SimCommandIO) => Promise<number>

/** Chooses what a command does; undefined: there is no such program. */
export type CommandHook = (command: readonly string[]) => SimCommand | undefined

/** Hands values over one by one: `put` resolves when what was put has been taken. */
export class Handover<T> implements AsyncIterable<T> {
  readonly #waiting: { readonly value: T; readonly taken: (isTaken: boolean) => void }[] = []
  #wake: () => void = () => undefined
  #isClosed = false

  /** False when nobody takes any more. */
  put(value: T): Promise<boolean> {
    if (this.#isClosed) return Promise.resolve(false)
    return new Promise((taken) => {
      this.#waiting.push({ value, taken })
      this.#wake()
    })
  }

  /** What waits is still handed over. */
  close(): void {
    this.#isClosed = true
    this.#wake()
  }

  /** What waits is lost. */
  drop(): void {
    this.close()
    for (const { taken } of this.#waiting.splice(0)) taken(false)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      const next = this.#waiting.shift()
      if (next !== undefined) {
        next.taken(true)
        yield next.value
      } else if (this.#isClosed) {
        return
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}

/** What engines say of a program that is not there. */
const missing: SimCommand = async ({ write }) => {
  await write('stdout', 'OCI runtime exec failed: executable file not found in $PATH\r\n')
  return 126
}

export function runCommand(command: SimCommand = missing, options: ExecOptions): ExecProcess {
  const { stdin, tty, signal } = options
  const input = new Handover<Uint8Array>()
  const output = new Handover<LogChunk>()
  if (!stdin) input.close()
  const hangUp = () => {
    input.close()
    output.drop()
  }
  signal.addEventListener('abort', hangUp, { once: true })
  let size: TerminalSize | undefined
  const exit = command({
    input,
    size: () => size,
    async write(stream, data) {
      const shown = tty ? 'stdout' : stream
      if (!options[shown]) return
      if (!(await output.put({ stream: shown, data: Buffer.from(data) }))) await new Promise(() => undefined)
    },
  }).finally(() => {
    input.drop()
    output.close()
    signal.removeEventListener('abort', hangUp)
  })
  return {
    output,
    write: (data) => input.put(data),
    endInput: () => input.close(),
    async resize(wanted) {
      if (tty) size = wanted
    },
    exitCode: () => exit,
  }
}

export interface AttachedOutput {
  readonly output: AsyncIterable<LogChunk>
  /** False: the process takes no input. */
  readonly takeInput: (data: Uint8Array) => boolean
}

/** Of a container's own process, whose input stays open for the next one who attaches. */
export function attached({ output, takeInput }: AttachedOutput): AttachedProcess {
  const nothing = () => undefined
  return { output, write: async (data) => takeInput(data), endInput: nothing, resize: async () => nothing() }
}
