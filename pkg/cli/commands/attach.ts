/** `cove attach`: the streams of a container's own process, from now until it ends. */
import { containerKind } from '#pkg/apis/container.kind.ts'
import { asking, rest } from '../asking.ts'
import { findContainer } from '../containername.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import type { Context } from '../session.ts'
import { Detached, join, mustSucceed, wantedStreams } from '../streaming.ts'

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
  const tty = streams.tty && spec.tty === true
  const input = io.terminal.input()[Symbol.asyncIterator]()
  if (tty && !args.bool('yes') && !(await asking(io, input)(whatEnds(name, spec.restartPolicy))))
    return exitCodes.error
  if (tty) await io.stderr.write("If you don't see a command prompt, try pressing enter.\n")
  const joining = { subresource: 'attach', name, command: [], ...streams, tty } as const
  try {
    mustSucceed(await join(io, session, { ...joining, input: rest(input), detachable: true }))
  } catch (error) {
    if (error instanceof Detached) return exitCodes.ok
    // Ctrl-C is how looking on is ended.
    if (!isInterrupt(error, io.signal)) throw error
    return exitCodes.interrupted
  }
  return exitCodes.ok
}

function whatEnds(name: string, restartPolicy: string): string {
  const then = restartPolicy === 'Always' ? ', and Cove starts it again' : ''
  return `Leaving it with exit or Ctrl-D ends container ${name}${then}; Ctrl-P Ctrl-Q leaves it running. Attach?`
}
