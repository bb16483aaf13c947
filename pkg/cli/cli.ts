/** The CLI as one function: words of a command line in, exit code out. docs/cli.md promises what it does. */
import { nearest } from '#pkg/apimachinery/nearest.ts'
import { type FlagsInFront, flagsInFront, parseArgs } from './args.ts'
import { groupMembers, type NamedCommand, namedCommand, namesOf } from './command.ts'
import { commonFlags } from './commandtable.flags.ts'
import { commands, groupIntroductions } from './commandtable.ts'
import { errorText, exitCodes, Failed, isInterrupt, UsageError } from './errors.ts'
import { commandHelp, groupHelp, type OtherCommand, overview } from './help.ts'
import { BrokenPipe, type Io } from './io.ts'
import { makeSessionOwner } from './session.ts'

export interface CliOptions {
  /** Commands that the caller handles itself; they are listed in the help. */
  readonly others?: readonly OtherCommand[]
}

/** Runs one command. Never throws: what goes wrong is printed and becomes the exit code. */
export async function runCli(words: readonly string[], io: Io, options: CliOptions = {}): Promise<number> {
  let asked: FlagsInFront = { front: [], rest: words }
  try {
    asked = words[0] === '--version' ? { front: [], rest: ['version'] } : flagsInFront(words, commonFlags)
    return await dispatch(asked, io, options)
  } catch (error) {
    return report(error, asked.rest, io)
  }
}

async function dispatch(asked: FlagsInFront, io: Io, { others = [] }: CliOptions): Promise<number> {
  const { front, rest: words } = asked
  const [name, ...following] = words
  if (name === undefined) return print(io, overview(others))
  if (name === 'help') return print(io, helpText(following, others))
  if (asksForGroup(words)) return print(io, groupText(name))
  const { command, rest } = findCommand(words, others)
  const args = parseArgs([...front, ...rest], [...command.flags, ...commonFlags], {
    command: command.name,
    firstEnds: command.commandFollows === true,
  })
  if (args.bool('help')) return print(io, commandHelp(command))
  const owner = makeSessionOwner(io, args, command)
  try {
    const run = await command.load()
    return await run({ io, args, session: owner.session })
  } finally {
    owner.close()
  }
}

/** `cove image`, `cove image --help`: the word alone does nothing. */
function asksForGroup([name = '', next, more]: readonly string[]): boolean {
  const alone = next === undefined || ((next === '-h' || next === '--help') && more === undefined)
  return alone && namedCommand([name], commands) === undefined && groupMembers(name, commands).length > 0
}

function groupText(name: string): string {
  return groupHelp(name, groupMembers(name, commands), groupIntroductions[name])
}

function helpText(words: readonly string[], others: readonly OtherCommand[]): string {
  const [name] = words
  if (name === undefined) return overview(others)
  if (asksForGroup(words)) return groupText(name)
  const other = others.find((candidate) => candidate.name === name)
  return other === undefined
    ? commandHelp(findCommand(words, others).command)
    : `${other.summary}.\n\nUse "cove ${name} --help" for its options.\n`
}

function findCommand(words: readonly string[], others: readonly OtherCommand[]): NamedCommand {
  const found = namedCommand(words, commands)
  if (found !== undefined) return found
  const [first = '', second = ''] = words
  const ofGroup = groupMembers(first, commands).flatMap(namesOf)
  const word = ofGroup.length === 0 ? first : `${first} ${second}`
  const names =
    ofGroup.length === 0 ? [...commands.flatMap(namesOf), ...others.map(({ name }) => name)] : ofGroup
  const hint = nearest(word, names)
  throw new UsageError(
    `unknown command "${word}"${hint === undefined ? '' : ` (did you mean "${hint}"?)`}`,
    ofGroup.length === 0 ? undefined : first,
  )
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
