/** What the engine port answers about containers beside their state, in Cove's words. */
import type { ContainerState, ObservedHealth, PortMapping } from './port.ts'

/** One line of the list of all containers: what an engine tells of each without asking for it by itself. */
export interface ListedContainer {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** The reference it was created from, or the image's id when that reference means another one now. */
  readonly image: string
  /** Entry point and arguments as one line. */
  readonly command: string
  readonly createdAt: string
  readonly state: ContainerState
  /** In words: `Up 2 minutes (healthy)`, `Exited (7) 3 seconds ago`. */
  readonly status: string
  readonly health?: ObservedHealth['status']
  /** As published now, one for each address family. One that is not published has no `hostPort`. */
  readonly ports: readonly PortMapping[]
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
