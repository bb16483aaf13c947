/**
 * What nodes tell of containers when they are asked, beside the status that is stored: the answers of the subresources
 * `top`, `stats`, `changes`, `ports` and `commit` of a Container and `containers` of a Node. Who reads one decodes it
 * here: it comes from another machine.
 */
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { amount, array, number, object, text, texts, when } from './border.ts'

/** What a running container uses: rates over the window that ends at `time`, amounts at that time, sums since its start. */
export interface Usage {
  readonly time: string
  readonly windowMs: number
  /** Cores. */
  readonly cpu: number
  readonly memoryBytes: number
  readonly memoryLimitBytes: number
  readonly networkReceivedBytes: number
  readonly networkSentBytes: number
  readonly blockReadBytes: number
  readonly blockWrittenBytes: number
  readonly pids: number
}

export interface ContainerUsage {
  readonly namespace: string
  readonly name: string
  readonly usage: Usage
}

/** Of a whole machine. */
export type NodeUsage = Pick<Usage, 'time' | 'windowMs' | 'cpu' | 'memoryBytes'>

/** The running Containers of one node, and the node itself. */
export interface NodeUsages {
  readonly node: NodeUsage
  readonly items: readonly ContainerUsage[]
}

export interface Processes {
  readonly titles: readonly string[]
  readonly processes: readonly (readonly string[])[]
}

export interface Change {
  readonly path: string
  readonly kind: string
}

/** A port as an engine publishes it: one for each address. */
export interface PublishedPort {
  readonly containerPort: number
  readonly protocol: string
  /** Absent: it is not published. */
  readonly hostPort?: number
  readonly hostIP?: string
}

/** Whose a container on an engine is. */
export interface Owner {
  /** `Nobody` in particular made it, or nobody who says so. */
  readonly type: 'Container' | 'OtherCluster' | 'ComposeProject' | 'SwarmService' | 'KubernetesPod' | 'Nobody'
  /** Of a Container, or of a Pod. */
  readonly namespace?: string
  readonly name?: string
}

/** A container of a node's engine, whoever made it. */
export interface NodeContainer {
  readonly id: string
  readonly name: string
  readonly image: string
  readonly command: string
  readonly createdAt: string
  readonly state: string
  /** `Up 2 minutes (healthy)`, `Exited (7) 3 seconds ago`. */
  readonly status: string
  /** Empty: nothing is known of its health. */
  readonly health: string
  readonly ports: readonly PublishedPort[]
  readonly owner: Owner
}

/** A container that is nobody's of this API, and the manifests that would take it over. */
export interface Adoptable {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly owner: Owner
  /** What the Container needs comes first. */
  readonly manifests: readonly KubeObject[]
  /** What will be otherwise, or cannot be said. */
  readonly notes: readonly string[]
}

/** They are told in billionths, which must not run over. */
const mostCores = 1e6

export function decodeUsage(value: unknown): Usage {
  const from = object(value)
  return {
    time: when(from['time']),
    windowMs: amount(from['windowMs']),
    cpu: amount(from['cpu'], mostCores),
    memoryBytes: amount(from['memoryBytes']),
    memoryLimitBytes: amount(from['memoryLimitBytes']),
    networkReceivedBytes: amount(from['networkReceivedBytes']),
    networkSentBytes: amount(from['networkSentBytes']),
    blockReadBytes: amount(from['blockReadBytes']),
    blockWrittenBytes: amount(from['blockWrittenBytes']),
    pids: amount(from['pids']),
  }
}

export function decodeNodeUsages(value: unknown): NodeUsages {
  const { node, items } = object(value)
  const { time, windowMs, cpu, memoryBytes } = object(node)
  return {
    node: {
      time: when(time),
      windowMs: amount(windowMs),
      cpu: amount(cpu, mostCores),
      memoryBytes: amount(memoryBytes),
    },
    items: array(items).map((item) => {
      const { namespace, name, usage } = object(item)
      return { namespace: text(namespace), name: text(name), usage: decodeUsage(usage) }
    }),
  }
}

export function decodeProcesses(value: unknown): Processes {
  const { titles, processes } = object(value)
  return { titles: array(titles).map(text), processes: array(processes).map((row) => array(row).map(text)) }
}

export function decodeChanges(value: unknown): readonly Change[] {
  return array(object(value)['items']).map((item) => {
    const { path, kind } = object(item)
    return { path: text(path), kind: text(kind) }
  })
}

export function decodePorts(value: unknown): readonly PublishedPort[] {
  return array(object(value)['items']).map(decodePort)
}

export function decodeNodeContainers(value: unknown): readonly NodeContainer[] {
  return array(object(value)['items']).map((item) => {
    const from = object(item)
    return {
      id: text(from['id']),
      name: text(from['name']),
      image: text(from['image']),
      command: text(from['command']),
      createdAt: text(from['createdAt']),
      state: text(from['state']),
      status: text(from['status']),
      health: text(from['health']),
      ports: array(from['ports']).map(decodePort),
      owner: decodeOwner(from['owner']),
    }
  })
}

export function decodeAdoptables(value: unknown): readonly Adoptable[] {
  return array(object(value)['items']).map((item) => {
    const { id, name, state, owner, manifests, notes } = object(item)
    return {
      id: text(id),
      name: text(name),
      state: text(state),
      owner: decodeOwner(owner),
      // Checked as every manifest is before anything is done with it.
      manifests: array(manifests).map((manifest) => object(manifest) as unknown as KubeObject),
      notes: array(notes).map(text),
    }
  })
}

export interface Committed {
  /** The id of the image that was made. */
  readonly image: string
  /** Where something is mounted, which is not in it. */
  readonly skipped: readonly string[]
}

export function decodeCommit(value: unknown): Committed {
  const { image, skipped } = object(value)
  return { image: text(image), skipped: texts(skipped) }
}

function decodePort(value: unknown): PublishedPort {
  const { containerPort, protocol, hostPort, hostIP } = object(value)
  return {
    containerPort: number(containerPort),
    protocol: text(protocol),
    ...(hostPort !== undefined && { hostPort: number(hostPort) }),
    ...(hostIP !== undefined && { hostIP: text(hostIP) }),
  }
}

const owners = ['Container', 'OtherCluster', 'ComposeProject', 'SwarmService', 'KubernetesPod'] as const

export function decodeOwner(value: unknown): Owner {
  const { type, namespace, name } = object(value)
  return {
    type: owners.find((known) => known === type) ?? 'Nobody',
    ...(namespace !== undefined && { namespace: text(namespace) }),
    ...(name !== undefined && { name: text(name) }),
  }
}
