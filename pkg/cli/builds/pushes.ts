/** Pushes of what was built, seen to their end: the Image of the same name makes them. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { CliError, exitCodes } from '../errors.ts'
import { Followed, type FollowedObject, type Found } from '../followed.ts'
import { asImage } from '../images/imageobject.ts'
import { makeProgress } from '../progress.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'

/** A registry that refuses for longer is told of; it is tried again by itself all the same. */
const troubleMs = 15_000
const askAgainMs = 200

/** Returns the exit code. Throws Trouble when it does not get there. */
export async function followPushes(build: Build, { io, session: open }: Context): Promise<number> {
  const session = await open()
  const image = await imageOf(build, session)
  const followed = new Followed(session, builtinResource('Image'), image)
  const progress = makeProgress(io.stderr)
  const name = `image/${image.metadata.name}`
  try {
    const pushed = await followed.until((seen) => pushedAll(build, seen), {
      troubleMs,
      onPending: async ({ object }) => {
        const message = findCondition(asImage(object).status?.conditions, 'Pushed')?.message ?? 'to be pushed'
        await progress.update([{ name, object, verdict: { state: 'pending', message } }])
      },
    })
    await progress.finish()
    await io.stdout.write(pushed.map((line) => `${line}\n`).join(''))
    return exitCodes.ok
  } finally {
    await progress.finish()
    followed.close()
  }
}

/** The control plane makes it as soon as it sees the Build; what was in the cache may be built before. */
async function imageOf({ metadata }: Build, session: Session): Promise<KubeObject> {
  const { name, namespace = session.namespace } = metadata
  const path = objectPath(builtinResource('Image'), { name, namespace })
  for (const end = session.clock.now() + troubleMs; ; ) {
    try {
      // The server has admitted it.
      return (await session.client.json({ method: 'GET', path }, session.signal)) as KubeObject
    } catch (error) {
      if (!isReason(error, 'NotFound')) throw error
      if (session.clock.now() >= end)
        throw new CliError(`image ${name} is not there yet, which pushes what was built`, { cause: error })
    }
    await sleep(session.clock, askAgainMs, session.signal)
  }
}

function pushedAll(build: Build, { object, isGone }: FollowedObject): Found<readonly string[]> {
  if (isGone) return { trouble: { reason: 'Deleted', message: 'the Image was deleted', isFinal: true } }
  const { status = {} } = asImage(object)
  const id = build.status?.image?.id
  const done = (status.pushed ?? []).filter((one) => one.id === id)
  const isAll = build.spec.push.every(({ reference }) => done.some((one) => one.reference === reference))
  if (isAll) return { value: done.map(({ reference, digest }) => `Pushed ${reference}: ${digest}`) }
  const condition = findCondition(status.conditions, 'Pushed')
  if (condition === undefined || condition.status === 'True' || patient.includes(condition.reason)) return {}
  const { reason, message } = condition
  return { trouble: { reason, message: `not pushed: ${message}`, isFinal: reason === 'NameConflict' } }
}

const patient: readonly string[] = ['Pushing', 'WaitingForImage']
