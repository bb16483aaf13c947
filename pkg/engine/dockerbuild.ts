/**
 * Docker's part of what builds.ts promises. A build lives as long as its call: when that ends, the engine breaks off what
 * it does and removes its containers.
 */
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { BuildOptions, BuiltImage } from './builds.ts'
import { ClassicReader } from './dockerbuildclassic.ts'
import { buildFailure, buildRefusal } from './dockerbuilderror.ts'
import type { Call, DockerConnection } from './dockerconnection.ts'
import { imageName } from './dockerspec.ts'
import { jsonLines } from './dockerstream.ts'

export function buildOnDocker(connection: DockerConnection, options: BuildOptions): Promise<BuiltImage> {
  return buildClassic(connection, options)
}

async function buildClassic(connection: DockerConnection, options: BuildOptions): Promise<BuiltImage> {
  const reader = new ClassicReader({ hasLabels: Object.keys(options.labels).length > 0 })
  const tell = (events: ReturnType<ClassicReader['read']>) => {
    for (const event of events) options.onEvent(event)
  }
  try {
    for await (const line of answers(connection, options, buildQuery(options))) tell(reader.read(line))
  } catch (error) {
    tell(reader.broken())
    throw error
  }
  if (reader.failure !== undefined) throw buildFailure(reader.failure)
  return reader.image ?? noImage()
}

/** What the engine says, value by value. A context that fails ends the build with just that failure. */
async function* answers(
  connection: DockerConnection,
  options: BuildOptions,
  query: URLSearchParams,
): AsyncGenerator<unknown> {
  const over = new AbortController()
  const signal = AbortSignal.any([options.signal, over.signal])
  const call: Call = { method: 'POST', path: `/build?${query}`, upload: watched(options.context, over) }
  try {
    yield* jsonLines(await connection.stream(call, signal, buildRefusal))
  } catch (error) {
    throw signal.aborted ? signal.reason : error
  } finally {
    // Lets go of a context of which the engine did not want the rest.
    over.abort()
  }
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

function buildQuery(options: BuildOptions): URLSearchParams {
  const { dockerfile, target, platform, network, noCache, cacheFrom } = options
  return new URLSearchParams([
    ['dockerfile', dockerfile],
    ['rm', '1'],
    ['forcerm', '1'],
    ['buildargs', JSON.stringify(options.args)],
    ['labels', JSON.stringify(options.labels)],
    ['cachefrom', JSON.stringify(cacheFrom)],
    ...options.tags.map((tag) => ['t', nameOf(tag)]),
    ...(target === undefined ? [] : [['target', target]]),
    ...(platform === undefined ? [] : [['platform', platform]]),
    ...(network === undefined ? [] : [['networkmode', network]]),
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
