/** How a run ended, and why a check fails, in words that say what to do. Pure. */
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { HealthProbe, ObservedContainer, ObservedHealth } from '#pkg/engine/port.ts'
import { programError, tellProgramError } from '#pkg/engine/programerror.ts'

export interface Ending {
  readonly reason: 'Completed' | 'Error' | 'OOMKilled' | 'StartError'
  /** What there is to say beyond the exit code. */
  readonly message?: string
}

/** A run this short was none. */
const shortRunMs = 1000
const longestOutput = 200
const signals: Readonly<Record<number, string>> = {
  129: 'SIGHUP',
  130: 'SIGINT',
  131: 'SIGQUIT',
  132: 'SIGILL',
  134: 'SIGABRT',
  135: 'SIGBUS',
  136: 'SIGFPE',
  137: 'SIGKILL',
  139: 'SIGSEGV',
  143: 'SIGTERM',
}

/** Of a container that has ended, or could not be started. */
export function endingOf(
  observed: ObservedContainer,
  spec: Container['spec'],
  log: readonly string[] = [],
): Ending {
  const { exitCode, oomKilled, error } = observed
  if (oomKilled) return { reason: 'OOMKilled', message: tellMemory(observed, spec) }
  if (error !== '') return { reason: 'StartError', message: tellStart(error) }
  const message = exitCode === 0 ? foregroundHint(observed) : tellExit(exitCode, log)
  return { reason: exitCode === 0 ? 'Completed' : 'Error', ...(message !== undefined && { message }) }
}

/** `exit code 137 (OOMKilled: it used more memory than ...)`. */
export function tellEnding(
  observed: ObservedContainer,
  spec: Container['spec'],
  log: readonly string[] = [],
): string {
  const { reason, message } = endingOf(observed, spec, log)
  const words = [reason === 'Error' || reason === 'Completed' ? undefined : reason, message]
  const told = words.filter((word) => word !== undefined).join(': ')
  return `exit code ${observed.exitCode}${told === '' ? '' : ` (${told})`}`
}

function tellMemory({ limits }: ObservedContainer, { resources }: Container['spec']): string {
  const limit = resources?.limits?.memory
  if (limits.memoryBytes === 0)
    return 'the kernel killed it because the node ran out of memory; a limit in spec.resources.limits.memory would keep that from others'
  const isWanted = parseQuantity(limit ?? 0) === limits.memoryBytes
  const told = isWanted ? limit : `${limits.memoryBytes} bytes`
  return `the kernel killed it because it used more memory than its limit of ${told}; raise spec.resources.limits.memory or make it need less`
}

function tellStart(error: string): string {
  const program = programError(error)
  if (program === undefined) return error
  return `${tellProgramError(program)}: set spec.command or spec.args to a program that it has (the engine: ${error})`
}

function tellExit(exitCode: number, log: readonly string[]): string | undefined {
  const program = programError(log.join('\n'))
  if ((exitCode === 127 || exitCode === 126) && program !== undefined) return tellProgramError(program)
  if (exitCode === 127) return 'a shell found a command missing'
  if (exitCode === 126) return 'a shell found a command that it may not execute'
  const signal = signals[exitCode]
  return signal && `ended by ${signal}`
}

/** A program that puts itself in the background ends its container: the commonest reason of a run this short. */
function foregroundHint({ startedAt, finishedAt }: ObservedContainer): string | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined
  if (Date.parse(finishedAt) - Date.parse(startedAt) > shortRunMs) return undefined
  return 'the main process ended within a second; a service must run in the foreground'
}

/** What is said of health in a condition. */
export function tellHealth({ status, failingStreak, log }: ObservedHealth): string {
  const last = log.at(-1)
  if (status === 'unhealthy')
    return `${failingStreak} checks in a row failed, the last with ${last === undefined ? 'no output' : tellProbe(last)}`
  const failed = last !== undefined && last.exitCode !== 0
  return `the healthcheck is ${status}${failed ? `, the last check failed with ${tellProbe(last)}` : ''}`
}

function tellProbe({ exitCode, output }: HealthProbe): string {
  const hint = hintOf(exitCode, output)
  const wrote = output.trim().slice(0, longestOutput)
  return `exit code ${exitCode}${wrote === '' ? ', without output' : `: ${wrote}`}${hint === undefined ? '' : ` (${hint})`}`
}

/** Engines give no code of their own for a command that is not there: only their words tell. */
function hintOf(exitCode: number, output: string): string | undefined {
  const program = exitCode === 0 || exitCode === 1 ? undefined : programError(output)
  if (program !== undefined || exitCode === 127 || exitCode === 126) {
    const what =
      program === undefined ? 'the command of the healthcheck is not in the image' : tellProgramError(program)
    return `${what}: use a command that it has, or healthcheck.http or healthcheck.tcp, which need none`
  }
  return exitCode === 2
    ? 'exit code 2 is reserved and counts as a failure: let the check exit with 0 or 1'
    : undefined
}

/** Whether the check cannot pass, whatever the container does: its command is not in the image. */
export function lacksCommand({ log }: ObservedHealth): boolean {
  const last = log.at(-1)
  if (last === undefined || last.exitCode === 0 || last.exitCode === 1) return false
  return last.exitCode === 127 || last.exitCode === 126 || programError(last.output) !== undefined
}
