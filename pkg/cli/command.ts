/** What a command is: an entry of the command table. */
import type { Flag } from './args.ts'
import type { Context } from './session.ts'

export interface Command {
  /** One word, or two: that of its group and its own, `image ls`. */
  readonly name: string
  /** Other names that mean the same: `images`. */
  readonly aliases?: readonly string[]
  readonly summary: string
  /** Without `cove`. */
  readonly usage: readonly string[]
  readonly details?: string
  readonly examples: readonly string[]
  readonly flags: readonly Flag[]
  /** Flags end with the first argument: what follows it is a command line of its own, as of `docker run`. */
  readonly commandFollows?: true
  /** Whether it says so when the server lets it wait, for those who look at what goes on. */
  readonly tellsWaits?: true
  /** Returns the exit code. */
  readonly load: () => Promise<(context: Context) => Promise<number>>
}

export interface NamedCommand {
  readonly command: Command
  /** What follows its name. */
  readonly rest: readonly string[]
}

/** The command that a command line begins with, the longest name first. Pure. */
export function namedCommand(
  words: readonly string[],
  commands: readonly Command[],
): NamedCommand | undefined {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ')
    const command = commands.find((candidate) => namesOf(candidate).includes(name))
    if (command !== undefined) return { command, rest: words.slice(length) }
  }
  return undefined
}

export function namesOf({ name, aliases = [] }: Command): readonly string[] {
  return [name, ...aliases]
}

/** The commands of a group, such as `image`; none: there is no such group. */
export function groupMembers(group: string, commands: readonly Command[]): readonly Command[] {
  return commands.filter(({ name }) => name.startsWith(`${group} `))
}
