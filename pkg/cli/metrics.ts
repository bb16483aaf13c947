/** What Containers and nodes use at this moment, from the metrics API: decoded, sorted and as rows of a table. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import type { Args } from './args.ts'
import { binaryText, decimalText, quantityText } from './dockertext.ts'
import { CliError } from './errors.ts'
import type { Session } from './session.ts'
import type { Row } from './table.ts'

/** Cores, bytes, and counts. */
export interface Metrics {
  /** Empty for a node. */
  readonly namespace: string
  readonly name: string
  readonly cpu: number
  readonly memory: number
  readonly memoryLimit: number
  readonly received: number
  readonly sent: number
  readonly read: number
  readonly written: number
  readonly pids: number
}

export interface MetricsScope {
  readonly of: 'pods' | 'nodes'
  /** Absent: all. */
  readonly namespace?: string
  readonly name?: string
  readonly labelSelector?: string
}

/** What the server warns of, such as a node that does not answer, is printed by the session. */
export async function readMetrics(
  { of, namespace, name, labelSelector }: MetricsScope,
  { client, signal }: Session,
): Promise<Metrics[]> {
  const parts = [
    ...(namespace === undefined ? [] : ['namespaces', namespace]),
    of,
    ...(name === undefined ? [] : [name]),
  ]
  const path = `/apis/metrics.k8s.io/v1beta1/${parts.map(encodeURIComponent).join('/')}`
  const query = labelSelector === undefined ? {} : { labelSelector }
  const answer = await client.json({ method: 'GET', path, query }, signal)
  if (!isPlainObject(answer)) throw new CliError('the server answered no metrics')
  const items = Array.isArray(answer['items']) ? answer['items'] : [answer]
  return items.filter(isPlainObject).map(decode)
}

/** Those of the namespace that the command line says, or of all. */
export async function readContainerMetrics(args: Args, session: Session) {
  const everywhere = args.bool('all-namespaces')
  const labelSelector = args.text('selector')
  const metrics = await readMetrics(
    {
      of: 'pods',
      ...(!everywhere && { namespace: session.namespace }),
      ...(labelSelector !== undefined && { labelSelector }),
    },
    session,
  )
  return { everywhere, metrics }
}

function decode(item: Record<string, unknown>): Metrics {
  const metadata = isPlainObject(item['metadata']) ? item['metadata'] : {}
  const [container]: unknown[] = Array.isArray(item['containers']) ? item['containers'] : [item]
  const usage = isPlainObject(container) && isPlainObject(container['usage']) ? container['usage'] : {}
  const amount = (resource: string) => parseQuantity(String(usage[resource] ?? '')) ?? 0
  return {
    namespace: String(metadata['namespace'] ?? ''),
    name: String(metadata['name'] ?? ''),
    cpu: amount('cpu'),
    memory: amount('memory'),
    memoryLimit: amount('cove.run/memory-limit'),
    received: amount('cove.run/network-received'),
    sent: amount('cove.run/network-sent'),
    read: amount('cove.run/block-read'),
    written: amount('cove.run/block-written'),
    pids: amount('cove.run/pids'),
  }
}

const sortings = ['cpu', 'memory'] as const

/** By name, or the greatest first. */
export function sorted(metrics: readonly Metrics[], by: string | undefined): Metrics[] {
  const key = sortings.find((known) => known === by)
  const byName = metrics.toSorted((a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name))
  return key === undefined ? byName : byName.toSorted((a, b) => b[key] - a[key])
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** Thousandths of a core, rounded up, as kubectl prints them. */
function coresText(cpu: number): string {
  return `${Math.ceil(cpu * 1000)}m`
}

export const statsHeader: Row = ['CPU %', 'MEM USAGE / LIMIT', 'MEM %', 'NET I/O', 'BLOCK I/O', 'PIDS']
/** Of one that does not run. */
export const noStats: Row = ['--', '-- / --', '--', '-- / --', '-- / --', '--']

/** The columns of `docker stats`. */
export function statsRow({ cpu, memory, memoryLimit, received, sent, read, written, pids }: Metrics): Row {
  return [
    percent(cpu),
    `${binaryText(memory)} / ${binaryText(memoryLimit)}`,
    percent(memoryLimit > 0 ? memory / memoryLimit : 0),
    `${decimalText(received)} / ${decimalText(sent)}`,
    `${decimalText(read)} / ${decimalText(written)}`,
    String(pids),
  ]
}

/** The columns of `kubectl top`. */
export function topRow({ cpu, memory }: Metrics): Row {
  return [coresText(cpu), quantityText(memory)]
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`
}
