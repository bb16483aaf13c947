/** `cove wait`: until the objects are as asked. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { namesContainer } from '../containername.ts'
import { CliError, errorText, exitCodes, UsageError } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { type Goal, judge, parseGoal } from '../readiness.ts'
import { qualifiedSingular, type Resource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets, type Target } from '../targets.ts'
import { parseTimeout, type Waited, type WaitResult, waitFailure, waitFor } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const { args, io } = context
  const goalText = args.text('for')
  if (goalText === undefined) {
    const others = args.positionals.some((word) => word.includes('/') && !namesContainer(word))
    if (args.positionals.length === 0 || others || chosenOtherwise(context))
      throw new UsageError('say what to wait for with --for', 'wait')
    const { waitForExits } = await import('../waitexit.ts')
    return await waitForExits(context)
  }
  const goal = parseGoal(goalText)
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '30s', 'wait')
  const session = await context.session()
  const found = await findObjects(context, session, goal)
  const onMet = (waited: Waited) => io.stdout.write(`${nameOf(waited)} condition met\n`)
  const results =
    timeoutMs === 0
      ? await lookOnce(found, goal, onMet)
      : await waitFor(
          found.map(({ waited }) => waited),
          session,
          { goal, timeoutMs, io, onMet, showProgress: true },
        )
  const missed = results.filter(({ verdict }) => verdict.state !== 'met')
  const hopeless = missed.filter(({ verdict }) => verdict.state === 'hopeless')
  for (const result of hopeless.length > 0 ? hopeless : missed) {
    await io.stderr.write(errorText(waitFailure(result)))
  }
  return missed.length === 0 ? exitCodes.ok : exitCodes.error
}

function chosenOtherwise({ args }: Context): boolean {
  return ['all', 'selector', 'field-selector', 'all-namespaces'].some((flag) => args.has(flag))
}

interface Found {
  readonly waited: Waited
  readonly object: KubeObject | undefined
}

async function findObjects(context: Context, session: Session, goal: Goal): Promise<Found[]> {
  const { args } = context
  const targets = await parseTargets(args.positionals, session, 'wait')
  const chosen = args.bool('all') || args.has('selector') || args.has('field-selector')
  if (!chosen && targets.some(({ names }) => names === undefined))
    throw new UsageError('name the objects, or choose them with -l or --all', 'wait')
  const found = (
    await Promise.all(targets.map((target) => findTarget(target, context, session, goal)))
  ).flat()
  if (found.length === 0 && goal.kind !== 'delete') throw new CliError('no matching resources found')
  return found
}

function findTarget(target: Target, context: Context, session: Session, goal: Goal): Promise<Found[]> {
  const { resource, names } = target
  if (names === undefined) return findByScope(resource, context, session)
  return Promise.all(names.map((name) => findByName(resource, name, session, goal)))
}

async function findByName(resource: Resource, name: string, session: Session, goal: Goal): Promise<Found> {
  const namespace = resource.namespaced ? { namespace: session.namespace } : {}
  const waited = { resource, name, ...namespace }
  try {
    const value = await session.client.json(
      { method: 'GET', path: objectPath(resource, waited) },
      session.signal,
    )
    const object = isPlainObject(value) ? (value as unknown as KubeObject) : undefined
    const uid = goal.kind === 'delete' ? object?.metadata.uid : undefined
    return { waited: { ...waited, ...(uid !== undefined && { uid }) }, object }
  } catch (error) {
    if (goal.kind === 'delete' && isReason(error, 'NotFound')) return { waited, object: undefined }
    throw error
  }
}

async function findByScope(resource: Resource, { args }: Context, session: Session): Promise<Found[]> {
  const labelSelector = args.text('selector')
  const fieldSelector = args.text('field-selector')
  const everywhere = args.bool('all-namespaces') || !resource.namespaced
  const { objects } = await listObjects(
    {
      resource,
      ...(!everywhere && { namespace: session.namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
      ...(fieldSelector !== undefined && { fieldSelector }),
    },
    session,
  )
  return objects.map((object) => {
    const { name, namespace, uid } = object.metadata
    const waited = {
      resource,
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
    }
    return { waited, object }
  })
}

async function lookOnce(
  found: readonly Found[],
  goal: Goal,
  onMet: (waited: Waited) => Promise<void>,
): Promise<WaitResult[]> {
  const results = found.map(({ waited, object }) => ({ waited, verdict: judge(object, goal) }))
  for (const { waited, verdict } of results) if (verdict.state === 'met') await onMet(waited)
  return results
}

function nameOf({ resource, name }: Waited): string {
  return `${qualifiedSingular(resource)}/${name}`
}
