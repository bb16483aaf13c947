/** How a command fails: what is printed, in kubectl's words, and the exit code. docs/cli.md promises the codes. */
import { isAbort, messageOf, StatusError } from '#pkg/apimachinery/errors.ts'

export const exitCodes = {
  ok: 0,
  error: 1,
  usage: 2,
  notRun: 125,
  interrupted: 130,
  brokenPipe: 141,
} as const

/** The command line is wrong: exit 2, and a pointer to the help. */
export class UsageError extends Error {
  /** The command whose help is pointed to; absent: the overview. */
  readonly command: string | undefined

  constructor(message: string, command?: string) {
    super(message)
    this.name = 'UsageError'
    this.command = command
  }
}

/** Something on this side is wrong; not what the server said. */
export class CliError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CliError'
  }
}

/** Everything worth saying has been printed: only the exit code is left. */
export class Failed extends Error {
  readonly exitCode: number

  constructor(exitCode: number = exitCodes.error) {
    super('failed')
    this.name = 'Failed'
    this.exitCode = exitCode
  }
}

/** Runs `work`; a StatusError of our own files and settings loses the look of a server's answer. */
export async function locally<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof StatusError) throw new CliError(error.message, { cause: error })
    throw error
  }
}

/** As kubectl words it, newline included. */
export function errorText(error: unknown): string {
  if (!(error instanceof StatusError)) return `error: ${messageOf(error)}\n`
  if (error.reason === 'Invalid' && error.details.causes !== undefined) return invalidText(error)
  // Only what never reached the server has a cause.
  if (error.reason === 'ServiceUnavailable' && error.cause !== undefined) return `error: ${error.message}\n`
  if (error.reason === 'Unauthorized') return 'error: You must be logged in to the server (Unauthorized)\n'
  return `Error from server (${error.reason}): ${error.message}\n`
}

function invalidText({ details }: StatusError): string {
  const causes = (details.causes ?? []).map(({ field, message }) => `${field}: ${message}`)
  const subject = `The ${details.kind} "${details.name}" is invalid: `
  return causes.length === 1
    ? `${subject}${causes[0]}\n`
    : `${subject}\n${causes.map((cause) => `* ${cause}\n`).join('')}`
}

/** Whether the error only says that somebody pressed Ctrl-C. */
export function isInterrupt(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || isAbort(error))
}
