/** What a command is: an entry of the command table. */
import type { Flag } from './args.ts'
import type { Context } from './session.ts'

export interface Command {
  readonly name: string
  readonly summary: string
  /** Without `cove`. */
  readonly usage: readonly string[]
  readonly details?: string
  readonly examples: readonly string[]
  readonly flags: readonly Flag[]
  /** Flags end with the first argument: what follows it is a command line of its own, as of `docker run`. */
  readonly commandFollows?: true
  /** Returns the exit code. */
  readonly load: () => Promise<(context: Context) => Promise<number>>
}
