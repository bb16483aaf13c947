/** `cove events`: what happened, oldest first, and what happens next with -w. */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { exitCodes, isInterrupt, UsageError } from '../errors.ts'
import { ageText, type EventView, viewEvents } from '../eventrows.ts'
import { listObjects, type Scope, watchRaw } from '../follow.ts'
import type { Io } from '../io.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { type Row, TableWriter } from '../table.ts'
import { parseTargets } from '../targets.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [extra] = args.positionals
  if (extra !== undefined)
    throw new UsageError(`unexpected argument "${extra}"; use --for ${extra}`, 'events')
  const session = await context.session()
  const scope = await eventScope(context, session)
  const { objects, resourceVersion } = await listObjects(scope, session)
  const show = eventPrinter(context)
  if (args.bool('watch')) {
    await show(objects)
    await watchEvents({ scope, resourceVersion, session, io }, show)
  } else if (!(await show(objects))) {
    await io.stderr.write(nothingText(scope))
  }
  return exitCodes.ok
}

/** Prints the wanted ones among the events, the header before the first; says whether there were any. */
function eventPrinter({ io, args }: Context): (events: readonly KubeObject[]) => Promise<boolean> {
  const writer = new TableWriter()
  const withNamespace = args.bool('all-namespaces')
  let header = args.bool('no-headers') ? [] : [headerRow(withNamespace)]
  return async (events) => {
    const wanted = viewEvents(events).filter((event) => isWanted(event, args.text('types')))
    if (wanted.length === 0) return false
    const rows = wanted.map((event) => eventRow(event, io.clock.now(), withNamespace))
    await io.stdout.write(writer.format([...header, ...rows]))
    header = []
    return true
  }
}

interface Watching {
  readonly scope: Scope
  readonly resourceVersion: string
  readonly session: Session
  readonly io: Io
}

async function watchEvents(
  { scope, resourceVersion, session, io }: Watching,
  show: (events: readonly KubeObject[]) => Promise<boolean>,
): Promise<void> {
  try {
    for await (const { type, object } of watchRaw(scope, { resourceVersion }, session)) {
      if (type === 'ADDED' || type === 'MODIFIED') await show([object as unknown as KubeObject])
    }
  } catch (error) {
    // Ctrl-C is how a watch is ended.
    if (!isInterrupt(error, io.signal)) throw error
  }
}

async function eventScope({ args }: Context, session: Session): Promise<Scope> {
  const about = args.text('for')
  const namespace = args.bool('all-namespaces') ? {} : { namespace: session.namespace }
  const resource = builtinResource('Event')
  if (about === undefined) return { resource, ...namespace }
  const [target, more] = await parseTargets([about], session, 'events')
  const [name] = target?.names ?? []
  if (target === undefined || name === undefined || more !== undefined)
    throw new UsageError(`"${about}" is not TYPE/NAME`, 'events')
  const fieldSelector = `involvedObject.kind=${target.resource.kind},involvedObject.name=${name}`
  return { resource, ...namespace, fieldSelector }
}

function isWanted({ type }: EventView, types: string | undefined): boolean {
  return types === undefined || types.toLowerCase().split(',').includes(type.toLowerCase())
}

function headerRow(withNamespace: boolean): Row {
  return [...(withNamespace ? ['NAMESPACE'] : []), 'LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE']
}

function eventRow(event: EventView, now: number, withNamespace: boolean): Row {
  const { namespace, type, reason, object, message } = event
  return [...(withNamespace ? [namespace] : []), ageText(event, now), type, reason, object, message]
}

function nothingText({ namespace }: Scope): string {
  return namespace === undefined ? 'No events found.\n' : `No events found in ${namespace} namespace.\n`
}
