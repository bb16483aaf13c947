/** What is taken out of an image to this machine: by a Container that is made of it, never started, and deleted again. */
import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { collectionPath } from '#pkg/apis/paths.ts'
import { download } from '../downloading.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import { deleteContainer, postObject } from '../run/making.ts'
import { type Context, type Session, unhurried } from '../session.ts'
import type { Output } from './outputsasked.ts'
import { makeBuildScreen } from './screen.ts'

/** How long something may stand in the way of making the container, which is not started. */
const troubleMs = 10_000
const removedWithinMs = 30_000

export async function takeOutputs(
  build: Build,
  outputs: readonly Output[],
  { io, session: open }: Context,
): Promise<void> {
  const session = await open()
  const made = await postObject(
    session,
    collectionPath(builtinResource('Container'), session.namespace),
    extractor(build),
  )
  const followed = new Followed(session, builtinResource('Container'), made)
  const screen = makeBuildScreen(io.stderr, session.clock, `build/${build.metadata.name}`)
  try {
    const onPending = () => screen.note('waits for a container to take files from')
    await followed.until(isMade, { troubleMs, onPending }).finally(() => screen.finish())
    for (const { from, to } of outputs) {
      await mkdir(dirname(to), { recursive: true })
      await download(io, { session, name: made.metadata.name, path: from }, to)
      await io.stderr.write(`${from} copied to ${to}\n`)
    }
  } finally {
    followed.close()
    await removed(made, unhurried(session))
  }
}

/** Nothing is left when the command ends. */
async function removed(made: KubeObject, session: Session): Promise<void> {
  const followed = new Followed(session, builtinResource('Container'), made)
  try {
    await deleteContainer(session, made, 0)
    const check = ({ isGone }: FollowedObject): Found<true> => (isGone ? { value: true } : {})
    await followed.until(check, { timeoutMs: removedWithinMs })
  } finally {
    followed.close()
  }
}

/** On the node that has built it, whatever the image runs: it is not run. */
function extractor({ metadata, spec }: Build) {
  return {
    apiVersion: 'cove.run/v1',
    kind: 'Container',
    metadata: { generateName: `${metadata.name.slice(0, 200)}-output-` },
    spec: {
      imageFrom: { build: metadata.name },
      command: ['/output'],
      state: 'Created',
      restartPolicy: 'Never',
      ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }),
    },
  }
}

function isMade({ object, isGone }: FollowedObject): Found<true> {
  if (isGone)
    return { trouble: { reason: 'Deleted', message: `${object.metadata.name} was deleted`, isFinal: true } }
  const status = isPlainObject(object.status) ? object.status : {}
  if (typeof status['containerID'] === 'string') return { value: true }
  const trouble = troubleOf(object)
  return trouble === undefined ? {} : { trouble }
}

function troubleOf({ status }: KubeObject) {
  const conditions = isPlainObject(status) && Array.isArray(status['conditions']) ? status['conditions'] : []
  const stalled = conditions
    .filter(isPlainObject)
    .find(({ type, status: value }) => type === 'Stalled' && value === 'True')
  if (stalled === undefined) return undefined
  return { reason: String(stalled['reason']), message: String(stalled['message']), isFinal: true }
}
