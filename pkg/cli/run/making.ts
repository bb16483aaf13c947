/** From a command line of `cove run` or `cove create` to objects on the server. */
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { collectionPath, objectPath } from '#pkg/apis/paths.ts'
import { CliError } from '../errors.ts'
import type { Followed, FollowedObject, Patience } from '../followed.ts'
import { jsonText, objectName, yamlText } from '../format.ts'
import { makeProgress } from '../progress.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { parseTimeout } from '../waiting.ts'
import { type RunManifests, runManifests } from './manifest.ts'
import { randomName } from './names.ts'

/** What the words mean. Throws UsageError, and CliError for a file of variables that is not there. */
export async function readManifests({ io, args }: Context): Promise<RunManifests> {
  const envFiles = await Promise.all(
    args.list('env-file').map(async (path) => {
      const text = await io.readFile(path)
      if (text === undefined) throw new CliError(`--env-file ${path}: there is no such file`)
      return text
    }),
  )
  const name = args.text('name') ?? randomName(io.random)
  return runManifests({ args, name, env: io.env, directory: io.cwd, envFiles })
}

/** With `--dry-run`: prints what would be made. */
export async function printManifests({ io, args }: Context, manifests: RunManifests): Promise<void> {
  const objects = [...manifests.volumes, manifests.container]
  const format = args.text('output')
  if (format === 'yaml') await io.stdout.write((await Promise.all(objects.map(yamlText))).join('---\n'))
  else if (format === 'json') await io.stdout.write(objects.map(jsonText).join(''))
  else
    for (const object of objects)
      await io.stdout.write(`${objectName(object)}${format === 'name' ? '' : ' created (dry run)'}\n`)
}

/** The Volumes that are not there yet, and the Container. What the server refuses of it leaves no Volume behind. */
export async function makeObjects(
  session: Session,
  { container, volumes }: RunManifests,
  state: 'Created' | 'Running',
): Promise<KubeObject> {
  const path = collectionPath(builtinResource('Container'), session.namespace)
  const object = { ...container, spec: { ...container.spec, state } }
  if (volumes.length > 0) await postObject(session, path, object, { dryRun: 'All' })
  for (const volume of volumes) await makeVolume(session, volume)
  return await postObject(session, path, object)
}

async function makeVolume(session: Session, volume: RunManifests['volumes'][number]): Promise<void> {
  const resource = builtinResource('Volume')
  const { name } = volume.metadata
  const { namespace, client, signal } = session
  try {
    await client.json({ method: 'GET', path: objectPath(resource, { namespace, name }) }, signal)
  } catch (error) {
    if (!isReason(error, 'NotFound')) throw error
    await postObject(session, collectionPath(resource, namespace), volume).catch(unless('AlreadyExists'))
  }
}

export async function postObject(
  { client, signal }: Session,
  path: string,
  object: unknown,
  query: Readonly<Record<string, string>> = {},
): Promise<KubeObject> {
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(object)
  const made = await client.json({ method: 'POST', path, query, headers, body }, signal)
  if (!isPlainObject(made) || !isPlainObject(made['metadata']))
    throw new CliError('the server did not answer with the object')
  return made as unknown as KubeObject
}

export async function getContainer(session: Session, name: string): Promise<KubeObject> {
  const path = objectPath(builtinResource('Container'), { namespace: session.namespace, name })
  return (await session.client.json({ method: 'GET', path }, session.signal)) as KubeObject
}

export async function patchContainer(session: Session, name: string, patch: unknown): Promise<KubeObject> {
  const path = objectPath(builtinResource('Container'), { namespace: session.namespace, name })
  const headers = { 'content-type': 'application/merge-patch+json' }
  const request = { method: 'PATCH', path, headers, body: JSON.stringify(patch) }
  return (await session.client.json(request, session.signal)) as KubeObject
}

/** In seconds; absent: as the object says. One that is gone already is as good. */
export async function deleteContainer(session: Session, object: KubeObject, grace?: number): Promise<void> {
  const { namespace = session.namespace, name, uid } = object.metadata
  const path = objectPath(builtinResource('Container'), { namespace, name })
  const body = JSON.stringify({
    preconditions: { uid },
    ...(grace !== undefined && { gracePeriodSeconds: grace }),
  })
  const headers = { 'content-type': 'application/json' }
  await session.client
    .json({ method: 'DELETE', path, headers, body }, session.signal)
    .catch(unless('NotFound'))
}

function unless(reason: 'NotFound' | 'AlreadyExists'): (error: unknown) => undefined {
  return (error) => {
    if (!(error instanceof StatusError) || error.reason !== reason) throw error
    return undefined
  }
}

/** What stands in the way of an image, a network or a volume for longer is told instead of waited for. */
const troubleMs = 3000

/** Waits as people at a terminal do: they see layers being pulled, and hear of what does not get better by itself. */
export async function patiently<T>(
  context: Context,
  followed: Followed,
  check: Parameters<typeof followed.until<T>>[0],
): Promise<T> {
  const { io, args } = context
  const timeout = args.text('timeout')
  const progress = makeProgress(io.stderr)
  const shows = io.stderr.isTTY && !args.bool('quiet')
  const patience: Patience = {
    troubleMs,
    ...(timeout !== undefined && { timeoutMs: await parseTimeout(timeout, 'run') }),
    onPending: async ({ object }: FollowedObject) => {
      const { phase } = isPlainObject(object.status) ? object.status : {}
      const item = { name: `container/${object.metadata.name}`, object }
      if (shows && phase === 'Pulling')
        await progress.update([{ ...item, verdict: { state: 'pending', message: '' } }])
    },
  }
  try {
    return await followed.until(check, patience)
  } finally {
    await progress.finish()
  }
}
