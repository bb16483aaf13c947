/**
 * The metrics API of Kubernetes (`metrics.k8s.io/v1beta1`), by which `kubectl top` asks: what Pods and Nodes use, asked of
 * the nodes at that moment and kept nowhere. Nodes that do not answer are told in warnings, and all others are shown.
 */
import type { Clock } from '#pkg/apimachinery/ambient.ts'
import { messageOf, notFound, StatusError } from '#pkg/apimachinery/errors.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { type LabelSelector, parseFieldSelector, parseLabelSelector } from '#pkg/apimachinery/selector.ts'
import type { ApiRequest, ApiResponse } from '#pkg/apimachinery/transport.ts'
import { containerKind } from '#pkg/apis/container.kind.ts'
import {
  decodeNodeUsages,
  decodeUsage,
  type NodeUsage,
  type NodeUsages,
  type Usage,
} from '#pkg/apis/looks.ts'
import { nodeMetricsSchema, podMetricsSchema } from '#pkg/apis/metrics.ts'
import { nodeKind } from '#pkg/apis/node.ts'
import type { Cache } from '../cache/cache.ts'
import type { Entry, Filter } from '../cache/entry.ts'
import type { ExtraResource } from '../documents/discovery.ts'
import { onlyReads, type Surface } from '../http/answer.ts'
import { jsonResponse } from '../http/present.ts'
import { methodNotAllowed } from '../http/request.ts'
import { askJson } from './asknode.ts'
import { answerWithin } from './containerlooks.ts'
import type { ContainerNode, FindNode } from './proxy.ts'

const group = 'metrics.k8s.io'
const version = 'v1beta1'
const apiVersion = `${group}/${version}`
const common = {
  group,
  version,
  singular: '',
  shortNames: [],
  categories: [],
  verbs: ['get', 'list'],
} as const

export const metricsResources: readonly ExtraResource[] = [
  {
    ...common,
    kind: 'NodeMetrics',
    plural: 'nodes',
    namespaced: false,
    description: 'NodeMetrics tells what a node uses.',
    schema: nodeMetricsSchema,
  },
  {
    ...common,
    kind: 'PodMetrics',
    plural: 'pods',
    namespaced: true,
    description: 'PodMetrics tells what a Container uses.',
    schema: podMetricsSchema,
  },
]

export interface MetricsOptions {
  readonly cache: () => Cache
  readonly clock: Clock
  readonly findNode: FindNode
  /** Throws ServiceUnavailable while it is not connected. */
  readonly reachNode: (name: string) => ContainerNode
}

type Asked = MetricsOptions & { readonly request: ApiRequest }

type Answer = (asked: Asked, ...parts: readonly string[]) => Promise<ApiResponse>

const root = '^/apis/metrics\\.k8s\\.io/v1beta1'
const paths: readonly { readonly path: RegExp; readonly answer: Answer }[] = [
  { path: new RegExp(`${root}/nodes$`), answer: listNodes },
  { path: new RegExp(`${root}/nodes/([^/]+)$`), answer: (asked, name = '') => oneNode(asked, name) },
  { path: new RegExp(`${root}/pods$`), answer: (asked) => listPods(asked, undefined) },
  {
    path: new RegExp(`${root}/namespaces/([^/]+)/pods$`),
    answer: (asked, inside) => listPods(asked, inside),
  },
  {
    path: new RegExp(`${root}/namespaces/([^/]+)/pods/([^/]+)$`),
    answer: (asked, inside = '', name = '') => onePod(asked, inside, name),
  },
]

export function metrics(options: MetricsOptions): Surface {
  return async (request) => {
    const asked = paths.find(({ path }) => path.test(request.path))
    if (asked === undefined) return undefined
    onlyReads(request)
    if (!['', 'false', '0'].includes(request.query.get('watch') ?? '')) throw methodNotAllowed(['GET'])
    const [, ...parts] = asked.path.exec(request.path) ?? []
    return asked.answer({ ...options, request }, ...parts.map((part) => decodeURIComponent(part)))
  }
}

async function listPods(asked: Asked, namespace: string | undefined): Promise<ApiResponse> {
  const selected = select(asked, containerKind, namespace)
  const nodeNames = [...new Set(selected.flatMap(({ fields }) => fields['spec.nodeName'] ?? []))]
  const { found, failures } = await askAll(asked, nodeNames, namespace)
  // Each node is heard on what is placed there, and on nothing else.
  const usages = new Map(
    [...found].flatMap(([node, { items }]) =>
      items.map((item) => [`${node}/${objectKey(item)}`, item.usage] as const),
    ),
  )
  const items = selected.flatMap((entry) => {
    const usage = usages.get(`${entry.fields['spec.nodeName']}/${entry.namespace}/${entry.name}`)
    return usage === undefined ? [] : [podMetrics(entry, usage)]
  })
  return listAnswer('PodMetricsList', items, failures)
}

/** Of one alone its own node is asked for it alone. */
async function onePod(asked: Asked, namespace: string, name: string): Promise<ApiResponse> {
  const entry = asked.cache().of(containerKind).get(objectKey({ namespace, name }))
  if (entry === undefined) throw notFound({ group, plural: 'podmetrics' }, name)
  const node = await asked.findNode(namespace, name)
  const path = `/containers/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/stats`
  const question = { method: 'GET', path, query: new URLSearchParams() }
  const usage = decodeUsage(await askJson(node, question, asking(asked)))
  return jsonResponse(200, JSON.stringify({ kind: 'PodMetrics', apiVersion, ...podMetrics(entry, usage) }))
}

async function listNodes(asked: Asked): Promise<ApiResponse> {
  const selected = select(asked, nodeKind, undefined)
  const { found, failures } = await askAll(
    asked,
    selected.map(({ name }) => name),
    '',
  )
  const items = selected.flatMap((entry) => {
    const usage = found.get(entry.name)?.node
    return usage === undefined ? [] : [nodeMetrics(entry, usage)]
  })
  return listAnswer('NodeMetricsList', items, failures)
}

async function oneNode(asked: Asked, name: string): Promise<ApiResponse> {
  const entry = asked.cache().of(nodeKind).get(name)
  if (entry === undefined) throw notFound({ group, plural: 'nodemetrics' }, name)
  const { node } = await askStats(asked, name, '')
  return jsonResponse(200, JSON.stringify({ kind: 'NodeMetrics', apiVersion, ...nodeMetrics(entry, node) }))
}

function select(
  { cache, request: { query } }: Asked,
  kind: typeof containerKind | typeof nodeKind,
  namespace: string | undefined,
): Entry[] {
  const labelSelector: LabelSelector = parseLabelSelector(query.get('labelSelector') ?? '')
  const fieldSelector = parseFieldSelector(query.get('fieldSelector') ?? '')
  const filter: Filter = { labelSelector, fieldSelector, ...(namespace !== undefined && { namespace }) }
  return cache().of(kind).select(filter)
}

interface Answers {
  readonly found: ReadonlyMap<string, NodeUsages>
  readonly failures: readonly StatusError[]
}

/** All at once. Throws the first failure when nobody has answered. */
async function askAll(
  asked: Asked,
  names: readonly string[],
  namespace: string | undefined,
): Promise<Answers> {
  const found = new Map<string, NodeUsages>()
  const failures: StatusError[] = []
  const ask = async (name: string) => {
    try {
      found.set(name, await askStats(asked, name, namespace))
    } catch (error) {
      asked.request.signal.throwIfAborted()
      failures.push(error instanceof StatusError ? error : unknownFailure(name, error))
    }
  }
  await Promise.all(names.map(ask))
  const [first] = failures
  if (first !== undefined && found.size === 0) throw first
  return { found, failures }
}

function unknownFailure(node: string, cause: unknown): StatusError {
  return new StatusError('InternalError', `node "${node}": ${messageOf(cause)}`, {}, { cause })
}

/** `namespace`: of whose Containers; empty: of none, absent: of all. */
async function askStats(asked: Asked, name: string, namespace: string | undefined): Promise<NodeUsages> {
  const query = new URLSearchParams(namespace === undefined ? {} : { namespace })
  const question = { method: 'GET', path: '/stats', query }
  return decodeNodeUsages(await askJson(asked.reachNode(name), question, asking(asked)))
}

function asking({ clock, request: { signal } }: Asked) {
  return { clock, signal, within: answerWithin }
}

function podMetrics(entry: Entry, usage: Usage) {
  return {
    metadata: metadataOf(entry, usage),
    ...when(usage),
    containers: [{ name: entry.name, usage: { ...quantities(usage), ...more(usage) } }],
  }
}

function nodeMetrics(entry: Entry, usage: NodeUsage) {
  return { metadata: metadataOf(entry, usage), ...when(usage), usage: quantities(usage) }
}

function metadataOf({ name, namespace, labels }: Entry, { time }: NodeUsage) {
  const creationTimestamp = `${time.slice(0, 19)}Z`
  const hasLabels = Object.keys(labels).length > 0
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    creationTimestamp,
    ...(hasLabels && { labels }),
  }
}

function when({ time, windowMs }: NodeUsage) {
  return { timestamp: `${time.slice(0, 19)}Z`, window: `${Math.round(windowMs)}ms` }
}

function quantities({ cpu, memoryBytes }: NodeUsage) {
  return { cpu: `${Math.round(cpu * 1e9)}n`, memory: String(Math.round(memoryBytes)) }
}

/** What `docker stats` shows besides; kubectl leaves alone what it does not know. */
function more(usage: Usage) {
  return {
    'cove.run/memory-limit': String(usage.memoryLimitBytes),
    'cove.run/network-received': String(usage.networkReceivedBytes),
    'cove.run/network-sent': String(usage.networkSentBytes),
    'cove.run/block-read': String(usage.blockReadBytes),
    'cove.run/block-written': String(usage.blockWrittenBytes),
    'cove.run/pids': String(usage.pids),
  }
}

function listAnswer(kind: string, items: readonly object[], failures: readonly StatusError[]): ApiResponse {
  const body = JSON.stringify({ kind, apiVersion, metadata: {}, items })
  return jsonResponse(
    200,
    body,
    failures.map(({ message }) => message),
  )
}
