/** `cove rollout`: how far a change is, and going back to an older one. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ControllerRevision } from '#pkg/apis/controllerrevision.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { changeCauseAnnotation, revisionsOf, specAtRevision } from '#pkg/apis/revisions.ts'
import { engineLabels, restartAnnotation } from '#pkg/apis/wellknown.ts'
import { CliError, errorText, exitCodes, UsageError } from '../errors.ts'
import { followObjects, listObjects } from '../follow.ts'
import { builtinResource, qualifiedSingular, type Resource } from '../resources.ts'
import { historyTable, isCurrent, keptSpec, type RolloutState, rolloutState } from '../rollouttext.ts'
import type { Context, Session } from '../session.ts'
import { parseTargets } from '../targets.ts'
import { parseTimeout } from '../waiting.ts'

/** One Container that the command is about. */
interface Subject {
  readonly context: Context
  readonly session: Session
  readonly resource: Resource
  readonly container: Container
}

type Annotated = Pick<KubeObject['metadata'], 'annotations'>

type Action = (subject: Subject) => Promise<void>

const actions: Readonly<Record<string, Action>> = { status, history, undo, pause, resume, restart }
const words = Object.keys(actions).join(', ')
/** Changes of the spec by others that going back may meet. */
const attempts = 5

export async function run(context: Context): Promise<number> {
  const [verb = '', ...rest] = context.args.positionals
  const action = Object.hasOwn(actions, verb) ? actions[verb] : undefined
  if (action === undefined)
    throw new UsageError(verb === '' ? `say ${words}` : `unknown action "${verb}": say ${words}`, 'rollout')
  const session = await context.session()
  let failures = 0
  for (const { resource, container } of await findContainers(rest, context, session)) {
    try {
      await action({ context, session, resource, container })
    } catch (error) {
      if (session.signal.aborted || !(error instanceof CliError)) throw error
      await context.io.stderr.write(errorText(error))
      failures++
    }
  }
  return failures === 0 ? exitCodes.ok : exitCodes.error
}

async function findContainers(names: readonly string[], { args }: Context, session: Session) {
  const targets = await parseTargets(names, session, 'rollout')
  const labelSelector = args.text('selector')
  const found = targets.map(async ({ resource, names: wanted }) => {
    if (resource.kind !== 'Container')
      throw new CliError(`${resource.plural} have no rollout: only containers are replaced by new ones`)
    if (wanted === undefined && labelSelector === undefined)
      throw new UsageError('name the containers, or choose them with -l', 'rollout')
    const { namespace } = session
    const objects =
      wanted === undefined
        ? (await listObjects({ resource, namespace, ...(labelSelector && { labelSelector }) }, session))
            .objects
        : await Promise.all(wanted.map((name) => read(resource, name, session)))
    return objects.map((container) => ({ resource, container: asContainer(container) }))
  })
  const all = (await Promise.all(found)).flat()
  if (all.length === 0) throw new CliError('no matching resources found')
  return all
}

async function read(resource: Resource, name: string, session: Session): Promise<KubeObject> {
  const path = objectPath(resource, { name, namespace: session.namespace })
  // The server has admitted it.
  return (await session.client.json({ method: 'GET', path }, session.signal)) as KubeObject
}

function asContainer(object: KubeObject): Container {
  // Of this resource the server has nothing else.
  return object as Container
}

async function status(subject: Subject): Promise<void> {
  const { context, container } = subject
  const { args, io } = context
  const { name } = container.metadata
  await checkRevision(subject)
  const timeout = await parseTimeout(args.text('timeout') ?? '0', 'rollout')
  const watch = !args.has('watch') || args.bool('watch')
  let told = ''
  const tell = async (state: RolloutState) => {
    const line = statusLine(name, state)
    if (line !== told && state.state !== 'failed') await io.stdout.write(`${line}\n`)
    told = line
  }
  const state = watch ? await untilSettled(subject, timeout, tell) : rolloutState(container)
  if (!watch) await tell(state)
  if (state.state === 'failed') throw new CliError(`container "${name}" ${state.message}`)
}

function statusLine(name: string, { state, message }: RolloutState): string {
  if (state === 'done') return `container "${name}" successfully rolled out`
  return `Waiting for container "${name}" rollout to finish: ${message}...`
}

/** The state that does not change by itself. Throws when time is up; a timeout of 0 is none. */
async function untilSettled(
  { session, resource, container }: Subject,
  timeout: number,
  tell: (state: RolloutState) => Promise<void>,
): Promise<RolloutState> {
  const stop = new AbortController()
  const cancel = timeout === 0 ? () => undefined : session.clock.after(timeout, () => stop.abort())
  const { name, namespace = 'default', uid } = container.metadata
  const scope = { resource, namespace, fieldSelector: `metadata.name=${name}` }
  const signal = AbortSignal.any([session.signal, stop.signal])
  try {
    for await (const change of followObjects(scope, { ...session, signal })) {
      const object = change.type === 'SYNC' ? change.objects[0] : change.object
      if (object === undefined || change.type === 'DELETED' || object.metadata.uid !== uid)
        throw new CliError(`container "${name}" was deleted`)
      const state = rolloutState(asContainer(object))
      await tell(state)
      if (state.state !== 'pending') return state
    }
    throw new CliError('the server ended the watch')
  } catch (error) {
    if (!stop.signal.aborted || session.signal.aborted) throw error
    throw new CliError('timed out waiting for the condition', { cause: error })
  } finally {
    cancel()
    stop.abort()
  }
}

async function checkRevision(subject: Subject): Promise<void> {
  const wanted = numberOf(subject.context, 'revision')
  if (wanted === 0) return
  const current = (await revisions(subject)).findLast((revision) => isCurrent(subject.container, revision))
  if (current?.revision === wanted) return
  const running = current?.revision ?? 'none'
  throw new CliError(`desired revision (${wanted}) is different from the running revision (${running})`)
}

async function history(subject: Subject): Promise<void> {
  const { context, container } = subject
  const { args, io } = context
  const all = await revisions(subject)
  const wanted = numberOf(context, 'revision')
  const chosen = wanted === 0 ? all : all.filter(({ revision }) => revision === wanted)
  if (wanted !== 0 && chosen.length === 0) throw new CliError('unable to find the specified revision')
  const format = args.text('output')
  if (format !== undefined) return await printObjects(context, chosen, format)
  const title = nameOf(subject)
  if (wanted === 0) {
    await io.stdout.write(
      `${title} \n${all.length === 0 ? 'No rollout history found.\n' : historyTable(all)}\n`,
    )
    return
  }
  const { writeYaml } = await import('#pkg/manifest/yaml.ts')
  const spec = chosen.map((revision) => writeYaml(keptSpec(revision)).replaceAll(/^(?=.)/gm, '  '))
  const mark = chosen.some((revision) => isCurrent(container, revision)) ? ', which is asked for now' : ''
  await io.stdout.write(`${title} with revision #${wanted}${mark}\nSpec:\n${spec.join('')}`)
}

async function printObjects({ io }: Context, objects: readonly object[], format: string): Promise<void> {
  const [only, ...more] = objects
  const value =
    only !== undefined && more.length === 0
      ? only
      : { apiVersion: 'v1', kind: 'List', metadata: {}, items: objects }
  const { writeYaml } = await import('#pkg/manifest/yaml.ts')
  await io.stdout.write(format === 'json' ? `${JSON.stringify(value, null, 4)}\n` : writeYaml(value))
}

async function undo(subject: Subject): Promise<void> {
  const { context, session, resource, container } = subject
  const { name } = container.metadata
  if (container.spec.update?.paused === true)
    throw new CliError(
      `you cannot rollback a paused container; resume it first with 'cove rollout resume container/${name}' and try again`,
    )
  const target = chooseTarget(container, await revisions(subject), numberOf(context, 'to-revision'))
  if (isCurrent(container, target)) {
    const why = `current template already matches revision ${target.revision}`
    return await say(subject, `skipped rollback (${why})`)
  }
  for (let attempt = 1; ; attempt++) {
    const current = asContainer(attempt === 1 ? container : await read(resource, name, session))
    try {
      await goBack({ ...subject, container: current }, target)
      return await say(subject, 'rolled back', true)
    } catch (error) {
      const now = asContainer(await read(resource, name, session))
      const overtaken = now.metadata.generation !== current.metadata.generation
      if (!overtaken || attempt === attempts) throw error
    }
  }
}

/** Of the revisions the newest that is not asked for now, or the one with the number. */
function chooseTarget(
  container: Container,
  all: readonly ControllerRevision[],
  wanted: number,
): ControllerRevision {
  if (wanted === 0) {
    const previous = all.findLast((revision) => !isCurrent(container, revision))
    if (previous !== undefined) return previous
    throw new CliError(`no rollout history found for container "${container.metadata.name}"`)
  }
  const found = all.find(({ revision }) => revision === wanted)
  if (found !== undefined) return found
  throw new CliError(`unable to find specified revision ${wanted} in history`)
}

/** Bound to the generation that was read: status may change meanwhile, the spec may not. */
async function goBack(subject: Subject, target: ControllerRevision): Promise<void> {
  const { metadata, spec } = subject.container
  await write(subject, 'application/json-patch+json', [
    { op: 'test', path: '/metadata/generation', value: metadata.generation },
    { op: 'replace', path: '/spec', value: specAtRevision(spec, keptSpec(target)) },
    ...causeChange(metadata, target.metadata),
  ])
}

/** What was said of the newer spec is not true of the older one. */
function causeChange({ annotations: now }: Annotated, { annotations: then }: Annotated): object[] {
  const value = then?.[changeCauseAnnotation]
  if (value === now?.[changeCauseAnnotation]) return []
  const path = `/metadata/annotations/${changeCauseAnnotation.replaceAll('/', '~1')}`
  if (value === undefined) return [{ op: 'remove', path }]
  if (now !== undefined) return [{ op: 'add', path, value }]
  return [{ op: 'add', path: '/metadata/annotations', value: { [changeCauseAnnotation]: value } }]
}

async function pause(subject: Subject): Promise<void> {
  if (subject.container.spec.update?.paused === true) throw alreadyCalled(subject, 'is already paused')
  await merge(subject, { spec: { update: { paused: true } } })
  await say(subject, 'paused', true)
}

async function resume(subject: Subject): Promise<void> {
  if (subject.container.spec.update?.paused !== true) throw alreadyCalled(subject, 'is not paused')
  await merge(subject, { spec: { update: { paused: null } } })
  await say(subject, 'resumed', true)
}

function alreadyCalled({ container }: Subject, what: string): CliError {
  return new CliError(`containers.cove.run "${container.metadata.name}" ${what}`)
}

async function restart(subject: Subject): Promise<void> {
  const { container, context } = subject
  const { name } = container.metadata
  if (container.spec.update?.paused === true)
    throw new CliError(`can't restart paused container (run 'cove rollout resume container/${name}' first)`)
  const value = new Date(context.io.clock.now()).toISOString()
  await merge(subject, { metadata: { annotations: { [restartAnnotation]: value } } })
  await say(subject, 'restarted', true)
}

async function merge(subject: Subject, patch: object): Promise<void> {
  await write(subject, 'application/merge-patch+json', patch)
}

async function write(subject: Subject, mediaType: string, body: object): Promise<void> {
  const { context, session, resource, container } = subject
  const dryRun = context.args.text('dry-run') ?? 'none'
  if (dryRun === 'client') return
  const path = objectPath(resource, container.metadata)
  const query = { fieldManager: 'kubectl-rollout', ...(dryRun === 'server' && { dryRun: 'All' }) }
  const headers = { 'content-type': mediaType }
  const request = { method: 'PATCH', path, query, headers, body: JSON.stringify(body) }
  await session.client.json(request, session.signal)
}

/** `written`: told as a dry run where nothing was. */
async function say(subject: Subject, what: string, written = false): Promise<void> {
  const { args, io } = subject.context
  const marks: Readonly<Record<string, string>> = { client: ' (dry run)', server: ' (server dry run)' }
  const mark = written ? (marks[args.text('dry-run') ?? ''] ?? '') : ''
  await io.stdout.write(`${nameOf(subject)} ${what}${mark}\n`)
}

function nameOf({ resource, container }: Subject): string {
  return `${qualifiedSingular(resource)}/${container.metadata.name}`
}

async function revisions({ session, container }: Subject): Promise<ControllerRevision[]> {
  const { namespace = 'default', uid } = container.metadata
  const labelSelector = `${engineLabels.uid}=${uid}`
  const scope = { resource: builtinResource('ControllerRevision'), namespace, labelSelector }
  try {
    const { objects } = await listObjects(scope, session)
    return revisionsOf(uid, objects as ControllerRevision[])
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
    throw new CliError('the server keeps no revisions: it is older than this cove', { cause: error })
  }
}

function numberOf({ args }: Context, flag: string): number {
  const text = args.text(flag) ?? '0'
  if (/^\d+$/.test(text)) return Number(text)
  throw new UsageError(`invalid value "${text}" for --${flag}: must be a whole number`, 'rollout')
}
