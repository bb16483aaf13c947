/**
 * Which nodes can take a Container: every filter says of how many nodes it is the reason, in Kubernetes' words, so that
 * a Container that waits can tell why. Pure.
 */
import { findCondition, objectKey } from '#pkg/apimachinery/meta.ts'
import { parseQuantity } from '#pkg/apimachinery/quantity.ts'
import { hasEndedForGood } from '#pkg/apis/container.finished.ts'
import type { Container } from '#pkg/apis/container.ts'
import { type Taint, tolerates } from '#pkg/apis/node.taints.ts'
import type { Node } from '#pkg/apis/node.ts'

/** Cores and bytes. */
export interface Room {
  readonly cpu: number
  readonly memory: number
}

/** A Container that it has to be beside. */
export interface Companion {
  readonly name: string
  /** Completes its name: `whose network it shares`. */
  readonly why: string
  readonly node: string
}

/** What else decides where a Container can go. */
export interface Bonds {
  /** Nodes that hold its data. */
  readonly data: readonly string[]
  readonly companions: readonly Companion[]
  /** What is left of each node, by name. */
  readonly room: ReadonlyMap<string, Room>
}

/** Nodes that fit, the best first as far as taints go; or why none does. */
export function filterNodes(
  container: Container,
  nodes: readonly Node[],
  bonds: Bonds,
): { readonly nodes: readonly Node[] } | { readonly message: string } {
  return available(nodes, (node) => whyNot(container, node, bonds))
}

/** Nodes about which nothing is said; or what is said of how many of them. */
export function available(
  nodes: readonly Node[],
  whyNotThere: (node: Node) => readonly string[],
): { readonly nodes: readonly Node[] } | { readonly message: string } {
  const reasons = new Map<string, number>()
  const fitting = nodes.filter((node) => {
    const failed = whyNotThere(node)
    for (const reason of failed) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
    return failed.length === 0
  })
  if (fitting.length > 0) return { nodes: fitting }
  const told = [...reasons].map(([reason, count]) => `${count} ${reason}`).sort()
  const why = nodes.length === 0 ? 'no node is registered' : told.join(', ')
  return { message: `0/${nodes.length} nodes are available: ${why}` }
}

/** How many of its taints would rather keep the Container away. */
export function aversion({ spec }: Container, node: Node): number {
  return untolerated(spec, taintsOf(node, 'PreferNoSchedule')).length
}

/** What an object says of the nodes that it can go to. */
export interface Choosy {
  readonly tolerations?: Container['spec']['tolerations']
  readonly nodeSelector: Readonly<Record<string, string>>
}

/** The first reason that an object of that kind cannot go to a node, apart from what is there; undefined: none. */
export function whyClosed(kind: string, choosy: Choosy, node: Node): string | undefined {
  if (findCondition(node.status?.conditions, 'Ready')?.status !== 'True') return 'node(s) were not ready'
  if (untolerated(choosy, cordonOf(node)).length > 0) return 'node(s) were unschedulable'
  const [taint] = untolerated(choosy, taintsOf(node, 'NoSchedule'))
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`
  if (!selects(choosy.nodeSelector, node)) return `node(s) didn't match ${kind}'s node affinity/selector`
  return undefined
}

/** Whether the node has all those labels. */
export function selects(selector: Readonly<Record<string, string>>, { metadata }: Node): boolean {
  return Object.entries(selector).every(([key, value]) => metadata.labels?.[key] === value)
}

/** What Containers have asked for of each node, taken from what it has; a node that did not say has no room. */
export function roomOf(nodes: readonly Node[], containers: Iterable<Container>): Map<string, Room> {
  const room = new Map(nodes.map(({ metadata, status }) => [metadata.name, capacityOf(status)] as const))
  for (const container of containers) {
    const { nodeName } = container.spec
    if (nodeName !== undefined && !hasEndedForGood(container)) takeRoom(container, nodeName, room)
  }
  return room
}

export function takeRoom(container: Container, node: string, room: Map<string, Room>): void {
  const left = room.get(node)
  if (left === undefined) return
  const { cpu, memory } = requestsOf(container)
  room.set(node, { cpu: left.cpu - cpu, memory: left.memory - memory })
}

function capacityOf(status: Node['status']): Room {
  const { cpu = 0, memory = 0 } = status?.allocatable ?? status?.capacity ?? {}
  return { cpu, memory }
}

function requestsOf({ spec }: Container): Room {
  const { cpu = 0, memory = 0 } = spec.resources?.requests ?? {}
  return { cpu: parseQuantity(cpu) ?? 0, memory: parseQuantity(memory) ?? 0 }
}

/** The first filter that refuses, with all it has to say. */
function whyNot(container: Container, node: Node, { data, companions, room }: Bonds): string[] {
  const { name } = node.metadata
  const closed = whyClosed('Container', container.spec, node)
  if (closed !== undefined) return [closed]
  if (!data.every((home) => home === name)) return ['node(s) had volume node affinity conflict']
  const missed = companions.find(({ node: home }) => home !== name)
  if (missed !== undefined) return [`node(s) didn't have Container ${missed.name}, ${missed.why}`]
  return shortOf(requestsOf(container), room.get(name))
}

function shortOf(wanted: Room, left: Room = { cpu: 0, memory: 0 }): string[] {
  // What adds up to the whole of a node in thousandths must fit into it in binary fractions too.
  const short = (['cpu', 'memory'] as const).filter(
    (key) => wanted[key] > 0 && wanted[key] > left[key] + 1e-9,
  )
  return short.map((key) => `Insufficient ${key}`)
}

/** Kubernetes lets a cordoned node be tolerated as if it had this taint. */
function cordonOf({ spec }: Node): Taint[] {
  return spec.unschedulable ? [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }] : []
}

function taintsOf({ spec }: Node, effect: Taint['effect']): Taint[] {
  return (spec.taints ?? []).filter((taint) => taint.effect === effect)
}

function untolerated({ tolerations = [] }: Pick<Choosy, 'tolerations'>, taints: readonly Taint[]): Taint[] {
  return taints.filter((taint) => !tolerations.some((each) => tolerates(each, taint)))
}

export function keyBeside({ metadata }: Container, name: string): string {
  return objectKey({ namespace: metadata.namespace ?? 'default', name })
}
