/**
 * Docker's part of what builds.ts promises. A build lives as long as its call: when that ends, the engine breaks off what
 * it does and removes its containers.
 */
import { randomUUID } from 'node:crypto'
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { BuildEvent, BuildOptions, BuiltImage } from './builds.ts'
import { ClassicReader, type ToldFailure } from './dockerbuildclassic.ts'
import { buildFailure, buildRefusal } from './dockerbuilderror.ts'
import { BuildKitReader } from './dockerbuildkit.ts'
import type { Call, DockerConnection } from './dockerconnection.ts'
import { buildServices, openSession } from './dockersession.ts'
import { imageName } from './dockerspec.ts'
import { jsonLines } from './dockerstream.ts'

export interface DockerBuildParts {
  readonly connection: DockerConnection
  readonly clock: Clock
}

/** What a command ends with when it is killed, which a machine does as it goes down. */
const killed = 137
const goingDownMs = 3000
/** An engine that goes down may wait so long for others that it runs. */
const endingOthersMs = 60_000
const askAgainMs = 250
const eventsWithinMs = 10_000

export async function buildOnDocker(
  { connection, clock }: DockerBuildParts,
  options: BuildOptions,
): Promise<BuiltImage> {
  options.signal.throwIfAborted()
  const reader = readerOf(options)
  const tell = (events: readonly BuildEvent[]) => {
    for (const event of events) options.onEvent(event)
  }
  try {
    for await (const line of answers(connection, options)) tell(reader.read(line))
  } catch (error) {
    tell(reader.broken())
    throw error
  }
  const { failure } = reader
  if (failure === undefined) return reader.image ?? noImage()
  await mustHaveEndedItself({ connection, clock }, failure, options.signal)
  throw buildFailure(failure)
}

/**
 * A step that somebody else has ended did nothing wrong. An engine that goes down ends all that it runs and tells of a step as
 * of any that fails, whatever code that has then. EngineUnavailable; EngineError when the engine stays.
 */
async function mustHaveEndedItself(
  parts: DockerBuildParts,
  { exitCode, container }: ToldFailure,
  signal: AbortSignal,
): Promise<void> {
  if (exitCode === undefined) return
  if (container !== undefined && (await wasToldToEnd(parts, container, signal))) {
    await mustStay(parts, endingOthersMs, signal)
    const message = `the container of the step was told to end, and not by its own program (exit code ${exitCode})`
    throw new StatusError('EngineError', message)
  }
  if (exitCode === killed) await mustStay(parts, goingDownMs, signal)
}

/** By the engine itself as it goes down, or by somebody who asked it to: the engine keeps its last events for a while. */
async function wasToldToEnd(
  { connection, clock }: DockerBuildParts,
  container: string,
  signal: AbortSignal,
): Promise<boolean> {
  const filters = JSON.stringify({ type: ['container'], container: [container], event: ['kill'] })
  const query = { since: 1, until: (clock.now() / 1000).toFixed(3), filters }
  const late = new AbortController()
  const cancel = clock.after(eventsWithinMs, () =>
    late.abort(new StatusError('EngineUnavailable', 'the engine does not tell of its last events')),
  )
  try {
    const both = AbortSignal.any([signal, late.signal])
    const events = jsonLines(await connection.stream({ method: 'GET', path: '/events', query }, both))
    for await (const _ of events) return true
    return false
  } finally {
    cancel()
  }
}

/** EngineUnavailable when the engine goes away meanwhile: it answers calls until it does. */
async function mustStay(
  { connection, clock }: DockerBuildParts,
  ms: number,
  signal: AbortSignal,
): Promise<void> {
  const end = clock.now() + ms
  while (clock.now() < end) {
    await connection.json({ method: 'GET', path: '/version' })
    await sleep(clock, askAgainMs, signal)
  }
}

function readerOf({ builder, labels }: BuildOptions): ClassicReader | BuildKitReader {
  if (builder === 'BuildKit') return new BuildKitReader()
  return new ClassicReader({ hasLabels: Object.keys(labels).length > 0 })
}

/** What the engine says, value by value. A context that fails ends the build with just that failure. */
async function* answers(connection: DockerConnection, options: BuildOptions): AsyncGenerator<unknown> {
  const over = new AbortController()
  const signal = AbortSignal.any([options.signal, over.signal])
  try {
    const session = await sessionOf(connection, options, signal)
    const query = buildQuery(options, session)
    const call: Call = { method: 'POST', path: `/build?${query}`, upload: watched(options.context, over) }
    yield* jsonLines(await connection.stream(call, signal, buildRefusal))
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    // Ends the session, and lets go of a context of which the engine did not want the rest.
    over.abort()
  }
}

/** BuildKit asks for secrets in it, and whose account to pull with: without any it pulls nothing. */
async function sessionOf(
  connection: DockerConnection,
  { builder, secrets }: BuildOptions,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (builder === 'Classic') return undefined
  const id = randomUUID()
  await openSession(connection, { id, service: buildServices(secrets), signal })
  return id
}

async function* watched(
  context: AsyncIterable<Uint8Array>,
  over: AbortController,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const piece of context) if (piece.length > 0) yield piece
  } catch (error) {
    over.abort(error)
    throw error
  }
}

function buildQuery(options: BuildOptions, session: string | undefined): URLSearchParams {
  const { builder, dockerfile, target, platform, network, noCache, cacheFrom } = options
  return new URLSearchParams([
    ['dockerfile', dockerfile],
    ['version', builder === 'BuildKit' ? '2' : '1'],
    ['rm', '1'],
    ['forcerm', '1'],
    ['buildargs', JSON.stringify(options.args)],
    ['labels', JSON.stringify(options.labels)],
    ['cachefrom', JSON.stringify(cacheFrom)],
    ...options.tags.map((tag) => ['t', nameOf(tag)]),
    ...(target === undefined ? [] : [['target', target]]),
    ...(platform === undefined ? [] : [['platform', platform]]),
    ...(network === undefined ? [] : [['networkmode', network]]),
    ...(session === undefined ? [] : [['session', session]]),
    ...(noCache ? [['nocache', '1']] : []),
  ])
}

function nameOf(tag: string): string {
  const { repo, tag: version } = imageName(tag)
  return `${repo}:${version}`
}

function noImage(): never {
  throw new StatusError('EngineError', 'the engine built it and did not say which image that is')
}
