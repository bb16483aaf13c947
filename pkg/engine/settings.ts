/**
 * What a container is made with beside its image, in Cove's words: what is asked for at create, and what the engine
 * tells of it afterwards, where it has merged in what the image brings. Durations are milliseconds, sizes bytes.
 */

export type Healthcheck =
  | { readonly disabled: true }
  | {
      readonly disabled: false
      /** `['CMD', ...argv]` or `['CMD-SHELL', line]`. */
      readonly test: readonly string[]
      readonly interval: number
      readonly timeout: number
      readonly retries: number
      readonly startPeriod: number
      /** Absent: the engine's choice. Engines before API 1.44 have none: there it is InvalidSpec. */
      readonly startInterval?: number
    }

export interface DnsSettings {
  readonly servers: readonly string[]
  readonly searches: readonly string[]
  readonly options: readonly string[]
}

export interface Device {
  readonly hostPath: string
  readonly containerPath: string
  /** Of `rwm`. */
  readonly permissions: string
}

export interface Ulimit {
  readonly name: string
  /** -1: no limit. */
  readonly soft: number
  readonly hard: number
}

export interface LoggingSettings {
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
}

/** How the engine runs a container. What is absent is left to the engine. */
export interface RuntimeSettings {
  readonly hostname?: string
  /** Whether an init process runs as PID 1. */
  readonly init?: boolean
  /** As Docker takes it: SIGTERM, TERM or 15. Absent: the image's. */
  readonly stopSignal?: string
  /** `NAME:ADDRESS`. */
  readonly extraHosts?: readonly string[]
  readonly dns?: DnsSettings
  readonly devices?: readonly Device[]
  readonly ulimits?: readonly Ulimit[]
  readonly sysctls?: Readonly<Record<string, string>>
  readonly shmBytes?: number
  readonly logging?: LoggingSettings
  /** Publishes every port that the image exposes, each on a free port of the host, picked at each start. */
  readonly publishAll?: boolean
}

/** What an image brings to the containers that are made from it. */
export interface ImageConfig {
  /** Empty: root. */
  readonly user: string
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** Empty: the root directory. */
  readonly workingDir: string
  /** Paths that get an anonymous volume where nothing is mounted. */
  readonly volumes: readonly string[]
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[]
  /** Empty: the engine's, SIGTERM. */
  readonly stopSignal: string
  readonly healthcheck?: Healthcheck
}

/** What a container was made with: what was asked for, what its image brings, and the engine's own defaults. */
export interface ObservedSettings extends Omit<ImageConfig, 'labels'> {
  readonly hostname: string
  /** Absent: as the engine has it. */
  readonly init?: boolean
  readonly extraHosts: readonly string[]
  readonly dns: DnsSettings
  readonly devices: readonly Device[]
  readonly ulimits: readonly Ulimit[]
  readonly sysctls: Readonly<Record<string, string>>
  readonly shmBytes: number
  readonly logging: LoggingSettings
  readonly publishAll: boolean
  /** Whether its standard input is kept open. */
  readonly stdin: boolean
  /** What Cove has no word for and is not as usual: `HostConfig.PidMode host`. Nothing acts on it. */
  readonly further: readonly string[]
  /** Whether that ends with the first who attached to it. */
  readonly stdinOnce: boolean
}

/** The API version from which engines know a start interval of health checks. */
export const startIntervalSince = '1.44'

/** Whether an engine of this API version (`1.41`) knows a start interval of health checks. */
export function hasStartInterval(apiVersion: string): boolean {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number)
  const [firstMajor = 0, firstMinor = 0] = startIntervalSince.split('.').map(Number)
  return major > firstMajor || (major === firstMajor && minor >= firstMinor)
}
