/**
 * The engine port on Docker's API: Docker Engine from API 1.41 on, and whatever speaks it (Podman). The only
 * importer of dockerode, and lazily, for it is slow to load. One method is one call; what is sent and how answers
 * are read stands in dockerspec.ts and dockerview.ts, the way there and the failures in dockerconnection.ts.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import type { BuildOptions, BuiltImage } from './builds.ts'
import { buildOnDocker } from './dockerbuild.ts'
import { DockerConnection } from './dockerconnection.ts'
import { unavailable } from './dockererror.ts'
import { dialOptions, type TlsFiles } from './dockerhost.ts'
import { DockerImages, type DockerImagesParts } from './dockerimages.ts'
import { containerPath, found } from './dockerlooks.ts'
import { execExitCode, processStreams } from './dockerprocess.ts'
import * as spec from './dockerspec.ts'
import { demultiplex, jsonLines, rawOutput } from './dockerstream.ts'
import * as view from './dockerview.ts'
import { array, object, text } from './json.ts'
import type {
  AttachedProcess,
  ContainerCreate,
  Engine,
  EngineEvent,
  EngineInfo,
  ExecOptions,
  ExecProcess,
  LogChunk,
  LogOptions,
  NetworkAttachment,
  NetworkCreate,
  ObservedContainer,
  ObservedNetwork,
  ObservedVolume,
  RemoveOptions,
  ResourceLimits,
  VolumeCreate,
  WantedStreams,
} from './port.ts'
import { hasStartInterval, startIntervalSince } from './settings.ts'

export interface DockerOptions {
  /** `unix:///var/run/docker.sock`, `tcp://10.0.0.5:2375`, `https://...` or the path of a socket. */
  readonly host: string
  readonly clock: Clock
  /** Client certificate and authority as PEM, for an engine behind TLS. */
  readonly tls?: TlsFiles
  /** How long a call may stay without an answer, in ms; 60 s. Stop and restart get their grace period on top. */
  readonly timeout?: number
  /** How long a pull, push, load or import may stand still before it is given up, in ms; 3 min. */
  readonly stallMs?: number
}

const defaultTimeout = 60_000
const defaultStall = 180_000

/** Connects lazily: an engine that is away shows at the first call, as EngineUnavailable, and may come back. */
export async function openDockerEngine(options: DockerOptions): Promise<Engine> {
  const { default: Docker } = await import('dockerode')
  const { agent, settings } = dialOptions(options.host, options.tls)
  const { modem } = new Docker(settings)
  const { host, clock, timeout = defaultTimeout, stallMs = defaultStall } = options
  const disconnect = () => agent.destroy()
  const connection = new DockerConnection({ host, clock, modem, timeout, disconnect })
  return new DockerEngine(host, { connection, clock, stallMs })
}

class DockerEngine extends DockerImages implements Engine {
  readonly #host: string
  readonly #clock: Clock
  readonly #connection: DockerConnection

  constructor(host: string, parts: DockerImagesParts) {
    super(parts)
    this.#host = host
    this.#clock = parts.clock
    this.#connection = parts.connection
  }

  buildImage(options: BuildOptions): Promise<BuiltImage> {
    return buildOnDocker({ connection: this.#connection, clock: this.#clock }, options)
  }

  async info(): Promise<EngineInfo> {
    const answer = await this.#connection.json({ method: 'GET', path: '/info' })
    return view.readInfo(answer, await this.#connection.version())
  }

  async inspectContainer(container: string): Promise<ObservedContainer | undefined> {
    const answer = await found(this.#connection, { method: 'GET', path: `${containerPath(container)}/json` })
    if (answer === undefined) return undefined
    const observed = view.readContainer(answer)
    // The engine also takes the beginning of an id for the whole: a name that is one means another container.
    return observed.name === container || observed.id === container ? observed : undefined
  }

  async createContainer(create: ContainerCreate): Promise<{ id: string }> {
    const body = spec.makeContainerBody(create)
    const query = { name: create.name }
    mustKnow(create, await this.#connection.version())
    const answer = await this.#connection.json({ method: 'POST', path: '/containers/create', query, body })
    return { id: text(object(answer)['Id']) }
  }

  async startContainer(container: string): Promise<void> {
    await this.#connection.json({ method: 'POST', path: `${containerPath(container)}/start` })
  }

  async stopContainer(container: string, gracePeriod: number): Promise<void> {
    const query = { t: spec.wholeSeconds(gracePeriod) }
    await this.#connection.json(
      { method: 'POST', path: `${containerPath(container)}/stop`, query },
      gracePeriod,
    )
  }

  async restartContainer(container: string, gracePeriod: number): Promise<void> {
    const query = { t: spec.wholeSeconds(gracePeriod) }
    await this.#connection.json(
      { method: 'POST', path: `${containerPath(container)}/restart`, query },
      gracePeriod,
    )
  }

  async pauseContainer(container: string): Promise<void> {
    await this.#connection.json({ method: 'POST', path: `${containerPath(container)}/pause` })
  }

  async unpauseContainer(container: string): Promise<void> {
    await this.#connection.json({ method: 'POST', path: `${containerPath(container)}/unpause` })
  }

  async renameContainer(container: string, name: string): Promise<void> {
    await this.#connection.json({
      method: 'POST',
      path: `${containerPath(container)}/rename`,
      query: { name },
    })
  }

  async updateContainer(container: string, limits: ResourceLimits): Promise<void> {
    // The engine takes a 0 for "unchanged" and says nothing: what would be lost that way has to be known first.
    const path = containerPath(container)
    const current = view.readContainer(await this.#connection.json({ method: 'GET', path: `${path}/json` }))
    const body = spec.makeUpdateBody(current.limits, limits)
    await this.#connection.json({ method: 'POST', path: `${path}/update`, body })
  }

  async removeContainer(container: string, options: RemoveOptions): Promise<void> {
    const query = { force: options.ifEnded !== true, v: options.anonymousVolumes }
    await this.#connection.json({ method: 'DELETE', path: containerPath(container), query })
  }

  async *containerLogs(container: string, options: LogOptions): AsyncGenerator<LogChunk> {
    const { signal } = options
    try {
      const path = containerPath(container)
      const observed = view.readContainer(
        await this.#connection.json({ method: 'GET', path: `${path}/json` }),
      )
      const query = logQuery(options)
      const body = await this.#connection.stream({ method: 'GET', path: `${path}/logs`, query }, signal)
      yield* observed.tty ? rawOutput(body) : demultiplex(body)
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async execContainer(container: string, options: ExecOptions): Promise<ExecProcess> {
    const path = `${containerPath(container)}/exec`
    const answer = await this.#connection.json({ method: 'POST', path, body: spec.makeExecBody(options) })
    const exec = `/exec/${text(object(answer)['Id'])}`
    const body = { Detach: false, Tty: options.tty }
    const { signal, tty } = options
    const socket = await this.#connection.hijack({ method: 'POST', path: `${exec}/start`, body }, signal)
    const [connection, clock] = [this.#connection, this.#clock]
    const streams = processStreams({ connection, clock, socket, tty, path: exec, signal })
    return { ...streams, exitCode: () => execExitCode({ connection, clock, path: exec, signal }) }
  }

  async attachContainer(container: string, options: WantedStreams): Promise<AttachedProcess> {
    const path = containerPath(container)
    const found = view.readContainer(await this.#connection.json({ method: 'GET', path: `${path}/json` }))
    const { tty, state } = found
    const { stdin, stdout, stderr, signal } = options
    const query = { stream: true, stdin, stdout, stderr }
    const socket = await this.#connection.hijack({ method: 'POST', path: `${path}/attach`, query }, signal)
    const startsLate = state === 'created'
    const [connection, clock] = [this.#connection, this.#clock]
    return processStreams({ connection, clock, socket, tty, path, signal, startsLate })
  }

  async listNetworks(): Promise<readonly ObservedNetwork[]> {
    return array(await this.#connection.json({ method: 'GET', path: '/networks' })).map(view.readNetwork)
  }

  async createNetwork(create: NetworkCreate): Promise<{ id: string }> {
    const body = spec.makeNetworkBody(create)
    const answer = await this.#connection.json({ method: 'POST', path: '/networks/create', body })
    return { id: text(object(answer)['Id']) }
  }

  async removeNetwork(network: string): Promise<void> {
    await this.#connection.json({ method: 'DELETE', path: networkPath(network) })
  }

  async connectNetwork(container: string, attachment: NetworkAttachment): Promise<void> {
    const body = { Container: container, EndpointConfig: spec.makeEndpoint(attachment) }
    await this.#connection.json({ method: 'POST', path: `${networkPath(attachment.network)}/connect`, body })
  }

  async disconnectNetwork(container: string, network: string): Promise<void> {
    const body = { Container: container, Force: true }
    await this.#connection.json({ method: 'POST', path: `${networkPath(network)}/disconnect`, body })
  }

  async listVolumes(): Promise<readonly ObservedVolume[]> {
    const answer = await this.#connection.json({ method: 'GET', path: '/volumes' })
    return array(object(answer)['Volumes']).map(view.readVolume)
  }

  async createVolume(create: VolumeCreate): Promise<void> {
    await this.#connection.json({
      method: 'POST',
      path: '/volumes/create',
      body: spec.makeVolumeBody(create),
    })
  }

  async removeVolume(volume: string): Promise<void> {
    await this.#connection.json({ method: 'DELETE', path: `/volumes/${encodeURIComponent(volume)}` })
  }

  events(signal: AbortSignal): AsyncIterable<EngineEvent> {
    // The engine replays what it remembers since then, so nothing is lost between this call and the connection.
    return this.#events(this.#clock.now() / 1000, signal)
  }

  async *#events(since: number, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const filters = JSON.stringify({ type: ['container', 'image', 'network', 'volume'] })
    try {
      const query = { filters, since: since.toFixed(3) }
      for await (const line of jsonLines(
        await this.#connection.stream({ method: 'GET', path: '/events', query }, signal),
      )) {
        const event = view.readEvent(line)
        if (event !== undefined) yield event
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
    if (!signal.aborted) throw unavailable(this.#host, new Error('the stream of events ended'))
  }

  async close(): Promise<void> {
    this.#connection.close()
  }
}

/** Engines leave out of a body what they do not know yet, and say nothing. */
function mustKnow({ healthcheck }: ContainerCreate, version: string): void {
  if (healthcheck === undefined || healthcheck.disabled || healthcheck.startInterval === undefined) return
  if (hasStartInterval(version)) return
  const message = `the engine speaks API ${version}, which has no start interval of health checks; that needs ${startIntervalSince}`
  throw new StatusError('InvalidSpec', message)
}

function logQuery(options: LogOptions): Record<string, string | number | boolean> {
  const { follow, tail, since, until, timestamps } = options
  return {
    follow,
    timestamps,
    stdout: true,
    stderr: true,
    ...(tail !== undefined && { tail }),
    ...(since !== undefined && { since: unixTime(since) }),
    ...(until !== undefined && { until: unixTime(until) }),
  }
}

/** `seconds.nanoseconds`, the one form that engines of all versions read; the date's own parser drops digits. */
function unixTime(time: string): string {
  const milliseconds = Date.parse(time)
  if (Number.isNaN(milliseconds)) throw new StatusError('InvalidSpec', `"${time}" is no RFC 3339 time`)
  const fraction = /\.(\d{1,9})/.exec(time)?.[1] ?? ''
  return `${Math.floor(milliseconds / 1000)}.${fraction.padEnd(9, '0')}`
}

function networkPath(network: string): string {
  return `/networks/${encodeURIComponent(network)}`
}
