/**
 * Making the objects of manifests what the manifests say: the whole set is checked, compared with what the server has, and
 * only what differs is written. What `cove apply` and `cove build` share.
 */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import { causeProblem } from '#pkg/manifest/check.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import type { ManifestDocument, SourceText } from '#pkg/manifest/decode.ts'
import { placeText, problemText } from '#pkg/manifest/place.ts'
import { type ApplyStep, applyRank, planApply, withAnnotations } from './applyplan.ts'
import { readCurrent, readOne } from './current.ts'
import { errorText } from './errors.ts'
import type { LocalFile } from './localfiles.ts'
import { checkedManifests } from './manifests.ts'
import { inOrder, requestLimit } from './parallel.ts'
import { qualifiedSingular } from './resources.ts'
import { type Context, fieldManager, type Session } from './session.ts'
import { Uploader } from './uploading.ts'

export type DryRun = 'none' | 'client' | 'server'

export interface ApplyOptions {
  /** For messages. */
  readonly command: string
  readonly dryRun: DryRun
  /** In place of what -f names. */
  readonly sources?: readonly SourceText[]
  /** Annotations that are written along with the object, and are no part of its manifest. */
  readonly annotate?: (object: CheckedObject, current: KubeObject | undefined) => Annotations | undefined
  /** Whether nothing is said of what went well. */
  readonly quiet?: boolean
}

type Annotations = Readonly<Record<string, string>>

/** In the order in which they were sent; what has failed has been told. */
export async function applyManifests(context: Context, options: ApplyOptions): Promise<readonly Result[]> {
  const { command, sources, annotate = () => undefined } = options
  let current: Applying['current'] = new Map()
  let files: Applying['files'] = new Map()
  const objects = await checkedManifests(context, command, {
    ...(sources !== undefined && { sources }),
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
  const applying = { ...options, annotate, context, session, current, files, uploader }
  const results: Result[] = []
  for (const rank of [...ranked.keys()].sort((a, b) => a - b)) {
    results.push(...(await applyAll(ranked.get(rank) ?? [], applying)))
  }
  return results
}

interface Applying extends ApplyOptions {
  readonly context: Context
  readonly session: Session
  readonly annotate: NonNullable<ApplyOptions['annotate']>
  /** The objects that exist, as they were before the first was sent. */
  readonly current: ReadonlyMap<CheckedObject, KubeObject>
  /** Files beside the manifests, by the document that names them. */
  readonly files: ReadonlyMap<ManifestDocument, readonly LocalFile[]>
  readonly uploader: Uploader
}

export interface Result {
  readonly object: CheckedObject
  /** As it was; undefined when it did not exist. */
  readonly before?: KubeObject
  /** As the server answered; undefined when it was not asked. */
  readonly after?: KubeObject
  readonly outcome: 'created' | 'configured' | 'unchanged' | 'failed'
  readonly error?: StatusError
  /** It will be gone whatever was applied. */
  readonly deleting?: true
}

/** Objects of one rank: sent at once, told in order. Other objects still apply when one fails. */
async function applyAll(objects: readonly CheckedObject[], applying: Applying): Promise<Result[]> {
  const { context, dryRun, current, quiet = false } = applying
  const results: Result[] = []
  for await (const result of inOrder(objects, requestLimit, (one) =>
    applyOne(one, current.get(one), applying),
  )) {
    results.push(result)
    const { io } = context
    if (result.error !== undefined) await io.stderr.write(failureText(result.object, result.error))
    else if (!quiet)
      await io.stdout.write(`${nameOf(result.object)} ${result.outcome}${dryRunSuffix(dryRun)}\n`)
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
    const planned = planApply(object, live)
    const step = withAnnotations(planned, applying.annotate(object, live))
    try {
      const after = (await send(object, step, applying)) ?? live
      const deleting = live?.metadata.deletionTimestamp !== undefined
      return {
        object,
        outcome: outcomeOf(planned),
        ...(live !== undefined && { before: live }),
        ...(after !== undefined && { after }),
        ...(deleting && { deleting }),
      }
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

async function send(
  checked: CheckedObject,
  step: ApplyStep,
  applying: Applying,
): Promise<KubeObject | undefined> {
  const { kind, object } = checked
  if (applying.dryRun === 'none') await sendFiles(checked, applying)
  if (step.verb === 'none' || applying.dryRun === 'client') return undefined
  const { client, signal } = applying.session
  const query = {
    fieldManager,
    fieldValidation: 'Strict',
    ...(applying.dryRun === 'server' && { dryRun: 'All' }),
  }
  if (step.verb === 'create') {
    const path = collectionPath(kind, object.metadata.namespace)
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify(step.body)
    return answered(await client.json({ method: 'POST', path, query, headers, body }, signal))
  }
  const path = objectPath(kind, object.metadata)
  const headers = { 'content-type': 'application/merge-patch+json' }
  const body = JSON.stringify(step.patch)
  return answered(await client.json({ method: 'PATCH', path, query, headers, body }, signal))
}

function answered(value: unknown): KubeObject | undefined {
  // The server has admitted it.
  return isPlainObject(value) ? (value as unknown as KubeObject) : undefined
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

function deletingText(object: CheckedObject): string {
  return `Warning: ${nameOf(object)} is being deleted; apply it again when it is gone\n`
}

function nameOf({ kind, object }: CheckedObject): string {
  return `${qualifiedSingular(kind)}/${object.metadata.name}`
}

function dryRunSuffix(dryRun: DryRun): string {
  return { none: '', client: ' (dry run)', server: ' (server dry run)' }[dryRun]
}
