/** `cove diff`: what apply would change, field by field, as the server itself would store it. */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject, sameJson } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Kind } from '#pkg/apis/kind.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import { joinPath } from '#pkg/apis/validate.ts'
import { lastAppliedAnnotation } from '#pkg/apis/wellknown.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { failureText } from '../applying.ts'
import { type ApplyStep, planApply } from '../applyplan.ts'
import { readCurrent } from '../current.ts'
import { exitCodes, Failed } from '../errors.ts'
import { checkedManifests } from '../manifests.ts'
import { inOrder, requestLimit } from '../parallel.ts'
import { qualifiedSingular } from '../resources.ts'
import { type Context, fieldManager, type Session } from '../session.ts'

const differs = 1

export async function run(context: Context): Promise<number> {
  // `diff container NAME` is what `docker diff NAME` is: about the container's files, not about manifests.
  if (context.args.positionals.length > 0 && !context.args.has('filename'))
    return (await import('./changes.ts')).run(context)
  const objects = await checkedManifests(context, 'diff', { exitCode: exitCodes.usage })
  const session = await context.session()
  const current = await readCurrent(objects, session)
  let changes = 0
  let failed = false
  const predict = (one: CheckedObject) => predictOne(one, current.get(one), session)
  for await (const { one, after, error } of inOrder(objects, requestLimit, predict)) {
    if (error !== undefined) {
      failed = true
      await context.io.stderr.write(failureText(one, error))
      continue
    }
    const lines = diffLines(one, current.get(one), after)
    changes += lines.length
    await context.io.stdout.write(lines.map((line) => `${line}\n`).join(''))
  }
  if (failed) throw new Failed(exitCodes.usage)
  return changes > 0 ? differs : exitCodes.ok
}

interface Predicted {
  readonly one: CheckedObject
  readonly after?: KubeObject
  readonly error?: StatusError
}

async function predictOne(
  one: CheckedObject,
  current: KubeObject | undefined,
  session: Session,
): Promise<Predicted> {
  const step = planApply(one, current)
  if (step.verb === 'none') return { one, ...(current !== undefined && { after: current }) }
  try {
    return { one, after: await tryOnServer(one, step, session) }
  } catch (error) {
    if (!(error instanceof StatusError) || isReason(error, 'ServiceUnavailable')) throw error
    // Its namespace may be part of the same set; admission here says the same then.
    if (step.verb === 'create' && isReason(error, 'NotFound')) return { one, after: one.object }
    return { one, error }
  }
}

async function tryOnServer(
  { kind, object }: CheckedObject,
  step: Exclude<ApplyStep, { verb: 'none' }>,
  { client, signal }: Session,
): Promise<KubeObject> {
  const query = { dryRun: 'All', fieldManager }
  const create = step.verb === 'create'
  const answer = await client.json(
    {
      method: create ? 'POST' : 'PATCH',
      path: create ? collectionPath(kind, object.metadata.namespace) : objectPath(kind, object.metadata),
      query,
      headers: { 'content-type': create ? 'application/json' : 'application/merge-patch+json' },
      body: JSON.stringify(create ? step.body : step.patch),
    },
    signal,
  )
  // The server has admitted it.
  return answer as KubeObject
}

/** `container.cove.run/web: spec.image: "a:1" -> "a:2"  (recreate)` */
export function diffLines(
  { kind, object }: CheckedObject,
  before: KubeObject | undefined,
  after: KubeObject | undefined,
): string[] {
  const name = `${qualifiedSingular(kind)}/${object.metadata.name}`
  const secret = kind.kind === 'Secret'
  const fields = fieldChanges(comparable(before), comparable(after), '')
  const lines = fields.map(({ path, from, to }) => {
    const effect = before === undefined ? '' : effectText(kind, path)
    return `${name}: ${path}: ${changeText(from, to, secret)}${effect}`
  })
  return before === undefined ? [`${name}: added`, ...lines] : lines
}

/** What becomes of the container that runs; a new one does not have what the old one wrote outside of volumes. */
function effectText(kind: Kind, path: string): string {
  const effect = kind.changeOf?.(path) ?? 'nothing'
  return effect === 'nothing' ? '' : `  (${effect})`
}

interface FieldChange {
  readonly path: string
  readonly from: unknown
  readonly to: unknown
}

function fieldChanges(from: unknown, to: unknown, path: string): FieldChange[] {
  if (sameJson(from, to)) return []
  if (isPlainObject(from) && isPlainObject(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])]
    return keys.flatMap((key) => fieldChanges(from[key], to[key], joinPath(path, key)))
  }
  if (Array.isArray(from) && Array.isArray(to)) {
    const longer = from.length > to.length ? from : to
    return longer.flatMap((_, index) => fieldChanges(from[index], to[index], `${path}[${index}]`))
  }
  return isPlainObject(to) && from === undefined && Object.keys(to).length > 0
    ? Object.entries(to).flatMap(([key, value]) => fieldChanges(undefined, value, joinPath(path, key)))
    : [{ path, from, to }]
}

function changeText(from: unknown, to: unknown, secret: boolean): string {
  const show = (value: unknown) => (secret ? '(hidden)' : JSON.stringify(value))
  if (from === undefined) return `added ${show(to)}`
  if (to === undefined) return `removed ${show(from)}`
  return `${show(from)} -> ${show(to)}`
}

/** Without what the server keeps for itself, and what changes with every write. */
function comparable(object: KubeObject | undefined): Record<string, unknown> {
  if (object === undefined) return {}
  const { status: _status, apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object
  const { name: _n, namespace: _ns, uid: _u, resourceVersion: _rv, generation: _g, ...meta } = metadata
  const { creationTimestamp: _c, managedFields: _m, annotations = {}, ...kept } = meta
  const { [lastAppliedAnnotation]: _last, ...ownAnnotations } = annotations
  const annotated = Object.keys(ownAnnotations).length === 0 ? {} : { annotations: ownAnnotations }
  return { metadata: { ...kept, ...annotated }, ...rest }
}
