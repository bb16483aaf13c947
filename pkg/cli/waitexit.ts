/** `cove wait NAME...` without a goal, as docker wait: until each has ended, and with which exit code. */
import { findContainers, withoutType } from './containername.ts'
import { asContainer } from './containerstate.ts'
import { CliError, exitCodes } from './errors.ts'
import { Followed, type FollowedObject, type Found } from './followed.ts'
import { tellEach } from './parallel.ts'
import { builtinResource } from './resources.ts'
import { getContainer } from './run/making.ts'
import type { Context } from './session.ts'
import { parseTimeout } from './waiting.ts'

type Container = ReturnType<typeof asContainer>

/** Prints the exit codes in the order of the names. */
export async function waitForExits({ args, io, session }: Context): Promise<number> {
  const timeout = args.text('timeout')
  const patience = timeout === undefined ? {} : { timeoutMs: await parseTimeout(timeout, 'wait') }
  const found = await findContainers(withoutType(args.positionals), await session())
  const codes = found.map(async ({ name, session: within }) => {
    const object = await getContainer(within, name)
    const followed = new Followed(within, builtinResource('Container'), object)
    try {
      return await followed.until(nextExit(asContainer(object)), patience)
    } catch (error) {
      if (io.signal.aborted) throw error
      throw new CliError(`container ${name}: ${error instanceof Error ? error.message : String(error)}`, {
        cause: error,
      })
    } finally {
      followed.close()
    }
  })
  await tellEach(await Promise.allSettled(codes), io, (code) => code)
  return exitCodes.ok
}

/** The end that is there, of one that does not run; of one that runs, the next. */
export function nextExit(first: Container): (seen: FollowedObject) => Found<number> {
  const known = first.status?.lastTermination?.finishedAt
  return ({ object, isGone }) => {
    const { phase, lastTermination } = asContainer(object).status ?? {}
    const isUp = phase === 'Running' || phase === 'Paused'
    if (lastTermination !== undefined && (!isUp || lastTermination.finishedAt !== known))
      return { value: lastTermination.exitCode }
    if (!isGone) return {}
    return { trouble: { reason: 'Deleted', message: 'it was deleted before it ended', isFinal: true } }
  }
}
