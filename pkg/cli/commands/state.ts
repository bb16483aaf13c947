/**
 * `cove start|stop|restart|pause|unpause`: what a Container should be doing is a field of it; these set it and wait until
 * it is so. What ended as its restart policy asked for is begun anew by the annotation that `rollout restart` sets.
 */
import { restartAnnotation } from '#pkg/apis/wellknown.ts'
import { findContainers, type NamedContainer, withoutType } from '../containername.ts'
import { asContainer, currentStatus, troubleOf } from '../containerstate.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { Followed, type FollowedObject, type Found, Trouble } from '../followed.ts'
import { tellEach } from '../parallel.ts'
import { makeProgress } from '../progress.ts'
import { builtinResource } from '../resources.ts'
import { getContainer, patchContainer } from '../run/making.ts'
import { type Context, type Session, unhurried } from '../session.ts'
import { parseTimeout } from '../waiting.ts'

type Container = ReturnType<typeof asContainer>

interface Verb {
  readonly name: string
  /** What is changed; undefined: it is so already. Throws CliError when it cannot be. */
  readonly patch: (container: Container, now: string) => Record<string, unknown> | undefined
  readonly isDone: (container: Container) => boolean
}

const isOn = ({ status }: Container) => status?.phase === 'Running' || status?.phase === 'Paused'
const phaseIs = (phase: string) => (container: Container) => currentStatus(container)?.phase === phase
const anew = (now: string) => ({ metadata: { annotations: { [restartAnnotation]: now } } })

/** It runs, or has run and ended since it was asked to begin anew. */
function hasBegun(container: Container): boolean {
  const status = currentStatus(container)
  const asked = container.metadata.annotations?.[restartAnnotation]
  if (asked !== undefined && status?.restartRequest !== asked) return false
  return status?.phase === 'Running' || status?.phase === 'Succeeded' || status?.phase === 'Failed'
}

function refuse(container: Container, why: string): never {
  throw new CliError(`container ${container.metadata.name} ${why}`)
}

export const verbs = {
  start: {
    name: 'start',
    patch: (container, now) => {
      const { spec, status } = container
      if (spec.state === 'Paused') refuse(container, 'is paused: `cove unpause` lets it go on')
      if (spec.state === 'Running' && status?.phase === 'Running') return undefined
      // Without being asked to, one that may end does not begin a second time.
      const again = status?.startedAt !== undefined && spec.restartPolicy !== 'Always'
      return { spec: { state: 'Running' }, ...(again && anew(now)) }
    },
    isDone: hasBegun,
  },
  stop: {
    name: 'stop',
    patch: ({ spec }) => (spec.state === 'Stopped' ? undefined : { spec: { state: 'Stopped' } }),
    isDone: phaseIs('Stopped'),
  },
  restart: {
    name: 'restart',
    patch: (_, now) => ({ spec: { state: 'Running' }, ...anew(now) }),
    isDone: hasBegun,
  },
  pause: {
    name: 'pause',
    patch: (container) => {
      if (container.spec.state === 'Paused') refuse(container, 'is paused already')
      if (!isOn(container)) refuse(container, 'is not running')
      return { spec: { state: 'Paused' } }
    },
    isDone: phaseIs('Paused'),
  },
  unpause: {
    name: 'unpause',
    patch: (container) => {
      if (container.spec.state !== 'Paused') refuse(container, 'is not paused')
      return { spec: { state: 'Running' } }
    },
    isDone: phaseIs('Running'),
  },
} as const satisfies Record<string, Verb>

export function changeState(verb: Verb): (context: Context) => Promise<number> {
  return async (context) => {
    const { args, io } = context
    const words = withoutType(args.positionals)
    if (words.length === 0) throw new UsageError('name a container', verb.name)
    const options = await readOptions(context, verb)
    const found = await findContainers(words, await context.session())
    const results = await Promise.allSettled(
      found.map((one) => changeOne(one, { context, verb, ...options })),
    )
    await tellEach(results, io, (_, index) => found[index]?.name)
    return exitCodes.ok
  }
}

interface Changing {
  readonly context: Context
  readonly verb: Verb
  readonly timeoutMs?: number
  /** Between the stop signal and SIGKILL, this time only. */
  readonly graceSeconds?: number
}

async function readOptions({ args }: Context, { name }: Verb) {
  const timeout = args.text('timeout')
  const time = args.text('time')
  if (time !== undefined && !/^\d+$/.test(time))
    throw new UsageError(`invalid value "${time}" for --time: seconds are expected`, name)
  return {
    ...(timeout !== undefined && { timeoutMs: await parseTimeout(timeout, name) }),
    ...(time !== undefined && { graceSeconds: Number(time) }),
  }
}

async function changeOne({ name, session }: NamedContainer, changing: Changing): Promise<void> {
  const { verb, graceSeconds } = changing
  const before = asContainer(await getContainer(session, name))
  const now = new Date(session.clock.now()).toISOString()
  const patch = verb.patch(before, now)
  if (patch === undefined) return
  const usual = before.spec.terminationGracePeriodSeconds
  const isHurried = graceSeconds !== undefined && graceSeconds !== usual
  const grace = isHurried ? { terminationGracePeriodSeconds: graceSeconds } : {}
  const { spec } = { spec: {}, ...patch }
  const object = await patchContainer(session, name, { ...patch, spec: { ...spec, ...grace } })
  try {
    await wait(new Followed(session, builtinResource('Container'), object), changing)
  } finally {
    // Somebody who has changed it meanwhile has the last word.
    if (isHurried) await restoreGrace(session, name, { usual, graceSeconds })
  }
}

async function restoreGrace(
  session: Session,
  name: string,
  { usual, graceSeconds }: { readonly usual: number; readonly graceSeconds: number },
): Promise<void> {
  const calm = unhurried(session)
  const { spec } = asContainer(await getContainer(calm, name))
  if (spec.terminationGracePeriodSeconds === graceSeconds)
    await patchContainer(calm, name, { spec: { terminationGracePeriodSeconds: usual } })
}

async function wait(followed: Followed, changing: Changing): Promise<void> {
  const { context, verb, timeoutMs } = changing
  const progress = makeProgress(context.io.stderr)
  const onPending = async ({ object }: FollowedObject) => {
    const message = troubleOf(object)?.message ?? ''
    const item = { name: `container/${object.metadata.name}`, object }
    if (context.io.stderr.isTTY) await progress.update([{ ...item, verdict: { state: 'pending', message } }])
  }
  const check = ({ object, isGone }: FollowedObject): Found<true> => {
    if (isGone) return { trouble: { reason: 'Deleted', message: 'it was deleted', isFinal: true } }
    const trouble = troubleOf(object)
    return verb.isDone(asContainer(object)) ? { value: true } : trouble === undefined ? {} : { trouble }
  }
  const name = changing.verb.name
  try {
    await followed.until(check, { troubleMs, onPending, ...(timeoutMs !== undefined && { timeoutMs }) })
  } catch (error) {
    if (error instanceof Trouble) throw new CliError(`cove ${name}: ${error.message}`, { cause: error })
    throw error
  } finally {
    followed.close()
    await progress.finish()
  }
}

const troubleMs = 10_000
