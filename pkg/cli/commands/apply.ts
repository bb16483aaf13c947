/** `cove apply`: check the whole set, compare with what the server has, write only what differs, wait if asked. */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import { causeProblem } from '#pkg/manifest/check.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import type { ManifestDocument } from '#pkg/manifest/decode.ts'
import { placeText, problemText } from '#pkg/manifest/place.ts'
import { type ApplyStep, applyRank, planApply } from '../applyplan.ts'
import { readCurrent, readOne, resourceOf } from '../current.ts'
import { errorText, exitCodes } from '../errors.ts'
import type { LocalFile } from '../localfiles.ts'
import { checkedManifests } from '../manifests.ts'
import { inOrder, requestLimit } from '../parallel.ts'
import { conditionGoal, type Goal } from '../readiness.ts'
import { qualifiedSingular } from '../resources.ts'
import { type Context, fieldManager, type Session } from '../session.ts'
import { Uploader } from '../uploading.ts'
import { parseTimeout, waitFailure, waitFor } from '../waiting.ts'

type DryRun = 'none' | 'client' | 'server'

export async function run(context: Context): Promise<number> {
  const { args } = context
  const timeoutMs = await parseTimeout(args.text('timeout') ?? '5m', 'apply')
  const dryRun = dryRunOf(args.text('dry-run'))
  let current: Applying['current'] = new Map()
  let files: Applying['files'] = new Map()
  const objects = await checkedManifests(context, 'apply', {
    onFiles: (found) => {
      files = found
    },
    differs: async (read) => {
      current = await readCurrent(read, await context.session())
      return read.some((one) => planApply(one, current.get(one)).verb !== 'none')
    },
  })
  const session = await context.session()
  const ranked = Map.groupBy(objects, applyRank)
  const uploader = new Uploader(session, context.io.stderr)
  const applying = { context, session, dryRun, current, files, uploader }
  const results: Result[] = []
  for (const rank of [...ranked.keys()].sort((a, b) => a - b)) {
    results.push(...(await applyAll(ranked.get(rank) ?? [], applying)))
  }
  const failed = results.some(({ outcome }) => outcome === 'failed')
  if (args.has('wait') && args.text('wait') !== 'false' && dryRun === 'none') {
    const applied = results.filter(({ outcome }) => outcome !== 'failed').map(({ object }) => object)
    const waited = await waitForObjects(applied, context, timeoutMs)
    if (!waited) return exitCodes.error
  }
  return failed ? exitCodes.error : exitCodes.ok
}

interface Applying {
  readonly context: Context
  readonly session: Session
  readonly dryRun: DryRun
  /** The objects that exist, as they were before the first was sent. */
  readonly current: ReadonlyMap<CheckedObject, KubeObject>
  /** Files beside the manifests, by the document that names them. */
  readonly files: ReadonlyMap<ManifestDocument, readonly LocalFile[]>
  readonly uploader: Uploader
}

interface Result {
  readonly object: CheckedObject
  readonly outcome: 'created' | 'configured' | 'unchanged' | 'failed'
  readonly error?: StatusError
  /** It will be gone whatever was applied. */
  readonly deleting?: true
}

/** Objects of one rank: sent at once, told in order. Other objects still apply when one fails. */
async function applyAll(objects: readonly CheckedObject[], applying: Applying): Promise<Result[]> {
  const { context, dryRun, current } = applying
  const results: Result[] = []
  for await (const result of inOrder(objects, requestLimit, (one) =>
    applyOne(one, current.get(one), applying),
  )) {
    results.push(result)
    const { io } = context
    if (result.error !== undefined) await io.stderr.write(failureText(result.object, result.error))
    else await io.stdout.write(`${nameOf(result.object)} ${result.outcome}${dryRunSuffix(dryRun)}\n`)
    if (result.deleting === true) await io.stderr.write(deletingText(result.object))
  }
  return results
}

const attempts = 3

async function applyOne(
  object: CheckedObject,
  current: KubeObject | undefined,
  applying: Applying,
): Promise<Result> {
  let live = current
  for (let attempt = 1; ; attempt++) {
    const step = planApply(object, live)
    try {
      await send(object, step, applying)
      const deleting = live?.metadata.deletionTimestamp !== undefined
      return { object, outcome: outcomeOf(step), ...(deleting && { deleting }) }
    } catch (error) {
      if (!(error instanceof StatusError)) throw error
      // Somebody else was there between our reading and writing: look again.
      const raced = isReason(error, 'AlreadyExists') || isReason(error, 'Conflict')
      if (!raced || attempt === attempts) return failedOrThrow(object, error)
      live = await readOne(object, applying.session)
    }
  }
}

/** A server that is away concerns all objects, so it ends the command. */
function failedOrThrow(object: CheckedObject, error: StatusError): Result {
  if (isReason(error, 'ServiceUnavailable') || isReason(error, 'Unauthorized')) throw error
  return { object, outcome: 'failed', error }
}

/** Whether it differs or not: a server that was set up anew may have the object and not the file. */
async function sendFiles({ document, object }: CheckedObject, { files, uploader }: Applying): Promise<void> {
  const own = files.get(document)
  if (own !== undefined) await uploader.send(own, object.metadata.namespace ?? 'default')
}

async function send(checked: CheckedObject, step: ApplyStep, applying: Applying): Promise<void> {
  const { kind, object } = checked
  if (applying.dryRun === 'none') await sendFiles(checked, applying)
  if (step.verb === 'none' || applying.dryRun === 'client') return
  const { client, signal } = applying.session
  const query = {
    fieldManager,
    fieldValidation: 'Strict',
    ...(applying.dryRun === 'server' && { dryRun: 'All' }),
  }
  if (step.verb === 'create') {
    const path = collectionPath(kind, object.metadata.namespace)
    const headers = { 'content-type': 'application/json' }
    await client.json({ method: 'POST', path, query, headers, body: JSON.stringify(step.body) }, signal)
    return
  }
  const path = objectPath(kind, object.metadata)
  const headers = { 'content-type': 'application/merge-patch+json' }
  await client.json({ method: 'PATCH', path, query, headers, body: JSON.stringify(step.patch) }, signal)
}

function outcomeOf({ verb }: ApplyStep): Result['outcome'] {
  return ({ create: 'created', patch: 'configured', none: 'unchanged' } as const)[verb]
}

/** Field errors get the line of the field; others the line of the object. */
export function failureText(checked: CheckedObject, error: StatusError): string {
  const causes = error.details.causes ?? []
  if (isReason(error, 'Invalid') && causes.length > 0) {
    return causes.map((cause) => `${problemText(causeProblem(checked.document, cause))}\n`).join('')
  }
  return `${placeText(checked.document.source)}: ${nameOf(checked)}: ${errorText(error)}`
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
  const results = await waitFor(waited, await session(), { goal, timeoutMs, io, showProgress: true })
  const missed = results.filter(({ verdict }) => verdict.state !== 'met')
  const hopeless = missed.filter(({ verdict }) => verdict.state === 'hopeless')
  for (const result of hopeless.length > 0 ? hopeless : missed) {
    await io.stderr.write(errorText(waitFailure(result)))
  }
  return missed.length === 0
}

function deletingText(object: CheckedObject): string {
  return `Warning: ${nameOf(object)} is being deleted; apply it again when it is gone\n`
}

function nameOf({ kind, object }: CheckedObject): string {
  return `${qualifiedSingular(kind)}/${object.metadata.name}`
}

function dryRunOf(text: string | undefined): DryRun {
  return text === 'client' || text === 'server' ? text : 'none'
}

function dryRunSuffix(dryRun: DryRun): string {
  return { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun]
}
