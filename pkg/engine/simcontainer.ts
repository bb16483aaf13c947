/** A container of a simulated engine: its state, how it looks from outside, its output. */
import type { ContainerState } from './looks.ts'
import {
  type ContainerCreate,
  type LogChunk,
  type LogOptions,
  type ObservedContainer,
  type ObservedMount,
  type PortMapping,
  type ResourceLimits,
  usualSecurity,
  type WantedStreams,
} from './port.ts'
import type { ActiveHealthcheck, SimProcess } from './simprocess.ts'
import type { SimImage } from './simregistry.ts'
import { observeSettings, programOf } from './simsettings.ts'

export interface OutputLine {
  readonly at: number
  readonly stream: 'stdout' | 'stderr'
  readonly text: string
}

export interface SimEndpoint {
  readonly aliases: readonly string[]
  readonly links?: readonly string[]
  ip: string
}

/** Mutable: this is the simulated world itself. */
export interface SimContainer {
  readonly id: string
  name: string
  readonly create: ContainerCreate
  readonly image: SimImage
  readonly createdAt: number
  readonly mounts: readonly ObservedMount[]
  /** Names of the volumes made for it alone. */
  readonly anonymousVolumes: readonly string[]
  readonly networks: Map<string, SimEndpoint>
  /** On the default bridge: to the container itself, whatever its name. */
  readonly links: readonly { readonly source: SimContainer; readonly alias: string }[]
  state: ContainerState
  limits: ResourceLimits
  restartPolicy: string
  pid: number
  starts: number
  startedAt?: number
  finishedAt?: number
  exitCode: number
  oomKilled: boolean
  error: string
  published: readonly PortMapping[]
  /** Of the last start. */
  process?: SimProcess
  readonly lines: OutputLine[]
  /** Woken by each new line and by the end. */
  readonly watchers: Set<() => void>
}

export function isUp(container: SimContainer): boolean {
  return container.state === 'running' || container.state === 'paused'
}

/** What inspect answers. */
export function observeContainer(container: SimContainer): ObservedContainer {
  const { id, name, create, image, state, pid, exitCode, oomKilled, error } = container
  const health = container.process?.health
  return {
    id,
    name,
    image: create.image,
    imageID: image.id,
    labels: labelsOf(container),
    state,
    pid,
    createdAt: rfc3339(container.createdAt),
    ...(container.startedAt !== undefined && { startedAt: rfc3339(container.startedAt) }),
    ...(container.finishedAt !== undefined && { finishedAt: rfc3339(container.finishedAt) }),
    exitCode,
    oomKilled,
    error,
    ...(health && { health }),
    command: commandOf(create, image),
    networks: [...container.networks].map(([network, endpoint]) => ({ network, ...endpoint })),
    ...(container.links.length > 0 && {
      links: container.links.map(({ source, alias }) => `${source.name}:${alias}`),
    }),
    networkMode: create.networkMode ?? 'bridge',
    security: create.security ?? usualSecurity,
    ports: isUp(container) ? container.published : [],
    requestedPorts: create.ports,
    mounts: container.mounts,
    limits: container.limits,
    restartPolicy: container.restartPolicy,
    tty: create.tty === true,
    settings: observeSettings(id, create, image),
  }
}

export function commandOf(create: ContainerCreate, image: SimImage): readonly string[] {
  const { entrypoint, cmd } = programOf(create, image)
  return [...entrypoint, ...cmd]
}

/** The image's own and those it was made with. */
export function labelsOf({ create, image }: SimContainer): Readonly<Record<string, string>> {
  return { ...image.spec.labels, ...create.labels }
}

/** The check that runs: the container's own, or the image's, or none. */
export function healthcheckOf(create: ContainerCreate, image: SimImage): ActiveHealthcheck | undefined {
  const check = create.healthcheck ?? image.spec.healthcheck
  return check === undefined || check.disabled ? undefined : check
}

/** Output as one line each, so that `tail` counts what Docker counts. */
export function writeOutput(container: SimContainer, line: OutputLine): void {
  const parts = line.text.split(/(?<=\n)/).filter((part) => part !== '')
  for (const text of parts) container.lines.push({ ...line, text })
  wake(container)
}

export function wake(container: SimContainer): void {
  for (const watcher of container.watchers) watcher()
}

export async function* readOutput(container: SimContainer, options: LogOptions): AsyncGenerator<LogChunk> {
  const since = options.since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(options.since)
  const until = options.until === undefined ? Number.POSITIVE_INFINITY : Date.parse(options.until)
  const eligible = container.lines.filter((line) => line.at >= since && line.at <= until)
  const first =
    options.tail === undefined ? eligible : options.tail === 0 ? [] : eligible.slice(-options.tail)
  const next = container.lines.length
  for (const line of first) yield makeChunk(line, options)
  if (options.follow) yield* linesFrom(container, next, options)
}

/** What it writes from this call on to the wanted streams, until it ends. */
export function followOutput(container: SimContainer, wanted: WantedStreams): AsyncGenerator<LogChunk> {
  const options = { follow: true, timestamps: false, fromStart: true, signal: wanted.signal }
  return only(linesFrom(container, container.lines.length, options), wanted)
}

async function* only(chunks: AsyncIterable<LogChunk>, wanted: WantedStreams): AsyncGenerator<LogChunk> {
  for await (const chunk of chunks) if (wanted[chunk.stream]) yield chunk
}

interface LineOptions extends LogOptions {
  /** Waits for the start of one that was not started yet. */
  readonly fromStart?: boolean
}

async function* linesFrom(
  container: SimContainer,
  first: number,
  options: LineOptions,
): AsyncGenerator<LogChunk> {
  let next = first
  while (!options.signal.aborted) {
    for (; next < container.lines.length; next++) {
      const line = container.lines[next]
      if (line !== undefined) yield makeChunk(line, options)
    }
    if (!isUp(container) && !(options.fromStart === true && container.state === 'created')) return
    await change(container, options.signal)
  }
}

function makeChunk(line: OutputLine, options: LogOptions): LogChunk {
  const text = options.timestamps ? `${rfc3339(line.at)} ${line.text}` : line.text
  return { stream: line.stream, data: new TextEncoder().encode(text) }
}

function change(container: SimContainer, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      container.watchers.delete(done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    container.watchers.add(done)
    signal.addEventListener('abort', done, { once: true })
    if (signal.aborted) done()
  })
}

function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
