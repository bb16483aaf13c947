/** The CLI as one function: words of a command line in, exit code out. docs/cli.md promises what it does. */
import { nearest } from '#pkg/apimachinery/nearest.ts'
import { parseArgs } from './args.ts'
import type { Command } from './command.ts'
import { commonFlags } from './commandtable.flags.ts'
import { commands } from './commandtable.ts'
import { errorText, exitCodes, Failed, isInterrupt, UsageError } from './errors.ts'
import { commandHelp, type OtherCommand, overview } from './help.ts'
import { BrokenPipe, type Io } from './io.ts'
import { makeSessionOwner } from './session.ts'

export interface CliOptions {
  /** Commands that the caller handles itself; they are listed in the help. */
  readonly others?: readonly OtherCommand[]
}

/** Runs one command. Never throws: what goes wrong is printed and becomes the exit code. */
export async function runCli(words: readonly string[], io: Io, options: CliOptions = {}): Promise<number> {
  try {
    return await dispatch(words, io, options)
  } catch (error) {
    return report(error, words, io)
  }
}

async function dispatch(words: readonly string[], io: Io, { others = [] }: CliOptions): Promise<number> {
  const [name, ...rest] = words
  if (name === undefined || name === '-h' || name === '--help') return print(io, overview(others))
  if (name === 'help') {
    return print(io, helpText(rest[0], others))
  }
  const command = findCommand(name === '--version' ? 'version' : name, others)
  const args = parseArgs(rest, [...command.flags, ...commonFlags], {
    command: command.name,
    firstEnds: command.commandFollows === true,
  })
  if (args.bool('help')) return print(io, commandHelp(command))
  const owner = makeSessionOwner(io, args)
  try {
    const run = await command.load()
    return await run({ io, args, session: owner.session })
  } finally {
    owner.close()
  }
}

function helpText(name: string | undefined, others: readonly OtherCommand[]): string {
  if (name === undefined) return overview(others)
  const other = others.find((candidate) => candidate.name === name)
  return other === undefined
    ? commandHelp(findCommand(name, others))
    : `${other.summary}.\n\nUse "cove ${name} --help" for its options.\n`
}

function findCommand(name: string, others: readonly OtherCommand[]): Command {
  const command = commands.find((candidate) => candidate.name === name)
  if (command !== undefined) return command
  const names = [...commands, ...others].map((candidate) => candidate.name)
  const hint = nearest(name, names)
  throw new UsageError(`unknown command "${name}"${hint === undefined ? '' : ` (did you mean "${hint}"?)`}`)
}

async function print(io: Io, text: string): Promise<number> {
  await io.stdout.write(text)
  return exitCodes.ok
}

async function report(error: unknown, words: readonly string[], io: Io): Promise<number> {
  if (error instanceof BrokenPipe) return exitCodes.brokenPipe
  if (error instanceof Failed) return error.exitCode
  if (isInterrupt(error, io.signal)) return exitCodes.interrupted
  const usage = error instanceof UsageError
  const help = usage ? `See 'cove ${error.command === undefined ? '' : `${error.command} `}--help'.\n` : ''
  try {
    await io.stderr.write(`${errorText(error)}${help}`)
  } catch (broken) {
    // Without anybody to read, the exit code still says it.
    if (!(broken instanceof BrokenPipe)) throw broken
  }
  // What the program in the container exits with is anything below, as of docker run.
  if (words[0] === 'run') return exitCodes.notRun
  // diff says "differs" with 1, as diff(1) does, so its errors are 2.
  return usage || words[0] === 'diff' ? exitCodes.usage : exitCodes.error
}
