import type { Image } from '#pkg/apis/image.ts'
import type { Node } from '#pkg/apis/node.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { available, selects, whyClosed } from './scheduler.fit.ts'

export interface ImageSurroundings {
  readonly nodes: readonly Node[]
  /** Names of the nodes whose Containers follow the Image. */
  readonly followers: ReadonlySet<string>
  /** The Container beside it of that name; its node is absent while it has none. */
  readonly containerNamed: (name: string) => { readonly node?: string } | undefined
  /** Containers on a node, by its name. */
  readonly load: (node: string) => number
}

export interface ImageHome {
  /** A new one; absent: it has one. */
  readonly lead?: string
  /** Names of all nodes that are to hold it. */
  readonly nodes: readonly string[]
  readonly cause: string
}

/** Of an Image that is not being deleted: where it is to be, or why it is nowhere yet. */
export function homeOfImage(
  image: Image,
  around: ImageSurroundings,
): ImageHome | { readonly message: string } {
  const { nodeName } = image.spec
  if (nodeName !== undefined && !lostIts(nodeName, image, around))
    return { nodes: holdersOf(image, around, nodeName), cause: `spec.nodeName is ${nodeName}` }
  const found = chooseLead(image, around)
  if ('lead' in found) return { ...found, nodes: holdersOf(image, around, found.lead) }
  if (nodeName === undefined) return found
  // It goes on without a lead, with whoever has it.
  return { nodes: holdersOf(image, around, nodeName), cause: `its lead ${nodeName} is gone` }
}

/** The lead held it, and its Node is there no longer. A node that is named before it joins is waited for. */
function lostIts(lead: string, { metadata }: Image, { nodes }: ImageSurroundings): boolean {
  const held = metadata.finalizers?.includes(nodeFinalizer(lead)) === true
  return held && !nodes.some((node) => node.metadata.name === lead)
}

function chooseLead(
  image: Image,
  around: ImageSurroundings,
): { readonly lead: string; readonly cause: string } | { readonly message: string } {
  const { source, nodeSelector } = image.spec
  if (source?.commit !== undefined) return beside(source.commit.container, around)
  const [follower] = known(around.nodes, (name) => around.followers.has(name))
  if (follower !== undefined) return { lead: follower, cause: 'a Container there follows it' }
  const [only, another] = around.nodes
  if (only !== undefined && another === undefined && selects(nodeSelector ?? {}, only))
    return { lead: only.metadata.name, cause: 'it is the only node' }
  // Nodes that its author names by their labels are meant, whatever keeps others away.
  const tolerations = nodeSelector === undefined ? [] : [{ operator: 'Exists' as const }]
  const choosy = { tolerations, nodeSelector: nodeSelector ?? {} }
  const fitting = available(around.nodes, (node) => {
    const closed = whyClosed('Image', choosy, node)
    return closed === undefined ? [] : [closed]
  })
  return 'message' in fitting ? fitting : leastLoaded(fitting.nodes, around)
}

function beside(name: string, { containerNamed }: ImageSurroundings) {
  const container = containerNamed(name)
  if (container === undefined) return { message: `waits for Container ${name}, of which it is made` }
  const { node } = container
  if (node === undefined) return { message: `waits for a node of Container ${name}, of which it is made` }
  return { lead: node, cause: `Container ${name}, of which it is made, is there` }
}

function leastLoaded(nodes: readonly Node[], { load }: ImageSurroundings) {
  const names = nodes.map(({ metadata }) => metadata.name)
  const [lead = ''] = names.toSorted((a, b) => load(a) - load(b) || (a < b ? -1 : 1))
  const cause =
    names.length === 1
      ? 'it is the only node that fits'
      : 'it has the fewest Containers of the nodes that fit'
  return { lead, cause }
}

/** Of nodes that are there. */
function holdersOf({ spec }: Image, { nodes, followers }: ImageSurroundings, lead: string): string[] {
  const { nodeSelector } = spec
  const selected = nodes.filter((node) => nodeSelector !== undefined && selects(nodeSelector, node))
  const names = new Set(selected.map(({ metadata }) => metadata.name))
  return known(nodes, (name) => name === lead || followers.has(name) || names.has(name))
}

function known(nodes: readonly Node[], test: (name: string) => boolean): string[] {
  return nodes.map(({ metadata }) => metadata.name).filter(test)
}
