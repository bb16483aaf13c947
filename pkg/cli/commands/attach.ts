/** `cove attach`: the streams of a container's own process, from now until it ends. */
import { containerKind } from '#pkg/apis/container.kind.ts'
import { findContainer } from '../containername.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import type { Context } from '../session.ts'
import { join, mustSucceed, wantedStreams } from '../streaming.ts'

export async function run({ io, args, session: open }: Context): Promise<number> {
  const [first, more] = args.positionals
  if (first === undefined) throw new UsageError('name a container', 'attach')
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'attach')
  const { name, session } = await findContainer(first, await open())
  const { spec } = await session.client.get(
    containerKind,
    { namespace: session.namespace, name },
    session.signal,
  )
  const streams = await wantedStreams(io, args)
  if (streams.stdin && spec.stdin !== true)
    await io.stderr.write(`Input is not read: container ${name} was made without spec.stdin\n`)
  if (streams.tty && spec.tty !== true)
    await io.stderr.write(`Unable to use a TTY - container ${name} did not allocate one\n`)
  else if (streams.tty) await io.stderr.write("If you don't see a command prompt, try pressing enter.\n")
  const joining = { subresource: 'attach', name, command: [], ...streams } as const
  try {
    mustSucceed(await join(io, session, { ...joining, tty: streams.tty && spec.tty === true }))
  } catch (error) {
    // Ctrl-C is how looking on is ended.
    if (!isInterrupt(error, io.signal)) throw error
    return exitCodes.interrupted
  }
  return exitCodes.ok
}
