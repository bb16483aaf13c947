/**
 * The part of the engine port (port.ts) that is about what goes on in containers and lies in them: processes, usage,
 * files. Failures are as there.
 */

export type ContainerState = 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'

/** A port as the engine publishes it at this moment, on one address. */
export interface ListedPort {
  readonly containerPort: number
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** Absent: it is not published. */
  readonly hostPort?: number
  readonly hostIP?: string
}

/** One line of the list of all containers: what an engine tells of each without asking for it by itself. */
export interface ListedContainer {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The reference it was created from, or the image's id when that reference means another one now. */
  readonly image: string
  /** What it was made of, whatever that is called now. */
  readonly imageID: string
  /** Entry point and arguments as one line. */
  readonly command: string
  readonly createdAt: string
  readonly state: ContainerState
  /** In words: `Up 2 minutes (healthy)`, `Exited (7) 3 seconds ago`. */
  readonly status: string
  readonly health?: 'starting' | 'healthy' | 'unhealthy'
  readonly ports: readonly ListedPort[]
}

/** What `ps` says on the host, with the host's process ids: a table whose columns are for `ps` to choose. */
export interface ProcessTable {
  readonly titles: readonly string[]
  readonly processes: readonly (readonly string[])[]
}

/** Counters of a running container at one moment. Usage over a time is the difference of two. */
export interface UsageSample {
  /** By the engine's clock. */
  readonly at: string
  /** Of all cores together, since its start. */
  readonly cpuNanoseconds: number
  /** Without the file cache that the kernel may take back, as `docker stats` shows it. */
  readonly memoryBytes: number
  /** Its limit, or what the machine has. */
  readonly memoryLimitBytes: number
  /** Of all its networks. 0 for one in another's network namespace. */
  readonly networkReceivedBytes: number
  readonly networkSentBytes: number
  readonly blockReadBytes: number
  readonly blockWrittenBytes: number
  readonly pids: number
}

/** What became of a path since the container was made from its image. */
export interface FileChange {
  readonly path: string
  readonly kind: 'Modified' | 'Added' | 'Deleted'
}

export interface CommitOptions {
  /** `repository:tag`; absent: the image has no name. */
  readonly reference?: string
  readonly author?: string
  readonly message?: string
  /** Lines of a Dockerfile that change its settings, such as `CMD ["app"]`. */
  readonly changes: readonly string[]
  /** Whether its processes stand still meanwhile. */
  readonly pause: boolean
  readonly signal: AbortSignal
}

export interface EngineLooks {
  /** All containers, managed or not: the cheap look, which waits for none of them. */
  listContainers(): Promise<readonly ListedContainer[]>
  /** By name or number. One that does not run: Conflict. */
  signalContainer(container: string, signal: string): Promise<void>
  /** Its processes, in columns that `args` ask `ps` of the host for. Conflict when it does not run. */
  containerProcesses(container: string, args: string): Promise<ProcessTable>
  /** Undefined while it does not run. */
  containerUsage(container: string): Promise<UsageSample | undefined>
  /** Paths that differ from its image; volumes are left out. */
  containerChanges(container: string, signal: AbortSignal): Promise<readonly FileChange[]>
  /** The file or directory at `path` as a tar archive whose entries begin with its base name. */
  readArchive(container: string, path: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Unpacks a tar archive into a directory that is there (NotFound otherwise); everything is owned by root. */
  writeArchive(
    container: string,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void>
  /** All its files as one tar archive, without what is in volumes; it need not run. */
  exportContainer(container: string, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>
  /** Makes an image of its files and settings; resolves with the image's id. */
  commitContainer(container: string, options: CommitOptions): Promise<{ image: string }>
  /** The engine's own words, environment included; undefined when there is none. By whole id. */
  rawContainer(id: string): Promise<unknown>
}
