/** `cove logs build/NAME`: the log of an attempt as it is; with -f also of one that is still to begin. */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Args } from '../args.ts'
import { CliError, exitCodes, isInterrupt, UsageError } from '../errors.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import type { Io } from '../io.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { readBuild } from './asked.ts'
import { attemptLog, type LogOptions } from './attemptlog.ts'
import { asBuild, type Standing, standingOf } from './outcome.ts'
import { makeBuildScreen } from './screen.ts'

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
    for await (const line of begunLog(name, options, { session, io })) await io.stdout.write(`${line}\n`)
  } catch (error) {
    // Ctrl-C is how following is ended.
    if (!options.follow || !isInterrupt(error, io.signal)) throw error
  }
  return exitCodes.ok
}

interface World {
  readonly session: Session
  readonly io: Io
}

/** The object is only asked for where there is no log: who may read the one need not be allowed the other. */
async function* begunLog(name: string, options: LogOptions, world: World): AsyncGenerator<string> {
  let isBegun = (options.attempt ?? 1) > 1
  try {
    for await (const line of attemptLog(name, options, world.session)) {
      isBegun = true
      yield line
    }
    return
  } catch (error) {
    if (isBegun || !(error instanceof StatusError)) throw error
  }
  await untilBegun(await readBuild(world.session, name), options, world)
  yield* attemptLog(name, options, world.session)
}

/** Whoever has just applied a Build comes before its first attempt. Throws CliError when that is not waited for. */
async function untilBegun(object: KubeObject, { follow }: LogOptions, { session, io }: World): Promise<void> {
  if (isBegun(object)) return
  const { name } = object.metadata
  const standing = firstStanding(object)
  if (!follow) throw new CliError(`build/${name} has no log yet: ${adviceText(name, standing)}`)
  const screen = makeBuildScreen(io.stderr, session.clock, `build/${name}`)
  const followed = new Followed(session, builtinResource('Build'), object)
  try {
    await followed.until(begins, {
      onPending: ({ object: now }) =>
        screen.note(`waits for its first attempt: ${tellStanding(firstStanding(now))}`),
    })
  } finally {
    followed.close()
    await screen.finish()
  }
}

function isBegun(object: KubeObject): boolean {
  return (asBuild(object).status?.attempt ?? 0) > 0
}

function begins({ object, isGone }: FollowedObject): Found<true> {
  const { name } = object.metadata
  const isFinal = true
  if (isGone) return { trouble: { reason: 'Deleted', message: `build/${name} was deleted`, isFinal } }
  if (isBegun(object)) return { value: true }
  const standing = firstStanding(object)
  if (standing.state !== 'failed' || standing.isRetried) return {}
  const message = `build/${name} has no log: ${adviceText(name, standing)}`
  return { trouble: { reason: 'NotBegun', message, isFinal } }
}

function firstStanding(object: KubeObject): Standing {
  return standingOf(asBuild(object), { generation: object.metadata.generation ?? 0, attempts: 0 })
}

function tellStanding(standing: Standing): string {
  return 'message' in standing ? standing.message : 'it begins'
}

function adviceText(name: string, standing: Standing): string {
  const isOver = standing.state === 'failed' && !standing.isRetried
  const why = `\`cove why build/${name}\` says why`
  if (isOver) return `it was never built: ${standing.message}; ${why}`
  const waiting = `it waits for its first attempt: ${tellStanding(standing)}`
  return `${waiting}; \`cove logs -f build/${name}\` waits for it, ${why}`
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
