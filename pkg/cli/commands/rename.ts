/**
 * `cove rename`: a name is what an object is, so another name is another object. At every moment one of the two has the
 * spec: the new one is stored, stopped, before the old one is deleted, and started when that has gone.
 */

import { collectionPath } from '#pkg/apis/paths.ts'
import { restartAnnotation } from '#pkg/apis/wellknown.ts'
import { asking } from '../asking.ts'
import { findContainer } from '../containername.ts'
import { asContainer, gone } from '../containerstate.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { Followed } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import { deleteContainer, getContainer, patchContainer, postObject } from '../run/making.ts'
import { type Context, type Session, unhurried } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

type Container = ReturnType<typeof asContainer>

const resource = builtinResource('Container')

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [word, to, more] = args.positionals
  if (word === undefined || to === undefined)
    throw new UsageError('say the old name and the new one', 'rename')
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'rename')
  const timeout = args.text('timeout')
  const timeoutMs = timeout === undefined ? undefined : await parseTimeout(timeout, 'rename')
  const { name, session } = await findContainer(word, await context.session())
  const old = asContainer(await getContainer(session, name))
  await mustBeFree(session, name)
  await mustAgree(context, name, to)
  await replace({ session, old, to, timeoutMs })
  await io.stdout.write(`container.cove.run/${to} took the place of ${name}\n`)
  return exitCodes.ok
}

async function mustAgree(context: Context, name: string, to: string): Promise<void> {
  const what = `Container ${name} gets the name ${to} by a new container: its Volumes and paths of the node stay the same; what it wrote elsewhere, its anonymous volumes, its log and its id go.`
  if (context.args.bool('yes')) return
  if (!(await asking(context.io)(`${what} Go on?`)))
    throw new CliError(`${what} Nothing was done: say --yes to do it`)
}

/** Those who name it would wait for it for ever. */
async function mustBeFree(session: Session, name: string): Promise<void> {
  const { objects } = await listObjects({ resource, namespace: session.namespace }, session)
  const users = objects.map(asContainer).filter(({ spec }) => {
    const needs = [...spec.dependsOn, ...(spec.links ?? [])].some(({ container }) => container === name)
    return needs || spec.networkMode === `container:${name}`
  })
  if (users.length === 0) return
  const names = users.map(({ metadata }) => metadata.name).join(', ')
  throw new CliError(
    `Container ${name} is named by ${names}: change dependsOn, links or networkMode there first`,
  )
}

interface Replacing {
  readonly session: Session
  readonly old: Container
  readonly to: string
  readonly timeoutMs: number | undefined
}

async function replace({ session, old, to, timeoutMs }: Replacing): Promise<void> {
  const { spec } = old
  const { [restartAnnotation]: _, ...annotations } = old.metadata.annotations ?? {}
  const { labels = {} } = old.metadata
  const { apiVersion, kind } = old
  const copy = {
    apiVersion,
    kind,
    metadata: { name: to, labels, annotations: withoutLastApplied(annotations) },
    spec: { ...spec, state: 'Stopped' },
  }
  const made = await postObject(session, collectionPath(resource, session.namespace), copy)
  const followed = new Followed(session, resource, old)
  try {
    await deleteContainer(session, old)
    await followed.until(gone, timeoutMs === undefined ? {} : { timeoutMs })
  } catch (error) {
    // The old one may still be there: then it is the one that counts.
    const isLeft = await followed.until(({ isGone }) => ({ value: !isGone }))
    if (isLeft) await deleteContainer(unhurried(session), made)
    throw error
  } finally {
    followed.close()
  }
  const state = spec.state === 'Created' ? 'Stopped' : spec.state
  if (state !== 'Stopped') await patchContainer(unhurried(session), to, { spec: { state } })
}

/** It says the old name. */
function withoutLastApplied(annotations: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(annotations).filter(([key]) => !key.startsWith('kubectl.kubernetes.io/')),
  )
}
