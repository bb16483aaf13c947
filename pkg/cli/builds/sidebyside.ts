/**
 * The Builds that a command line of `cove build` asks for, followed all at once, and told one after the other when all have
 * ended: what has come of each, and what is done with its image.
 */
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { CliError, errorText, exitCodes, isInterrupt } from '../errors.ts'
import type { Output } from '../io.ts'
import { mapInOrder, requestLimit } from '../parallel.ts'
import type { Context, Session } from '../session.ts'
import { parseTimeout } from '../waiting.ts'
import type { BuildScreen } from './buildscreen.ts'
import { type Ended, followBuild } from './following.ts'
import type { Asked } from './outcome.ts'
import { outputsOf } from './outputsasked.ts'
import { builtText, endText, failureText, isWarned, warningText } from './report.ts'
import { makeBuildScreen, makeBuildScreens, QuietScreen } from './screen.ts'

/** A Build of which something is asked, and what. */
export interface Wanted {
  readonly object: KubeObject
  readonly asked: Asked
  /** Where paths of its manifest begin. */
  readonly directory: string
}

/** What came of one: its end, or why that was not seen. */
type Followed = { readonly ended: Ended } | { readonly error: unknown }

interface Side {
  readonly wanted: Wanted
  readonly screen: BuildScreen
  /** With that of its namespace. */
  readonly session: Session
  readonly isOneOfSeveral: boolean
}

/** Returns an exit code for each. Rejects with what concerns all of them, and of a single one with any error. */
export async function followAll(wanted: readonly Wanted[], context: Context): Promise<number[]> {
  const stop = new AbortController()
  const sides = sidesOf(wanted, context, await context.session(), stop.signal)
  const seen = await mapInOrder(sides, requestLimit, async (side) => {
    try {
      return { side, followed: { ended: await follow(side, context) } }
    } catch (error) {
      if (!isOwn(error) && !context.io.signal.aborted) {
        stop.abort(error)
        throw error
      }
      return { side, followed: { error } }
    }
  })
  const built = seen.flatMap(({ followed }) => ('ended' in followed ? [followed.ended] : []))
  await writeIds(built, wanted.length, context)
  const codes: number[] = []
  for (const { side, followed } of seen) codes.push(await conclude(side, followed, context))
  return codes
}

/** Whether it is about this one, and no reason to leave the others. */
function isOwn(error: unknown): boolean {
  return error instanceof StatusError || error instanceof CliError
}

function sidesOf(
  wanted: readonly Wanted[],
  context: Context,
  session: Session,
  stop: AbortSignal,
): readonly Side[] {
  const namespaces = wanted.map(({ object }) => object.metadata.namespace ?? session.namespace)
  const isOneNamespace = new Set(namespaces).size === 1
  const names = wanted.map(({ object: { metadata } }, index) =>
    isOneNamespace ? metadata.name : `${namespaces[index]}/${metadata.name}`,
  )
  const screens = screensOf(names, context)
  const signal = AbortSignal.any([session.signal, stop])
  return wanted.map((one, index) => ({
    wanted: one,
    screen: screens[index] ?? new QuietScreen(),
    session: { ...session, signal, namespace: namespaces[index] ?? session.namespace },
    isOneOfSeveral: wanted.length > 1,
  }))
}

function screensOf(names: readonly string[], context: Context): readonly BuildScreen[] {
  if (isQuiet(context)) return []
  const { clock } = context.io
  const output = screenOutput(context)
  const [first = '', second] = names
  return second === undefined
    ? [makeBuildScreen(output, clock, `build/${first}`)]
    : makeBuildScreens(output, clock, names)
}

export function isQuiet({ args }: Context): boolean {
  return args.bool('quiet') || args.text('progress') === 'quiet'
}

function screenOutput({ io, args }: Context): Output {
  const { stdout } = io
  if (args.text('progress') !== 'plain') return stdout
  return { isTTY: false, columns: stdout.columns, write: (text) => stdout.write(text) }
}

async function follow({ wanted, screen, session, isOneOfSeveral }: Side, context: Context): Promise<Ended> {
  const { io, args } = context
  const timeout = args.text('timeout')
  const whose = isOneOfSeveral ? `build/${wanted.object.metadata.name}: ` : ''
  const ended = await followBuild(wanted.object, wanted.asked, {
    session,
    screen,
    warn: async (text) => await io.stderr.write(`Warning: ${whose}${text}\n`),
    ...(timeout !== undefined && { timeoutMs: await parseTimeout(timeout, 'build') }),
  })
  if (isOneOfSeveral) await screen.tell(endText(ended))
  return ended
}

async function conclude(side: Side, followed: Followed, { io, ...context }: Context): Promise<number> {
  const { name } = side.wanted.object.metadata
  try {
    if (!('ended' in followed)) throw followed.error
    return await tell(followed.ended, side, { ...context, io, session: async () => side.session })
  } catch (error) {
    if (isInterrupt(error, io.signal)) {
      await io.stderr.write(
        `build/${name} goes on: \`cove logs -f build/${name}\` shows it, \`cove build cancel ${name}\` breaks it off\n`,
      )
      return exitCodes.interrupted
    }
    if (!side.isOneOfSeveral || !isOwn(error)) throw error
    await io.stderr.write(`build/${name}: ${errorText(error)}`)
    return exitCodes.error
  }
}

async function tell(ended: Ended, { wanted, session: { warned } }: Side, context: Context): Promise<number> {
  const { io } = context
  const { build, standing } = ended
  const warnings = (build.status?.warnings ?? []).filter((warning) => !isWarned(warning, warned))
  for (const warning of warnings) await io.stderr.write(`Warning: ${warningText(build, warning)}\n`)
  if (standing.state === 'failed') {
    const isRead = !isQuiet(context) && !screenOutput(context).isTTY && standing.isNew
    await io.stderr.write(failureText(ended, !isRead))
    return exitCodes.error
  }
  const id = build.status?.image?.id ?? ''
  if (isQuiet(context)) await io.stdout.write(`${id}\n`)
  else await io.stdout.write(builtText(ended, io.clock.now()))
  return await afterwards(ended, wanted, context)
}

/** As docker does for one: the id alone. Of several, a line for each that has an image now. */
async function writeIds(ended: readonly Ended[], asked: number, { io, args }: Context): Promise<void> {
  const file = args.text('iidfile')
  const ids = ended
    .filter(({ standing }) => standing.state === 'built')
    .map(({ build }) => build.status?.image?.id ?? '')
  if (file === undefined || ids.length === 0) return
  await writeFile(resolve(io.cwd, file), asked === 1 ? ids.join('') : ids.map((id) => `${id}\n`).join(''))
}

/** What is done with the image: files taken out of it, and the pushes seen to their end. */
async function afterwards({ build }: Ended, { directory }: Wanted, context: Context): Promise<number> {
  const outputs = outputsOf(build, { cwd: context.io.cwd, directory, texts: context.args.list('output') })
  if (outputs.length > 0) {
    const { takeOutputs } = await import('./outputs.ts')
    await takeOutputs(build, outputs, context)
  }
  if (build.spec.push.length > 0 && !isQuiet(context)) {
    const { followPushes } = await import('./pushes.ts')
    return await followPushes(build, context)
  }
  return exitCodes.ok
}
