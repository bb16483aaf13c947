/** `cove build`: asks for builds, and shows them until they have ended. */
import { dirname, resolve } from 'node:path'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { buildAnnotation } from '#pkg/apis/wellknown.ts'
import type { CheckedObject } from '#pkg/manifest/checked.ts'
import { type AskedFor, whatIsAsked } from '../builds/asked.ts'
import { flagsAnnotation } from '../builds/manifest.ts'
import { type Asked, asBuild } from '../builds/outcome.ts'
import { followAll, isQuiet, type Wanted } from '../builds/sidebyside.ts'
import { CliError, exitCodes, Failed } from '../errors.ts'
import { yamlText } from '../format.ts'
import { builtinResource } from '../resources.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const asked = await whatIsAsked(context)
  try {
    if (args.bool('dry-run') && asked.kind === 'set') {
      await io.stdout.write((await Promise.all((asked.made ?? []).map(yamlText))).join('---\n'))
      return exitCodes.ok
    }
    if (!args.bool('watch')) return await buildOnce(asked, context)
    const { buildAndWatch } = await import('../builds/watching.ts')
    return await buildAndWatch(asked, context, async () => buildOnce(await whatIsAsked(context), context))
  } finally {
    if (asked.kind === 'set') await asked.dispose?.()
  }
}

async function buildOnce(askedFor: AskedFor, context: Context): Promise<number> {
  const { wanted, failed } = await request(askedFor, context)
  const isLeft = context.args.bool('detach') || context.args.bool('no-wait')
  if (isLeft) await tellRequested(askedFor, wanted, context)
  const codes = isLeft ? [] : await followAll(wanted, context)
  if (codes.includes(exitCodes.interrupted)) throw new Failed(exitCodes.interrupted)
  return failed || codes.includes(exitCodes.error) ? exitCodes.error : exitCodes.ok
}

/** Of manifests, it has been told what became of each. */
async function tellRequested(asked: AskedFor, wanted: readonly Wanted[], context: Context): Promise<void> {
  if (isQuiet(context) || (asked.kind === 'set' && asked.made === undefined)) return
  const lines = wanted.map(({ object }) => `build.cove.run/${object.metadata.name} requested\n`)
  await context.io.stdout.write(lines.join(''))
}

async function request(askedFor: AskedFor, context: Context) {
  if (askedFor.kind === 'build')
    return { wanted: [await requestAgain(askedFor.object, context)], failed: false }
  // Only manifests need all that they are read and checked by.
  const { applyManifests } = await import('../applying.ts')
  const { args } = context
  const value = requestValue(context)
  const requests = new Map<string, string>()
  const results = await applyManifests(context, {
    command: 'build',
    dryRun: 'none',
    sources: askedFor.sources,
    quiet: isQuiet(context) || askedFor.made !== undefined,
    annotate: (checked, before) => {
      if (checked.kind.kind !== 'Build') return undefined
      if (askedFor.made !== undefined) mayChange(checked, before)
      const isWanted = args.bool('no-cache') || args.bool('pull') || hasFailed(before)
      if (!isWanted) return undefined
      requests.set(keyOf(checked.object), value)
      return { [buildAnnotation]: value }
    },
  })
  const builds = results.filter(({ object }) => object.kind.kind === 'Build')
  if (builds.length === 0) throw new CliError('there is no Build in the manifests')
  const wanted = builds.flatMap(({ object, before, after }): Wanted[] => {
    if (after === undefined) return []
    const requested = requests.get(keyOf(after))
    const { file } = object.document.source
    return [
      {
        object: after,
        asked: askedOf(after, before, requested),
        directory: file === '-' ? context.io.cwd : dirname(resolve(context.io.cwd, file)),
      },
    ]
  })
  return { wanted, failed: results.some(({ outcome }) => outcome === 'failed') }
}

function keyOf({ metadata }: Pick<KubeObject, 'metadata'>): string {
  return `${metadata.namespace ?? 'default'}/${metadata.name}`
}

/** What failed is not tried again by itself, but whoever calls this wants it to be. */
function hasFailed(before: KubeObject | undefined): boolean {
  const phase = before === undefined ? undefined : asBuild(before).status?.phase
  return phase === 'Failed' || phase === 'Canceled'
}

/** A manifest that somebody keeps is not to be undone by a few flags. */
function mayChange({ object }: CheckedObject, before: KubeObject | undefined): void {
  if (before === undefined || before.metadata.annotations?.[flagsAnnotation] !== undefined) return
  const { name } = object.metadata
  throw new CliError(
    `build/${name} is there already, and was made from a manifest: \`cove build ${name}\` builds it; --name gives another name`,
  )
}

async function requestAgain(object: KubeObject, context: Context): Promise<Wanted> {
  const session = await context.session()
  const value = requestValue(context)
  const { name, namespace = session.namespace } = object.metadata
  const path = objectPath(builtinResource('Build'), { name, namespace })
  const headers = { 'content-type': 'application/merge-patch+json' }
  const body = JSON.stringify({ metadata: { annotations: { [buildAnnotation]: value } } })
  // The server has admitted it.
  const after = (await session.client.json(
    { method: 'PATCH', path, query: { fieldManager: 'cove-build' }, headers, body },
    session.signal,
  )) as KubeObject
  return { object: after, asked: askedOf(after, object, value), directory: context.io.cwd }
}

/** `TIME`, and in which way. */
function requestValue({ io, args }: Context): string {
  const ways = ['no-cache', 'pull'].filter((name) => args.bool(name))
  return [timestamp(io.clock.now()), ...ways].join(' ')
}

function askedOf(after: KubeObject, before: KubeObject | undefined, requested: string | undefined): Asked {
  return {
    generation: after.metadata.generation ?? 0,
    attempts: before === undefined ? 0 : (asBuild(before).status?.attempt ?? 0),
    ...(requested !== undefined && { request: requested }),
  }
}
