/**
 * `cove run`: a Container from words of docker run. In front it is made without being started, attached to, and started
 * only then, so that nothing it writes or reads gets lost.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ended, gone, made, started } from '../containerstate.ts'
import { CliError, exitCodes, Failed } from '../errors.ts'
import { Followed, Trouble } from '../followed.ts'
import { builtinResource } from '../resources.ts'
import {
  deleteContainer,
  makeObjects,
  patchContainer,
  patiently,
  printManifests,
  readManifests,
} from '../run/making.ts'
import type { RunManifests } from '../run/manifest.ts'
import { type Context, type Session, unhurried } from '../session.ts'
import { Detached, join, mustSucceed, streamPath } from '../streaming.ts'

export async function run(context: Context): Promise<number> {
  const manifests = await readManifests(context)
  if (context.args.text('dry-run') === 'client') {
    await printManifests(context, manifests)
    return exitCodes.ok
  }
  return context.args.bool('detach') ? runBehind(context, manifests) : runInFront(context, manifests)
}

/** Prints the engine's id, as docker does. */
async function runBehind(context: Context, manifests: RunManifests): Promise<number> {
  const session = await context.session()
  const object = await makeObjects(session, manifests, 'Running')
  const followed = new Followed(session, builtinResource('Container'), object)
  try {
    const id = await patiently(context, followed, started)
    await context.io.stdout.write(`${id}\n`)
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof Trouble)) throw error
    return await giveUp({ context, session, object }, error)
  } finally {
    followed.close()
  }
}

interface Running {
  readonly context: Context
  readonly session: Session
  readonly object: KubeObject
}

async function runInFront(context: Context, manifests: RunManifests): Promise<number> {
  const { io, args } = context
  const wantsTerminal = args.bool('tty') && args.bool('interactive')
  if (wantsTerminal && !io.terminal.isTTY)
    throw new CliError('the input device is not a TTY: leave -t out, or -i')
  const base = await context.session()
  const interrupts = new Interrupts(io.signal)
  const session = { ...base, signal: interrupts.work }
  const object = await makeObjects(session, manifests, 'Created')
  const running = { context, session, object }
  const followed = new Followed(session, builtinResource('Container'), object)
  try {
    await patiently(context, followed, made)
    mustSucceed(await attachAndStart(running, followed, interrupts))
    const { exitCode, reason, message = '' } = await followed.until(ended)
    // The engine ends the streams of what it could not start as if it had ended.
    if (reason === 'StartError') throw new Trouble(message, { reason, message, isFinal: true })
    if (args.bool('rm')) await remove(running, followed)
    return exitCode
  } catch (error) {
    if (error instanceof Detached) return exitCodes.ok
    if (error instanceof Trouble) return await giveUp(running, error)
    // Whoever presses Ctrl-C before it runs wants none of it.
    if (io.signal.aborted && !interrupts.isProxied) await deleteContainer(unhurried(session), object)
    throw error
  } finally {
    followed.close()
    interrupts.close()
  }
}

function attachAndStart(running: Running, followed: Followed, interrupts: Interrupts) {
  const { context, session, object } = running
  const { io, args } = context
  const { name } = object.metadata
  const stdin = args.bool('interactive')
  const tty = stdin && args.bool('tty')
  const opened = async () => {
    await patchContainer(session, name, { spec: { state: 'Running' } })
    const proxies = !tty && (!args.has('sig-proxy') || args.bool('sig-proxy'))
    if (proxies) interrupts.proxy((signal) => passOn(session, name, signal))
    await patiently(context, followed, started)
  }
  return join(io, session, {
    subresource: 'attach',
    name,
    command: [],
    stdin,
    tty,
    detachable: true,
    opened,
  })
}

async function remove({ session, object }: Running, followed: Followed): Promise<void> {
  await deleteContainer(session, object)
  await followed.until(gone)
}

/** Says what is in the way. What could start later, behind the back of whoever has read that it failed, must not. */
async function giveUp({ context, session, object }: Running, trouble: Trouble): Promise<number> {
  const { io, args } = context
  const { name } = object.metadata
  const isKept = !args.bool('rm') && trouble.obstacle?.reason !== 'Deleted'
  if (args.bool('rm')) await deleteContainer(session, object)
  else if (isKept) await patchContainer(session, name, { spec: { state: 'Stopped' } })
  const hint = isKept
    ? `It is kept, stopped: \`cove describe container ${name}\` tells more, \`cove start ${name}\` tries again, \`cove rm ${name}\` takes it away.\n`
    : ''
  await io.stderr.write(`error: container ${name} does not start: ${trouble.message}\n${hint}`)
  throw new Failed(exitCodeOf(trouble))
}

/** As docker run: 127 for a program that is not there, 126 for one that cannot be run. */
function exitCodeOf({ obstacle, message }: Trouble): number {
  if (obstacle?.reason !== 'ExecutableNotFound' && obstacle?.reason !== 'StartError') return exitCodes.notRun
  if (/permission denied|is a directory/i.test(message)) return 126
  return /not found|no such file/i.test(message) ? 127 : exitCodes.notRun
}

/** Ctrl-C ends the work, until the program in the container takes it. */
class Interrupts {
  readonly #work = new AbortController()
  readonly #signal: AbortSignal
  #take: ((signal: string) => Promise<void>) | undefined
  readonly #onAbort = () => this.#interrupted()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort)
    if (signal.aborted) this.#interrupted()
  }

  get work(): AbortSignal {
    return this.#work.signal
  }

  get isProxied(): boolean {
    return this.#take !== undefined
  }

  /** From now on signals are passed on; the next one ends this program as it ends any. */
  proxy(take: (signal: string) => Promise<void>): void {
    this.#take = take
  }

  close(): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
  }

  #interrupted(): void {
    const { reason } = this.#signal
    const name = reason instanceof Error && reason.message === 'SIGTERM' ? 'SIGTERM' : 'SIGINT'
    if (this.#take === undefined) this.#work.abort(reason)
    else this.#take(name).catch((error: unknown) => this.#work.abort(error))
  }
}

/** A node that passes no signals on stops it. */
async function passOn(session: Session, name: string, signal: string): Promise<void> {
  const path = streamPath(session.namespace, name, 'kill')
  try {
    await session.client.json({ method: 'POST', path, query: { signal } }, session.signal)
  } catch (error) {
    if (!(error instanceof StatusError)) throw error
    // It may have ended in the meantime; then this changes nothing.
    await patchContainer(session, name, { spec: { state: 'Stopped' } })
  }
}
