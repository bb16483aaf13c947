/** What a fuzz target is, and the judge of what it does with one input. */
import { StatusError } from '#pkg/apimachinery/errors.ts'

/** Something that reads what others wrote. */
export interface Target {
  readonly name: string
  /** Well-formed inputs to begin with. */
  readonly seeds: readonly (string | Uint8Array)[]
  /** Words of its language. */
  readonly words?: readonly string[]
  /** Of an input; default 16 KiB. */
  readonly maxBytes?: number
  /** Inputs in a run of the tests; fewer for what takes longer. */
  readonly rounds?: number
  /**
   * Reads the input and throws when something that it promises does not hold. A refusal, a StatusError of the
   * asker's doing, holds every promise.
   */
  readonly run: (input: Buffer) => void | Promise<void>
}

/** An input that breaks a promise. */
export class Broken extends Error {
  readonly input: Buffer

  constructor(message: string, input: Buffer, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Broken'
    this.input = input
  }
}

/** Of the thread's own work, since machines of tests are busy: no input this small may keep a server longer. */
export const patienceMs = 2_000

function workedMs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) / 1000
}

/** Throws Broken. */
export async function judge(target: Target, input: Buffer): Promise<void> {
  const started = workedMs()
  try {
    const running = target.run(input)
    if (running !== undefined) await running
  } catch (error) {
    if (!isRefusal(error)) throw new Broken(`${target.name}: ${textOf(error)}`, input, { cause: error })
  }
  const took = workedMs() - started
  if (took > patienceMs) throw new Broken(`${target.name}: took ${Math.round(took)} ms`, input)
  const stain = Object.keys(Object.prototype)
  if (stain.length > 0) throw new Broken(`${target.name}: every object has ${stain.join(', ')} now`, input)
}

export function isRefusal(error: unknown): boolean {
  return error instanceof StatusError && error.code >= 400 && error.code < 500
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}

/** Throws unless it holds. */
export function hold(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new Error(`does not hold: ${promise}`)
}
