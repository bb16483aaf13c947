/**
 * What can be asked of a node as a whole, in its small API (streams.ts): `GET /containers`, all containers of its engine
 * and whose they are, and `GET /stats`, what its Containers use and what the machine does.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import type { ContainerUsage, NodeContainer, NodeUsage, NodeUsages, Usage } from '#pkg/apis/looks.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import type { ListedContainer, UsageSample } from '#pkg/engine/looks.ts'
import type { RegistryClient } from '#pkg/registry/port.ts'
import type { Offered } from './images/credentials.ts'
import type { ReadMachine } from './machine.ts'
import { type OwnerOf, tellOwner } from './owned.ts'
import type { AskPrune } from './prune/ask.ts'
import type { Target } from './target.ts'
import { UsageBook } from './usage.ts'

/** When a container last ran an image, by its id; undefined: never since somebody counts. */
export type LastUsedOf = (image: string) => string | undefined

/** What the node itself would show a registry for a reference. */
export type NodeCredentials = (reference: string, signal: AbortSignal) => Promise<Offered>

export interface NodeTarget extends Pick<Target, 'engine' | 'clock' | 'usage'> {
  readonly request: ApiRequest
  readonly nodeName: string
  readonly ownerOf: OwnerOf
  /** Absent: the engine's machine is another one, and its containers stand for it. */
  readonly machine?: UsageBook
  readonly lastUsedOf?: LastUsedOf
  readonly prune?: AskPrune
  readonly credentialsOf?: NodeCredentials
  /** Absent: the node asks no registries itself. */
  readonly registry?: RegistryClient
}

export async function listContainers({ engine, ownerOf }: NodeTarget): Promise<ApiResponse> {
  const listed = await engine.listContainers()
  const items = listed.map((container): NodeContainer => {
    const { labels, health, ...shown } = container
    const owned = ownerOf(container)
    return {
      ...shown,
      health: health ?? owned?.status?.health?.status ?? '',
      owner: tellOwner(labels, owned),
    }
  })
  return json({ kind: 'NodeContainers', apiVersion: 'cove.run/v1', items })
}

/** `namespace`: only Containers of this one. */
export async function nodeStats(target: NodeTarget): Promise<ApiResponse> {
  const { engine, request, ownerOf, usage } = target
  const wanted = request.query.get('namespace')
  const running = (await engine.listContainers()).filter(isUp)
  const own = running.flatMap(({ id, name, labels }) => {
    const owned = ownerOf({ id, labels })
    const serves = owned !== undefined && name === engineName(owned)
    return serves && (wanted === null || owned.namespace === wanted) ? [{ id, owned }] : []
  })
  const [node, ...used] = await Promise.all([
    nodeUsage(target, running),
    ...own.map(({ id }) => usage.usageOf(id, request.signal)),
  ])
  const items = own.flatMap(({ owned: { namespace, name } }, index): ContainerUsage[] => {
    const found = used[index]
    return found === undefined ? [] : [{ namespace, name, usage: found }]
  })
  const answer: NodeUsages = { node, items }
  return json(answer)
}

function isUp({ state }: ListedContainer): boolean {
  return state === 'running' || state === 'paused'
}

async function nodeUsage(target: NodeTarget, running: readonly ListedContainer[]): Promise<NodeUsage> {
  const { machine, usage, clock, request } = target
  const whole = await machine?.usageOf('machine', request.signal)
  if (whole === undefined) return total(await usagesOf(running, usage, request.signal), clock.now())
  const { time, windowMs, cpu, memoryBytes } = whole
  return { time, windowMs, cpu, memoryBytes }
}

/** A machine is told of as one container would be. */
export function machineBook(read: ReadMachine, clock: Clock): UsageBook {
  const containerUsage = async (): Promise<UsageSample> => {
    const { busyMs, memoryBytes } = await read()
    const at = rfc3339(clock.now())
    return { ...nothingElse, at, cpuNanoseconds: busyMs * 1e6, memoryBytes }
  }
  return new UsageBook({ containerUsage }, clock)
}

const nothingElse = {
  memoryLimitBytes: 0,
  networkReceivedBytes: 0,
  networkSentBytes: 0,
  blockReadBytes: 0,
  blockWrittenBytes: 0,
  pids: 0,
} as const

async function usagesOf(
  running: readonly ListedContainer[],
  usage: UsageBook,
  signal: AbortSignal,
): Promise<readonly Usage[]> {
  const found = await Promise.all(running.map(({ id }) => usage.usageOf(id, signal)))
  return found.filter((each) => each !== undefined)
}

function total(usages: readonly Usage[], now: number): NodeUsage {
  const sum = (of: (usage: Usage) => number) => usages.reduce((result, each) => result + of(each), 0)
  const windowMs = Math.max(0, ...usages.map((usage) => usage.windowMs))
  const memoryBytes = sum((usage) => usage.memoryBytes)
  return { time: rfc3339(now), windowMs, cpu: sum(({ cpu }) => cpu), memoryBytes }
}

function rfc3339(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

function json(value: unknown): ApiResponse {
  return { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) }
}
