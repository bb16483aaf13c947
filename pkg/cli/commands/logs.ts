/** `cove logs`: what a container wrote, each stream to its own, or what a build did. */
import { framesType } from '#pkg/apimachinery/frames.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { Args } from '../args.ts'
import { placeOf } from '../builds/place.ts'
import { findContainer } from '../containername.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import { readLog } from '../logframes.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const build = namedBuild(context.args.positionals)
  if (build === undefined) return await containerLog(context)
  const { buildLog } = await import('../builds/showlog.ts')
  return await buildLog(build, context)
}

async function containerLog({ io, args, session: open }: Context): Promise<number> {
  if (args.has('attempt')) throw new UsageError('--attempt goes with build/NAME', 'logs')
  const resource = builtinResource('Container')
  const words = namedContainer(args.positionals)
  const query = await logQuery(args)
  const { name, session } = await findContainer(words, await open())
  const { client, signal, namespace } = session
  const path = `${objectPath(resource, { namespace, name })}/log`
  const headers = { accept: `${framesType}, text/plain;q=0.9, application/json;q=0.5` }
  try {
    const response = await client.stream({ method: 'GET', path, query, headers }, signal)
    for await (const { stream, data } of readLog(response)) await io[stream].write(data)
  } catch (error) {
    // Ctrl-C is how following is ended.
    if (!args.bool('follow') || !isInterrupt(error, io.signal)) throw error
  }
  return exitCodes.ok
}

/** build/NAME, or `build NAME`. */
function namedBuild([first = '', second, more]: readonly string[]): string | undefined {
  const place = placeOf(second === undefined ? first : `${first}/${second}`)
  return place.kind === 'build' && more === undefined ? place.name : undefined
}

/** NAME, container/NAME, or `container NAME`. */
function namedContainer([first, second, more]: readonly string[]): string {
  if (first === undefined) throw new UsageError('name a container', 'logs')
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'logs')
  return second === undefined ? first : `${first}/${second}`
}

async function logQuery(args: Args): Promise<Record<string, string>> {
  const tail = args.text('tail')
  if (tail !== undefined && !/^-?\d+$/.test(tail))
    throw new UsageError(`invalid value "${tail}" for --tail: a number of lines is expected`, 'logs')
  const since = args.text('since')
  const sinceTime = args.text('since-time')
  if (since !== undefined && sinceTime !== undefined)
    throw new UsageError('--since and --since-time exclude each other', 'logs')
  if (sinceTime !== undefined && Number.isNaN(Date.parse(sinceTime)))
    throw new UsageError(
      `invalid value "${sinceTime}" for --since-time: an RFC 3339 time is expected`,
      'logs',
    )
  const sinceMs = since === undefined ? undefined : await parseTimeout(since, 'logs')
  return {
    ...(args.bool('follow') && { follow: 'true' }),
    ...(args.bool('previous') && { previous: 'true' }),
    ...(args.bool('timestamps') && { timestamps: 'true' }),
    ...(tail !== undefined && !tail.startsWith('-') && { tailLines: tail }),
    ...(sinceMs !== undefined && { sinceSeconds: String(Math.max(1, Math.ceil(sinceMs / 1000))) }),
    ...(sinceTime !== undefined && { sinceTime }),
  }
}
