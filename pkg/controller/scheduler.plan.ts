/**
 * Placement: which node holds what. A Container goes to one node, a Volume to the node of the Container that
 * mounts it first, a Network to every node with a Container that joins it, an Image to its lead and wherever it is
 * wanted (scheduler.images.ts), a Build to the node that makes it (scheduler.builds.ts), and there it stays. Placing
 * writes the node's name, or where there may be several of them their labels, and the node's finalizer, so that the
 * object stays until that node has cleaned up. Pure.
 */
import { type KubeObject, objectKey } from '#pkg/apimachinery/meta.ts'
import { engineNetworks } from '#pkg/apis/build.references.ts'
import type { Build } from '#pkg/apis/build.ts'
import { sharedNetworkOf } from '#pkg/apis/container.network.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { Network } from '#pkg/apis/network.ts'
import type { Node } from '#pkg/apis/node.ts'
import type { Volume } from '#pkg/apis/volume.ts'
import { nodeFinalizer, nodeLabel, nodeOfFinalizer } from '#pkg/apis/wellknown.ts'
import { type Plan, PlanBuilder } from '#pkg/plan/plan.ts'
import { type BuildBases, basesFirst, homeOfBuild } from './scheduler.builds.ts'
import {
  aversion,
  type Companion,
  filterNodes,
  keyBeside,
  type Room,
  roomOf,
  takeRoom,
} from './scheduler.fit.ts'
import { homeOfImage } from './scheduler.images.ts'

export interface Placeable {
  readonly containers: ReadonlyMap<string, Container>
  readonly volumes: ReadonlyMap<string, Volume>
  readonly networks: ReadonlyMap<string, Network>
  readonly images: ReadonlyMap<string, Image>
  readonly builds: ReadonlyMap<string, Build>
  readonly buildBases: BuildBases
  readonly nodes: readonly Node[]
}

/** One API call: the object's finalizers, and its node where it gets one. */
export interface PlaceOp {
  readonly type: 'place'
  readonly kind: 'Container' | 'Volume' | 'Network' | 'Image' | 'Build'
  readonly object: { readonly namespace: string; readonly name: string; readonly resourceVersion: string }
  readonly finalizers: readonly string[]
  readonly nodeName?: string
  /** Labels of nodes to put on, or with null to take off. */
  readonly labels?: Readonly<Record<string, '' | null>>
}

/** An object that no node takes, and how many nodes each filter turned away. */
export interface Unplaced {
  readonly object: Container | Volume | Network | Image | Build
  readonly message: string
}

export function describePlaceOp(op: PlaceOp): string {
  const where = op.nodeName === undefined ? '' : ` on node ${op.nodeName}`
  return `place ${op.kind} ${op.object.namespace}/${op.object.name}${where}`
}

export function planPlacement(state: Placeable): {
  readonly plan: Plan<PlaceOp>
  readonly unplaced: readonly Unplaced[]
} {
  const ops: Plan<PlaceOp>['ops'][number][] = []
  const unplaced: Unplaced[] = []
  const load = loadOf(state)
  const chosen = homesOf(state)
  const { joined, followed } = usedOf(state)
  const room = roomOf(state.nodes, state.containers.values())
  const placed = new Map<string, string>()
  const buildNodes = new Map<string, string>()
  const choosing = { load, chosen, joined, followed, room, placed, buildNodes }
  const note = (object: Unplaced['object'], found: Placed) => {
    if ('message' in found) unplaced.push({ object, message: found.message })
    else ops.push(...found.plan.ops)
  }
  for (const container of independentFirst(state.containers.values()))
    note(container, placeContainer(container, state, choosing))
  for (const volume of state.volumes.values()) note(volume, placeVolume(volume, state, chosen))
  for (const network of state.networks.values()) note(network, placeNetwork(network, state, joined))
  for (const image of state.images.values()) note(image, placeImage(image, state, choosing))
  for (const build of basesFirst(state.builds, state.buildBases))
    note(build, placeBuild(build, state, choosing))
  return { plan: { ops }, unplaced }
}

type Placed = { readonly plan: Plan<PlaceOp> } | { readonly message: string }

interface Choosing {
  /** Containers and Builds per node, those placed in this pass included. */
  readonly load: Map<string, number>
  /** Where Volumes belong because of a Container that mounts them, by key: their other users follow. */
  readonly chosen: Map<string, Home>
  /** Nodes with Containers that join a Network, and with Builds whose steps do, by its key. */
  readonly joined: Map<string, Set<string>>
  /** Nodes with Containers that follow an Image, by its key. */
  readonly followed: Map<string, Set<string>>
  /** What is left of each node, by its name. */
  readonly room: Map<string, Room>
  /** Nodes of Containers that are placed in this pass, by key. */
  readonly placed: Map<string, string>
  /** Nodes of the Builds that were looked at in this pass, by key. */
  readonly buildNodes: Map<string, string>
}

interface Home {
  readonly node: string
  /** The name of the Container. */
  readonly because: string
}

function placeContainer(container: Container, state: Placeable, choosing: Choosing): Placed {
  const { nodeName } = container.spec
  if (nodeName !== undefined)
    return place('Container', container, [nodeName], { cause: `spec.nodeName is ${nodeName}`, state })
  if (container.metadata.deletionTimestamp !== undefined) return { plan: { ops: [] } }
  const companions = companionsOf(container, state, choosing)
  if ('message' in companions) return companions
  const data = volumeKeys(container).flatMap(
    (key) => state.volumes.get(key)?.spec.nodeName ?? choosing.chosen.get(key)?.node ?? [],
  )
  const bonds = { data, companions, room: choosing.room }
  const candidates = filterNodes(container, state.nodes, bonds)
  if ('message' in candidates) return candidates
  const [found] = candidates.nodes.toSorted((a, b) => byFitness(container, a, b, choosing))
  if (found === undefined) return { message: 'no node is registered' }
  const best = found.metadata.name
  choosing.load.set(best, loadOn(best, choosing) + 1)
  choosing.placed.set(objectKey(container.metadata), best)
  takeRoom(container, best, choosing.room)
  claimVolumes(container, best, choosing.chosen)
  useShared(container, best, choosing)
  const cause =
    candidates.nodes.length === 1
      ? 'it is the only node that fits'
      : 'it has the fewest Containers of the nodes that fit'
  return place('Container', container, [best], { cause, state, nodeName: best })
}

/** Where the Containers are that it has to be beside; a message while one of them is on no node. */
function companionsOf(
  container: Container,
  { containers }: Placeable,
  { placed }: Choosing,
): readonly Companion[] | { readonly message: string } {
  const found: Companion[] = []
  for (const { name, why } of besideWhom(container)) {
    const key = keyBeside(container, name)
    const object = containers.get(key)
    const node = object?.spec.nodeName ?? placed.get(key)
    if (node === undefined) {
      const what = object === undefined ? '' : 'a node of '
      return { message: `waits for ${what}Container ${name}, ${why}` }
    }
    found.push({ name, why, node })
  }
  return found
}

function besideWhom({ spec }: Container): Omit<Companion, 'node'>[] {
  const shared = sharedNetworkOf(spec)
  return [
    ...(shared === undefined ? [] : [{ name: shared, why: 'whose network it shares' }]),
    ...(spec.links ?? []).map(({ container: name }) => ({ name, why: 'to which it links' })),
  ]
}

/** Whoever has to be beside another one is placed after those who need nobody. */
function independentFirst(containers: Iterable<Container>): Container[] {
  const needs = (container: Container) => (besideWhom(container).length === 0 ? 0 : 1)
  return [...containers].sort((a, b) => needs(a) - needs(b))
}

function byFitness(container: Container, a: Node, b: Node, choosing: Choosing): number {
  const [one, other] = [a.metadata.name, b.metadata.name]
  return (
    aversion(container, a) - aversion(container, b) ||
    loadOn(one, choosing) - loadOn(other, choosing) ||
    compareNames(one, other)
  )
}

function placeVolume(volume: Volume, state: Placeable, chosen: ReadonlyMap<string, Home>): Placed {
  const { nodeName } = volume.spec
  if (nodeName !== undefined)
    return place('Volume', volume, [nodeName], { cause: `spec.nodeName is ${nodeName}`, state })
  if (volume.metadata.deletionTimestamp !== undefined) return { plan: { ops: [] } }
  const home = chosen.get(objectKey(volume.metadata))
  const target = home?.node ?? onlyNode(state)
  if (target === undefined) return { message: 'waits for the first Container that mounts it' }
  const cause = home === undefined ? 'it is the only node' : `Container ${home.because} mounts it there`
  return place('Volume', volume, [target], { cause, state, nodeName: target })
}

/** Nothing takes it off a node but its deletion: Containers come and go. */
function placeNetwork(network: Network, state: Placeable, joined: ReadonlyMap<string, Set<string>>): Placed {
  const { deletionTimestamp, finalizers = [] } = network.metadata
  if (deletionTimestamp !== undefined)
    return place('Network', network, [], { cause: 'it is being deleted', state, labelled: true })
  const only = onlyNode(state)
  const users = joined.get(objectKey(network.metadata)) ?? new Set()
  const names = state.nodes
    .map(({ metadata }) => metadata.name)
    .filter((name) => name === only || users.has(name))
  if (names.length === 0 && !finalizers.some((finalizer) => nodeOfFinalizer(finalizer) !== undefined))
    return { message: 'waits for the first Container that joins it' }
  const cause = only === undefined ? 'Containers of its nodes join it' : 'it is the only node'
  return place('Network', network, names, { cause, state, labelled: true })
}

function placeImage(image: Image, state: Placeable, choosing: Choosing): Placed {
  const { metadata, spec } = image
  if (metadata.deletionTimestamp !== undefined)
    return place('Image', image, [], { cause: 'it is being deleted', state, labelled: true })
  const { namespace = 'default' } = metadata
  const containerNamed = (name: string) => {
    const key = objectKey({ namespace, name })
    const object = state.containers.get(key)
    const node = object?.spec.nodeName ?? choosing.placed.get(key)
    return object && { ...(node !== undefined && { node }) }
  }
  const home = homeOfImage(image, {
    nodes: state.nodes,
    followers: choosing.followed.get(objectKey({ namespace, name: metadata.name })) ?? new Set(),
    containerNamed,
    load: (node) => loadOn(node, choosing),
  })
  if ('message' in home) return home
  const { cause, lead } = home
  const named = lead !== undefined && lead !== spec.nodeName && { nodeName: lead }
  return place('Image', image, home.nodes, { cause, state, labelled: true, ...named })
}

function placeBuild(build: Build, state: Placeable, choosing: Choosing): Placed {
  const { metadata, spec } = build
  if (metadata.deletionTimestamp !== undefined)
    return place('Build', build, spec.nodeName === undefined ? [] : [spec.nodeName], {
      cause: 'it is being deleted',
      state,
      alone: true,
    })
  const key = objectKey({ namespace: metadata.namespace ?? 'default', name: metadata.name })
  const bases = (state.buildBases.get(key) ?? []).flatMap((base) => {
    const node = choosing.buildNodes.get(base)
    return node === undefined ? [] : [{ name: base, node }]
  })
  const home = homeOfBuild(build, {
    nodes: state.nodes,
    followers: choosing.followed.get(key) ?? new Set(),
    bases,
    load: (node) => loadOn(node, choosing),
  })
  if ('message' in home) return home
  const { node, cause, chosen } = home
  choosing.buildNodes.set(key, node)
  if (chosen) choosing.load.set(node, loadOn(node, choosing) + 1)
  // A node that is named before it joins holds nothing yet. What another one has left of earlier builds pruning takes.
  const holders = state.nodes.some((each) => each.metadata.name === node) ? [node] : []
  return place('Build', build, holders, { cause, state, alone: true, ...(chosen && { nodeName: node }) })
}

interface Why {
  readonly cause: string
  readonly state: Placeable
  readonly nodeName?: string
  /** Whether its nodes find it by their labels. */
  readonly labelled?: true
  /** Whether no other node has anything to clean up any more. */
  readonly alone?: true
}

/** The write that puts the object on the nodes, if it is not there already; nothing is added to what is being deleted. */
function place(kind: PlaceOp['kind'], object: KubeObject, nodes: readonly string[], why: Why): Placed {
  const { namespace = 'default', name, resourceVersion = '', finalizers = [] } = object.metadata
  const known = new Set(why.state.nodes.map(({ metadata }) => metadata.name))
  const kept = finalizers.filter((finalizer) => {
    const node = nodeOfFinalizer(finalizer)
    if (node === undefined) return true
    return known.has(node) && (why.alone !== true || nodes.includes(node))
  })
  const wanted = object.metadata.deletionTimestamp === undefined ? nodes.map(nodeFinalizer) : []
  const next = [...new Set([...kept, ...wanted])]
  const labels = why.labelled === true ? labelsFor(object, next) : {}
  const finalized = next.length === finalizers.length && next.every((each) => finalizers.includes(each))
  if (finalized && Object.keys(labels).length === 0 && why.nodeName === undefined)
    return { plan: { ops: [] } }
  const dropped = finalizers.filter((finalizer) => !kept.includes(finalizer))
  const cause =
    dropped.length === 0 || why.alone === true
      ? why.cause
      : `no Node stands behind ${dropped.join(', ')} any more`
  const op: PlaceOp = {
    type: 'place',
    kind,
    object: { namespace, name, resourceVersion },
    finalizers: next,
    ...(why.nodeName !== undefined && { nodeName: why.nodeName }),
    ...(Object.keys(labels).length > 0 && { labels }),
  }
  return { plan: new PlanBuilder<PlaceOp>(`${kind}/${namespace}/${name}`).add(op, cause).build() }
}

/** What makes the labels of nodes agree with their finalizers. */
function labelsFor({ metadata }: KubeObject, finalizers: readonly string[]): Record<string, '' | null> {
  const wanted = finalizers.flatMap((finalizer) => nodeOfFinalizer(finalizer) ?? []).map(nodeLabel)
  const found = Object.keys(metadata.labels ?? {}).filter((label) => nodeOfFinalizer(label) !== undefined)
  return Object.fromEntries([
    ...wanted.filter((label) => !found.includes(label)).map((label) => [label, ''] as const),
    ...found.filter((label) => !wanted.includes(label)).map((label) => [label, null] as const),
  ])
}

function volumeKeys({ metadata, spec }: Container): string[] {
  const { namespace = 'default' } = metadata
  return spec.mounts.flatMap(({ volume: name }) => (name === undefined ? [] : objectKey({ namespace, name })))
}

/** The Containers that are placed already say where their Volumes belong. */
function homesOf({ containers }: Placeable): Map<string, Home> {
  const homes = new Map<string, Home>()
  for (const container of containers.values()) {
    if (container.spec.nodeName !== undefined) claimVolumes(container, container.spec.nodeName, homes)
  }
  return homes
}

function claimVolumes(container: Container, node: string, homes: Map<string, Home>): void {
  for (const key of volumeKeys(container)) {
    if (!homes.has(key)) homes.set(key, { node, because: container.metadata.name })
  }
}

type Used = Pick<Choosing, 'joined' | 'followed'>

function usedOf({ containers, builds }: Placeable): Used {
  const used: Used = { joined: new Map(), followed: new Map() }
  for (const container of containers.values()) {
    const { nodeName } = container.spec
    if (nodeName !== undefined) useShared(container, nodeName, used)
  }
  for (const { metadata, spec } of builds.values()) {
    const { nodeName, network } = spec
    if (nodeName === undefined || metadata.deletionTimestamp !== undefined) continue
    if (network === undefined || engineNetworks.has(network)) continue
    addNode(used.joined, objectKey({ namespace: metadata.namespace ?? 'default', name: network }), nodeName)
  }
  return used
}

/** One that is being deleted joins and follows nothing any more. */
function useShared(container: Container, node: string, { joined, followed }: Used): void {
  const { metadata, spec } = container
  if (metadata.deletionTimestamp !== undefined) return
  const { namespace = 'default' } = metadata
  for (const { name } of spec.networks) addNode(joined, objectKey({ namespace, name }), node)
  const image = followedImage(container)
  if (image !== undefined) addNode(followed, image, node)
}

function addNode(users: Map<string, Set<string>>, key: string, node: string): void {
  const nodes = users.get(key)
  if (nodes === undefined) users.set(key, new Set([node]))
  else nodes.add(node)
}

function loadOf({ containers, builds }: Placeable): Map<string, number> {
  const placed = [...containers.values(), ...builds.values()].flatMap(({ spec }) => spec.nodeName ?? [])
  return new Map([...Map.groupBy(placed, (name) => name)].map(([name, all]) => [name, all.length]))
}

function loadOn(node: string, { load }: Choosing): number {
  return load.get(node) ?? 0
}

function onlyNode({ nodes }: Placeable): string | undefined {
  return nodes.length === 1 ? nodes[0]?.metadata.name : undefined
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : 1
}
