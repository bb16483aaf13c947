/**
 * The engine port: what Cove needs of a container engine, in Cove's own words. docker.ts speaks to anything
 * with Docker's API, sim.ts keeps an engine in memory; test/conformance/engine.ts holds both to the same promises.
 *
 * Every method is one engine call. Failures are StatusErrors whose reason tells what happened (NotFound,
 * NameInUse, HostPortInUse, MountSourceMissing, ImageNotFound, RegistryUnauthorized, RegistryRateLimited,
 * RegistryUnavailable, RegistryInsecure, NoSpace, InUse, ExecutableNotFound, UserNotFound, DeviceNotFound, InvalidSpec,
 * EngineUnavailable, EngineError; Conflict when the container's state does not allow the call, such as pausing one
 * that does not run).
 * Durations are milliseconds, sizes bytes, times RFC 3339.
 */

import type { EngineBuilds } from './builds.ts'
import type { EngineImages } from './images.ts'
import type { ContainerState, EngineLooks } from './looks.ts'
import type { Healthcheck, ImageConfig, ObservedSettings, RuntimeSettings } from './settings.ts'

export type { PullProgress, RegistryCredentials } from './images.ts'

export interface EngineInfo {
  /** The engine's own id of itself; another id under the same address is another engine. */
  readonly id: string
  readonly hostname: string
  readonly version: string
  readonly apiVersion: string
  readonly kernel: string
  readonly operatingSystem: string
  readonly architecture: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly storageDriver: string
  readonly rootDirectory: string
  readonly registries: {
    /** Addresses asked in Docker Hub's place, in this order. */
    readonly mirrors: readonly string[]
    /** Hosts, and networks as CIDRs, that it speaks plain HTTP to or whose certificates it does not check. */
    readonly insecure: readonly string[]
  }
  /** What builds when nobody says: BuildKit from 23 on. */
  readonly builder: 'Classic' | 'BuildKit'
  /** How many, whatever their state. */
  readonly containers: number
  readonly images: number
}

export interface PortMapping {
  readonly containerPort: number
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** Absent: the engine picks a free one at each start. */
  readonly hostPort?: number
  readonly hostIP?: string
}

export type Mount =
  | { readonly type: 'volume'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  /** A source that does not exist fails the create with MountSourceMissing; it is never made. */
  | { readonly type: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean }
  | {
      readonly type: 'tmpfs'
      readonly target: string
      readonly sizeBytes?: number
      readonly readOnly: boolean
    }

export interface NetworkAttachment {
  /** The engine's name of the network. */
  readonly network: string
  readonly aliases: readonly string[]
  /** Names that only this container sees for others of the network: `CONTAINER:NAME`. Absent: none. */
  readonly links?: readonly string[]
}

export interface ResourceLimits {
  /** Cores; 0: no limit. */
  readonly cpus: number
  /** 0: no limit. */
  readonly memoryBytes: number
  /** 0: no limit. */
  readonly pids: number
}

/** What a container may do to its host. */
export interface Security {
  readonly privileged: boolean
  readonly readOnlyRootFilesystem: boolean
  /** Without CAP_; `ALL` is every one. */
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] }
  /** Whether a process may gain more rights than its parent. */
  readonly allowPrivilegeEscalation: boolean
  /** The engine's own profile of system calls, or none. */
  readonly seccomp: 'default' | 'unconfined'
}

/** What engines give every container that nothing is said of. */
export const usualSecurity: Security = {
  privileged: false,
  readOnlyRootFilesystem: false,
  capabilities: { add: [], drop: [] },
  allowPrivilegeEscalation: true,
  seccomp: 'default',
}

/** Everything a create call is given. Restarting is Cove's business: the engine's own restart policy is always `no`. */
export interface ContainerCreate extends RuntimeSettings {
  readonly name: string
  /** A reference or an image id that the engine holds. */
  readonly image: string
  /** Absent: the image's ENTRYPOINT. Given, it also drops the image's CMD, as Docker does. */
  readonly entrypoint?: readonly string[]
  /** Absent: the image's CMD. */
  readonly cmd?: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  readonly user?: string
  readonly labels: Readonly<Record<string, string>>
  readonly ports: readonly PortMapping[]
  readonly mounts: readonly Mount[]
  /**
   * Empty: the engine's default bridge. Only the first is attached by the create call, for engines before API 1.44
   * take no more; connect the others before the start.
   */
  readonly networks: readonly NetworkAttachment[]
  /**
   * Given, there are no networks: the default bridge, the host's own network, none, or that of another container, which
   * must run when this one starts.
   */
  readonly networkMode?: 'bridge' | 'host' | 'none' | `container:${string}`
  /**
   * On the default bridge only: names in /etc/hosts for other containers there, `CONTAINER:NAME`. They must run when this
   * one starts; the engine writes down another address when they get one. Absent: none.
   */
  readonly links?: readonly string[]
  /** Absent: what the engine gives every container. */
  readonly security?: Security
  /** Absent: the image's HEALTHCHECK. */
  readonly healthcheck?: Healthcheck
  readonly limits: ResourceLimits
  /** Keeps standard input open for who attaches; absent: it is at its end from the start. */
  readonly stdin?: boolean
  /** With `stdin`: its input ends when the first who attached to it ends theirs, or hangs up without a terminal. */
  readonly stdinOnce?: boolean
  /** Gives it a terminal; absent: none. */
  readonly tty?: boolean
}

export interface HealthProbe {
  readonly start: string
  readonly end: string
  readonly exitCode: number
  readonly output: string
}

export interface ObservedHealth {
  readonly status: 'starting' | 'healthy' | 'unhealthy'
  readonly failingStreak: number
  /** The last five. */
  readonly log: readonly HealthProbe[]
}

export interface ObservedAttachment extends NetworkAttachment {
  readonly ip: string
}

/** One container as the engine holds it, whoever made it. */
export interface ObservedContainer {
  readonly id: string
  readonly name: string
  /** The reference it was created from, as written then. */
  readonly image: string
  readonly imageID: string
  readonly labels: Readonly<Record<string, string>>
  readonly state: ContainerState
  readonly pid: number
  readonly createdAt: string
  /** Absent until the first start. */
  readonly startedAt?: string
  /** Absent until it ended once. */
  readonly finishedAt?: string
  readonly exitCode: number
  readonly oomKilled: boolean
  /** The engine's word on why the last start failed; empty when it did not. */
  readonly error: string
  readonly health?: ObservedHealth
  /** Entry point and arguments as they run. */
  readonly command: readonly string[]
  readonly networks: readonly ObservedAttachment[]
  /** On the default bridge, with the names that the containers have now: `CONTAINER:NAME`. Absent: none. */
  readonly links?: readonly string[]
  /** How it was made to be networked: `host`, `none`, `container:ID`; `bridge` for every other way. */
  readonly networkMode: string
  readonly security: Security
  /** As published now; empty while it does not run. */
  readonly ports: readonly PortMapping[]
  /** As asked for at create: known also while it does not run. */
  readonly requestedPorts: readonly PortMapping[]
  readonly mounts: readonly ObservedMount[]
  readonly limits: ResourceLimits
  /** The engine's own restart policy: `no` unless somebody changed it behind Cove's back. */
  readonly restartPolicy: string
  readonly tty: boolean
  readonly settings: ObservedSettings
}

export interface ObservedMount {
  readonly type: 'volume' | 'bind' | 'tmpfs'
  /** Volume name or host path; empty for tmpfs. */
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  /** Of a tmpfs that was given one. */
  readonly sizeBytes?: number
}

export interface ObservedImage {
  /** `sha256:...` */
  readonly id: string
  /** Familiar references (`nginx:1.27`); empty for a dangling image. */
  readonly references: readonly string[]
  /** `repository@sha256:...` */
  readonly digests: readonly string[]
  readonly sizeBytes: number
  readonly createdAt: string
}

export interface ObservedNetwork {
  readonly id: string
  readonly name: string
  readonly driver: string
  readonly internal: boolean
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly subnets: readonly string[]
  /** Absent: the engine does not say. */
  readonly createdAt?: string
}

export interface ObservedVolume {
  readonly name: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly mountpoint: string
  readonly createdAt: string
}

export interface NetworkCreate {
  readonly name: string
  readonly driver: string
  readonly internal: boolean
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** Empty: the engine picks from its pools. */
  readonly ipam: readonly { readonly subnet: string; readonly gateway?: string; readonly ipRange?: string }[]
}

export interface VolumeCreate {
  readonly name: string
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
}

/** A hint that something changed; streams drop silently, so a resync stays the truth. */
export interface EngineEvent {
  readonly type: 'container' | 'image' | 'network' | 'volume'
  readonly action: string
  /** The container's or image's id, the volume's name, the network's id. */
  readonly id: string
  readonly name: string
  /** Of a network's connect and disconnect: the id of the container that joined or left. */
  readonly container?: string
  /** When, by the engine's clock; ms since the epoch. Absent: the engine does not say. */
  readonly at?: number
}

export interface RemoveOptions {
  readonly anonymousVolumes: boolean
  readonly ifEnded?: true
}

export interface LogOptions {
  readonly follow: boolean
  /** Absent: from the beginning. */
  readonly tail?: number
  /** RFC 3339. */
  readonly since?: string
  /** RFC 3339: nothing written later. */
  readonly until?: string
  readonly timestamps: boolean
  readonly signal: AbortSignal
}

/** A piece of a container's output; with a TTY everything is stdout. */
export interface LogChunk {
  readonly stream: 'stdout' | 'stderr'
  readonly data: Uint8Array
}

/** In characters. */
export interface TerminalSize {
  readonly width: number
  readonly height: number
}

/** Which streams of a process are wanted; with a terminal its stderr comes as stdout. */
export interface WantedStreams {
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  /**
   * Hangs up. The engine does not end the process for that: it reads the end of its input, and what it goes on to
   * write is lost.
   */
  readonly signal: AbortSignal
}

export interface ExecOptions extends WantedStreams {
  readonly command: readonly string[]
  /** Gives it a terminal. */
  readonly tty: boolean
}

/** The streams of a process in a container. */
export interface AttachedProcess {
  /** What it writes from now on, no faster than it is read: a slow reader slows the process down. Read it once. */
  readonly output: AsyncIterable<LogChunk>
  /** Resolves when the engine has taken it; false: the process takes no more input. */
  write(data: Uint8Array): Promise<boolean>
  /**
   * A command reads the end of its input then, and its output goes on. The input of a container's own process stays
   * open for whoever attaches next.
   */
  endInput(): void
  /** Of its terminal. */
  resize(size: TerminalSize): Promise<void>
}

export interface ExecProcess extends AttachedProcess {
  /** Resolves when it has ended. To be asked when the output has ended. */
  exitCode(): Promise<number>
}

export interface Engine extends EngineLooks, EngineImages, EngineBuilds {
  info(): Promise<EngineInfo>

  /** By name or id; undefined when there is none. */
  inspectContainer(container: string): Promise<ObservedContainer | undefined>
  createContainer(create: ContainerCreate): Promise<{ id: string }>
  /** One that runs is left as it is. */
  startContainer(container: string): Promise<void>
  /** Stop signal, then SIGKILL after `gracePeriod`. One that does not run is left as it is. */
  stopContainer(container: string, gracePeriod: number): Promise<void>
  restartContainer(container: string, gracePeriod: number): Promise<void>
  pauseContainer(container: string): Promise<void>
  unpauseContainer(container: string): Promise<void>
  renameContainer(container: string, name: string): Promise<void>
  /**
   * Changes limits of a container in place and puts the engine's restart policy back to `no`. A core or memory limit
   * cannot be lifted (to 0) in place: InvalidSpec.
   */
  updateContainer(container: string, limits: ResourceLimits): Promise<void>
  /**
   * Removes it, running or not; with `ifEnded` one that runs is left, with Conflict. `anonymousVolumes` takes those with
   * it; named volumes always stay.
   */
  removeContainer(container: string, options: RemoveOptions): Promise<void>
  /** With `follow` until the container ends; always until the signal aborts, which is no error. */
  containerLogs(container: string, options: LogOptions): AsyncIterable<LogChunk>
  /**
   * Runs a command beside the container's own process. Conflict when that does not run. A program that is not there is
   * no failure of this call: the engine says so in the output, and the exit code is 126 or 127.
   */
  execContainer(container: string, options: ExecOptions): Promise<ExecProcess>
  /**
   * To the container's own process, from now on, or from its start when it was not started yet. Input is taken only when
   * it was created with `stdin`.
   */
  attachContainer(container: string, options: WantedStreams): Promise<AttachedProcess>
  listImages(): Promise<readonly ObservedImage[]>
  /** By reference or id; undefined when there is no such image. */
  inspectImage(image: string): Promise<ImageConfig | undefined>

  listNetworks(): Promise<readonly ObservedNetwork[]>
  createNetwork(create: NetworkCreate): Promise<{ id: string }>
  removeNetwork(network: string): Promise<void>
  /** One that is connected already: NameInUse. */
  connectNetwork(container: string, attachment: NetworkAttachment): Promise<void>
  disconnectNetwork(container: string, network: string): Promise<void>

  listVolumes(): Promise<readonly ObservedVolume[]>
  /** One that exists already is left as it is. */
  createVolume(create: VolumeCreate): Promise<void>
  removeVolume(volume: string): Promise<void>

  /** Events from the moment of this call on, also before the first is asked for. Throws EngineUnavailable when the connection breaks; ends when the signal aborts. */
  events(signal: AbortSignal): AsyncIterable<EngineEvent>
  close(): Promise<void>
}
