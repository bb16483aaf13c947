/** `cove apply`: check the whole set, compare with what the server has, write only what differs, wait if asked. */
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { applyManifests, type DryRun } from '../applying.ts'
import { resourceOf } from '../current.ts'
import { errorText, exitCodes } from '../errors.ts'
import { waitForFollowers } from '../followers.ts'
import { conditionGoal, type Goal } from '../readiness.ts'
import type { Context } from '../session.ts'
import { parseTimeout, type WaitResult, waitFailure, waitFor } from '../waiting.ts'

export async function run(context: Context): Promise<number> {
  const { args } = context
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '5m', 'apply')
  const dryRun = dryRunOf(args.text('dry-run'))
  const results = await applyManifests(context, { command: 'apply', dryRun })
  const failed = results.some(({ outcome }) => outcome === 'failed')
  if (args.has('wait') && args.text('wait') !== 'false' && dryRun === 'none') {
    const applied = results.filter(({ outcome }) => outcome !== 'failed').map(({ object }) => object)
    const waited = await waitForObjects(applied, context, timeoutMs)
    if (!waited) return exitCodes.error
  }
  return failed ? exitCodes.error : exitCodes.ok
}

async function waitForObjects(
  objects: readonly CheckedObject[],
  { io, args, session }: Context,
  timeoutMs: number,
): Promise<boolean> {
  const condition = args.text('wait') ?? 'true'
  const goal: Goal =
    condition === 'true' ? { kind: 'ready' } : conditionGoal(condition.replace(/^condition=/, ''))
  const waited = objects
    .map((checked) => {
      const { name, namespace } = checked.object.metadata
      return { resource: resourceOf(checked), name, ...(namespace !== undefined && { namespace }) }
    })
    .filter(({ resource }) => resource.group !== '')
  const opened = await session()
  const options = { timeoutMs, io, showProgress: true }
  const reached = await waitFor(waited, opened, { ...options, goal })
  const isThere = reached.every(({ verdict }) => verdict.state === 'met')
  const whole = objects.map(({ object }) => object)
  const followed = isThere && goal.kind === 'ready' ? await waitForFollowers(whole, opened, options) : []
  const results = [...reached, ...followed]
  const missed = results.filter(({ verdict }) => verdict.state !== 'met')
  const hopeless = missed.filter(({ verdict }) => verdict.state === 'hopeless')
  for (const result of hopeless.length > 0 ? hopeless : missed) {
    await io.stderr.write(`${errorText(waitFailure(result))}${await detailsOf(result)}`)
  }
  return missed.length === 0
}

/** Of a build that failed, what people look for next. */
async function detailsOf({ object, verdict }: WaitResult): Promise<string> {
  if (object?.kind !== 'Build' || verdict.state !== 'hopeless') return ''
  const [{ failureDetails }, { asBuild }] = await Promise.all([
    import('../builds/report.ts'),
    import('../builds/outcome.ts'),
  ])
  const build = asBuild(object)
  return failureDetails(build, build.status?.failure)
}

function dryRunOf(text: string | undefined): DryRun {
  return text === 'client' || text === 'server' ? text : 'none'
}
