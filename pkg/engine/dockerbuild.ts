/**
 * Docker's part of what builds.ts promises. A build lives as long as its call: when that ends, the engine breaks off what
 * it does and removes its containers.
 */
import { randomUUID } from 'node:crypto'
import { type Clock, sleep } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { BuildEvent, BuildOptions, BuiltImage } from './builds.ts'
import { ClassicReader } from './dockerbuildclassic.ts'
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

/** What a command ends with when it is killed, which an engine does as it goes down. */
const killed = 137
const goingDownMs = 3000
const askAgainMs = 250

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
  if (reader.failure?.exitCode === killed) await mustStay({ connection, clock }, options.signal)
  if (reader.failure !== undefined) throw buildFailure(reader.failure)
  return reader.image ?? noImage()
}

/** EngineUnavailable when the engine goes down: then the step did nothing wrong. It answers calls until it is gone. */
async function mustStay({ connection, clock }: DockerBuildParts, signal: AbortSignal): Promise<void> {
  const end = clock.now() + goingDownMs
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
