/** `cove logs build/NAME`: the log of an attempt as it is. */

import type { Args } from '../args.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import type { Context, Session } from '../session.ts'
import { readBuild } from './asked.ts'
import { attemptLog } from './attemptlog.ts'
import { asBuild } from './outcome.ts'

export async function buildLog(name: string, { io, args, session: open }: Context): Promise<number> {
  const tail = numberOf(args, 'tail')
  for (const flag of ['since', 'since-time'])
    if (args.has(flag)) throw new UsageError(`--${flag} goes with containers`, 'logs')
  const session = await open()
  const attempt = await whichAttempt(name, args, session)
  const options = {
    ...(attempt !== undefined && { attempt }),
    follow: args.bool('follow'),
    timestamps: args.bool('timestamps'),
    ...(tail !== undefined && tail >= 0 && { tailLines: tail }),
  }
  try {
    for await (const line of attemptLog(name, options, session)) await io.stdout.write(`${line}\n`)
  } catch (error) {
    // Ctrl-C is how following is ended.
    if (!options.follow || !isInterrupt(error, io.signal)) throw error
  }
  return exitCodes.ok
}

async function whichAttempt(name: string, args: Args, session: Session): Promise<number | undefined> {
  const attempt = numberOf(args, 'attempt')
  if (!args.bool('previous')) return attempt
  if (attempt !== undefined) throw new UsageError('--attempt and --previous exclude each other', 'logs')
  const last = asBuild(await readBuild(session, name)).status?.attempt ?? 0
  // Of one that has none, the server says so.
  return Math.max(1, last - 1)
}

function numberOf(args: Args, flag: string): number | undefined {
  const text = args.text(flag)
  if (text === undefined) return undefined
  if (!/^-?\d+$/.test(text))
    throw new UsageError(`invalid value "${text}" for --${flag}: a number is expected`, 'logs')
  return Number(text)
}
