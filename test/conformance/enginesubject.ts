/** What the engine suite is given, and the small acts that its tests are made of. */
import type { ExecutionContext } from 'ava'
import { isReason, type Reason } from '#pkg/apimachinery/errors.ts'
import type {
  ContainerCreate,
  Engine,
  LogChunk,
  LogOptions,
  NetworkCreate,
  ObservedContainer,
  RegistryCredentials,
  VolumeCreate,
} from '#pkg/engine/port.ts'
import { programs } from './engineprograms.ts'

export const noLimits = { cpus: 0, memoryBytes: 0, pids: 0 } as const

export interface EngineUnderTest {
  readonly engine: Engine
  /** Has a shell and the usual small programs, no ENTRYPOINT, CMD, VOLUME or HEALTHCHECK. */
  readonly image: string
  readonly existingPath: string
  readonly missingPath: string
  readonly pulls: {
    readonly open: string
    readonly protected: string
    readonly account: RegistryCredentials
    readonly missing: string
    readonly unreachable: string
  }
  /** Never the same twice; what bears such a name is removed by `cleanup`. */
  uniqueName(): string
  freePort(): Promise<number>
  /** Lets a process outside of containers listen on a port, on all addresses; the function ends that. */
  occupyPort(port: number): Promise<() => Promise<void>>
  /** Waits for a call that takes engine time. */
  settle<T>(call: Promise<T>): Promise<T>
  /** Lets engine time pass until the check does not throw. */
  until<T>(check: () => Promise<T> | T): Promise<T>
  cleanup(): Promise<void>
}

export function makeCreate(on: EngineUnderTest, overrides: Partial<ContainerCreate> = {}): ContainerCreate {
  return {
    name: on.uniqueName(),
    image: on.image,
    cmd: programs.stubborn.argv,
    env: {},
    labels: {},
    ports: [],
    mounts: [],
    networks: [],
    limits: noLimits,
    ...overrides,
  }
}

export async function create(on: EngineUnderTest, overrides: Partial<ContainerCreate> = {}): Promise<string> {
  const wanted = makeCreate(on, overrides)
  await on.engine.createContainer(wanted)
  return wanted.name
}

export async function run(on: EngineUnderTest, overrides: Partial<ContainerCreate> = {}): Promise<string> {
  const name = await create(on, overrides)
  await on.engine.startContainer(name)
  return name
}

export function makeNetworkCreate(on: EngineUnderTest): NetworkCreate {
  const labels = { 'cove.test/network': 'yes' }
  return { name: on.uniqueName(), driver: 'bridge', internal: true, options: {}, labels, ipam: [] }
}

export async function makeNetwork(on: EngineUnderTest): Promise<string> {
  const network = makeNetworkCreate(on)
  await on.engine.createNetwork(network)
  return network.name
}

export function makeVolumeCreate(on: EngineUnderTest): VolumeCreate {
  return { name: on.uniqueName(), driver: 'local', options: {}, labels: { 'cove.test/volume': 'yes' } }
}

export async function mustInspect(on: EngineUnderTest, container: string): Promise<ObservedContainer> {
  const observed = await on.engine.inspectContainer(container)
  if (observed === undefined) throw new Error(`there is no container ${container}`)
  return observed
}

export function untilState(on: EngineUnderTest, name: string, state: ObservedContainer['state']) {
  return on.until(async () => {
    const observed = await mustInspect(on, name)
    if (observed.state !== state) throw new Error(`${name} is ${observed.state}`)
    return observed
  })
}

export function untilHealth(on: EngineUnderTest, name: string, status: 'healthy' | 'unhealthy') {
  return on.until(async () => {
    const observed = await mustInspect(on, name)
    if (observed.health?.status !== status) throw new Error(`${name} is ${observed.health?.status}`)
    return observed
  })
}

export async function output(on: EngineUnderTest, container: string, options: Partial<LogOptions> = {}) {
  const chunks: LogChunk[] = []
  const full = { follow: false, timestamps: false, signal: never(), ...options }
  for await (const chunk of on.engine.containerLogs(container, full)) chunks.push(chunk)
  const text = (stream: LogChunk['stream']) =>
    Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map(({ data }) => data)).toString()
  return { stdout: text('stdout'), stderr: text('stderr') }
}

/** Gathers events from now on. */
export function collect(on: EngineUnderTest) {
  const controller = new AbortController()
  const seen: { name: string; id: string; action: string }[] = []
  const stream = on.engine.events(controller.signal)
  const reading = (async () => {
    for await (const event of stream) seen.push(event)
  })()
  // A test that fails never comes to `end`, and has said why by itself.
  reading.catch(() => undefined)
  return {
    seen,
    actions: (name: string) => seen.filter((event) => event.name === name).map(({ action }) => action),
    end: async () => {
      controller.abort()
      await reading
    },
  }
}

export async function fails(t: ExecutionContext, reason: Reason, call: Promise<unknown>): Promise<void> {
  const error: unknown = await t.throwsAsync(call)
  t.true(isReason(error, reason), `wanted ${reason}, got ${describe(error)}`)
}

export function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'reason' in error ? `${error.reason}: ${error.message}` : error.message
}

export function never(): AbortSignal {
  return new AbortController().signal
}
