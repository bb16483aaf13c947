/** `cove exec`: a command inside of a container, with its exit code as the own. */
import { exitCodeOf } from '#pkg/apimachinery/frames.ts'
import { findContainer } from '../containername.ts'
import { exitCodes, UsageError } from '../errors.ts'
import type { Context } from '../session.ts'
import { join, mustSucceed, wantedStreams } from '../streaming.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const [first, ...command] = args.positionals
  if (first === undefined) throw new UsageError('name a container', 'exec')
  if (command.length === 0)
    throw new UsageError('you must specify at least one command for the container', 'exec')
  const { name, session } = await findContainer(first, await open())
  const streams = await wantedStreams(io, args)
  const status = await join(io, session, { subresource: 'exec', name, command, ...streams })
  const exitCode = exitCodeOf(status)
  if (exitCode === undefined) mustSucceed(status)
  if (exitCode !== undefined && exitCode !== exitCodes.ok && !args.bool('quiet'))
    await io.stderr.write(`command terminated with exit code ${exitCode}\n`)
  return exitCode ?? exitCodes.error
}
