/** `cove delete`: ask for deletion, say so, and wait until the objects are gone. */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import type { Args } from '../args.ts'
import { errorText, exitCodes, UsageError } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { inOrder, requestLimit } from '../parallel.ts'
import { qualifiedSingular } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets, type Target } from '../targets.ts'
import { parseTimeout, type Waited, waitFailure, waitFor } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const { args, io } = context
  const options = deleteOptions(context)
  const timeout = args.text('timeout')
  const timeoutMs = timeout === undefined ? 0 : await parseTimeout(timeout, 'delete')
  const session = await context.session()
  const victims = await findVictims(context, session)
  if (victims.length === 0 && !args.has('filename')) await io.stdout.write('No resources found\n')
  const { pending, failed } = await deleteAll(victims, { context, session, options })
  const wait = (!args.has('wait') || args.bool('wait')) && options.dryRun === 'none'
  const gone = !wait || (await waitUntilGone(pending, context, timeoutMs))
  return failed || !gone ? exitCodes.error : exitCodes.ok
}

interface DeleteOptions {
  readonly dryRun: 'none' | 'client' | 'server'
  readonly body: Record<string, unknown>
  readonly ignoreNotFound: boolean
}

function deleteOptions({ args }: Context): DeleteOptions {
  const grace = gracePeriod(args)
  const word = args.text('dry-run')
  const dryRun = word === 'client' || word === 'server' ? word : 'none'
  return {
    dryRun,
    ignoreNotFound: args.bool('ignore-not-found'),
    body: {
      propagationPolicy: policies[args.text('cascade') ?? ''] ?? 'Background',
      ...(grace !== undefined && { gracePeriodSeconds: grace }),
      ...(dryRun === 'server' && { dryRun: ['All'] }),
    },
  }
}

/** In seconds; undefined leaves it to the object. */
function gracePeriod(args: Args): number | undefined {
  const given = args.text('grace-period')
  if (given !== undefined && !/^\d+$/.test(given))
    throw new UsageError(`invalid value "${given}" for --grace-period: seconds are expected`, 'delete')
  if (given !== undefined && args.bool('now'))
    throw new UsageError('--now and --grace-period exclude each other', 'delete')
  const seconds = args.bool('now') ? 1 : given === undefined ? undefined : Number(given)
  if (!args.bool('force')) return seconds
  if (seconds === undefined || seconds === 0) return 0
  throw new UsageError('--force leaves no time: it excludes --now and --grace-period', 'delete')
}

const policies: Readonly<Record<string, string>> = { foreground: 'Foreground', orphan: 'Orphan' }

async function findVictims(context: Context, session: Session): Promise<Waited[]> {
  const { args } = context
  if (args.has('filename')) {
    const { victimsOfManifests } = await import('../victims.ts')
    return victimsOfManifests(context, session)
  }
  const targets = await parseTargets(args.positionals, session, 'delete')
  const chosen = args.bool('all') || args.has('selector') || args.has('field-selector')
  const named = targets.every(({ names }) => names !== undefined)
  if (named === chosen) {
    throw new UsageError(
      chosen ? 'names exclude --all and selectors' : 'name the objects, or choose them with -l or --all',
      'delete',
    )
  }
  return (await Promise.all(targets.map((target) => victimsOfTarget(target, context, session)))).flat()
}

async function victimsOfTarget(
  { resource, names }: Target,
  { args }: Context,
  session: Session,
): Promise<Waited[]> {
  const namespace = resource.namespaced ? { namespace: session.namespace } : {}
  if (names !== undefined) return names.map((name) => ({ resource, name, ...namespace }))
  const labelSelector = args.text('selector')
  const fieldSelector = args.text('field-selector')
  const scope = {
    resource,
    ...namespace,
    ...(labelSelector !== undefined && { labelSelector }),
    ...(fieldSelector !== undefined && { fieldSelector }),
  }
  const { objects } = await listObjects(scope, session)
  return objects.map(({ metadata }) => ({ resource, name: metadata.name, ...namespace }))
}

interface Deleting {
  readonly context: Context
  readonly session: Session
  readonly options: DeleteOptions
}

type Outcome = { readonly victim: Waited } & (
  | { readonly error: StatusError }
  | { readonly uid?: string; readonly pending: boolean }
)

async function deleteAll(victims: readonly Waited[], deleting: Deleting) {
  const { io, args } = deleting.context
  const { ignoreNotFound, dryRun } = deleting.options
  const pending: Waited[] = []
  let failed = false
  for await (const outcome of inOrder(victims, requestLimit, (victim) => deleteOne(victim, deleting))) {
    const { victim } = outcome
    if (!('error' in outcome)) {
      await io.stdout.write(deletedText(victim, dryRun, args.text('output')))
      if (outcome.pending) pending.push({ ...victim, ...(outcome.uid !== undefined && { uid: outcome.uid }) })
    } else if (!(ignoreNotFound && isReason(outcome.error, 'NotFound'))) {
      failed = true
      await io.stderr.write(errorText(outcome.error))
    }
  }
  return { pending, failed }
}

async function deleteOne(victim: Waited, { session, options }: Deleting): Promise<Outcome> {
  const { client, signal } = session
  const path = objectPath(victim.resource, victim)
  try {
    const answer = await client.json(
      options.dryRun === 'client'
        ? { method: 'GET', path }
        : {
            method: 'DELETE',
            path,
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(options.body),
          },
      signal,
    )
    const body = isPlainObject(answer) ? answer : {}
    const metadata = isPlainObject(body['metadata']) ? body['metadata'] : {}
    const uid = metadata['uid']
    // A Status says that it is gone; the object, that somebody has to clean up first.
    return { victim, pending: body['kind'] !== 'Status', ...(typeof uid === 'string' && { uid }) }
  } catch (error) {
    if (!(error instanceof StatusError) || isReason(error, 'ServiceUnavailable')) throw error
    return { victim, error }
  }
}

function deletedText({ resource, name }: Waited, dryRun: DeleteOptions['dryRun'], output?: string): string {
  if (output === 'name') return `${qualifiedSingular(resource)}/${name}\n`
  const suffix = { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun]
  return `${qualifiedSingular(resource)} "${name}" deleted${suffix}\n`
}

async function waitUntilGone(
  pending: readonly Waited[],
  { io, session }: Context,
  timeoutMs: number,
): Promise<boolean> {
  const results = await waitFor(pending, await session(), {
    goal: { kind: 'delete' },
    io,
    showProgress: io.stderr.isTTY,
    ...(timeoutMs > 0 && { timeoutMs }),
  })
  const missed = results.filter(({ verdict }) => verdict.state !== 'met')
  for (const result of missed) await io.stderr.write(errorText(waitFailure(result)))
  return missed.length === 0
}
