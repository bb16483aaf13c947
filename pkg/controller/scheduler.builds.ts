/**
 * Which node makes a Build: one, for good as long as it is there. A Build whose Dockerfile names the image of another
 * Build goes beside that one, where the image is; else where a Container waits for it. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import { dockerfileInObject, namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Node } from '#pkg/apis/node.ts'
import { nodeFinalizer } from '#pkg/apis/wellknown.ts'
import { parseDockerfile } from '#pkg/build/dockerfile/parse.ts'
import { externalImages } from '#pkg/build/dockerfile/stages.ts'
import { available, selects, whyClosed } from './scheduler.fit.ts'

export interface BuildSurroundings {
  readonly nodes: readonly Node[]
  /** Names of the nodes whose Containers follow its image. */
  readonly followers: ReadonlySet<string>
  /** Builds whose images it is made from, with the nodes that make them. */
  readonly bases: readonly { readonly name: string; readonly node: string }[]
  /** Containers and Builds on a node, by its name. */
  readonly load: (node: string) => number
}

/** Where it is to be made; `chosen` when nobody has said so yet. Or why it is nowhere yet. */
export type BuildHome =
  | { readonly node: string; readonly cause: string; readonly chosen: boolean }
  | { readonly message: string }

/** Of a Build that is not being deleted. */
export function homeOfBuild(build: Build, around: BuildSurroundings): BuildHome {
  const { nodeName } = build.spec
  if (nodeName !== undefined && !lostIts(nodeName, build, around))
    return { node: nodeName, cause: `spec.nodeName is ${nodeName}`, chosen: false }
  // Nodes that its author names by their labels are meant, whatever keeps others away.
  const { nodeSelector } = build.spec
  const [only, another] = around.nodes
  if (only !== undefined && another === undefined && selects(nodeSelector, only))
    return { node: only.metadata.name, cause: 'it is the only node', chosen: true }
  const tolerations = Object.keys(nodeSelector).length === 0 ? [] : [{ operator: 'Exists' as const }]
  const fitting = available(around.nodes, (node) => {
    const closed = whyClosed('Build', { tolerations, nodeSelector }, node)
    return closed === undefined ? [] : [closed]
  })
  return 'message' in fitting ? fitting : bestOf(fitting.nodes, around)
}

/** The node had it, and its Node is there no longer. A node that is named before it joins is waited for. */
function lostIts(node: string, { metadata }: Build, { nodes }: BuildSurroundings): boolean {
  const held = metadata.finalizers?.includes(nodeFinalizer(node)) === true
  return held && !nodes.some((each) => each.metadata.name === node)
}

function bestOf(nodes: readonly Node[], { bases, followers, load }: BuildSurroundings): BuildHome {
  const names = nodes.map(({ metadata }) => metadata.name)
  const base = bases.find(({ node }) => names.includes(node))
  if (base !== undefined)
    return {
      node: base.node,
      cause: `Build ${base.name}, whose image it is made from, is there`,
      chosen: true,
    }
  const follower = names.find((name) => followers.has(name))
  if (follower !== undefined)
    return { node: follower, cause: 'a Container there follows its image', chosen: true }
  const [node = ''] = names.toSorted((a, b) => load(a) - load(b) || (a < b ? -1 : 1))
  const cause =
    names.length === 1
      ? 'it is the only node that fits'
      : 'it has the fewest Containers and Builds of the nodes that fit'
  return { node, cause, chosen: true }
}

/** Whose images each Build is made from, by its key: keys of others. */
export type BuildBases = ReadonlyMap<string, readonly string[]>

/** What the Dockerfile is made from, as far as the object has it: the node alone knows one that comes with the context. */
export function imagesOfBuild({ spec }: Build): readonly string[] {
  const { args, target, platform } = spec
  const text = dockerfileInObject(spec)
  if (text === undefined) return []
  const building = {
    args,
    ...(target !== undefined && { target }),
    ...(platform !== undefined && { platform }),
  }
  return externalImages(parseDockerfile(text).dockerfile, building).map(({ reference }) => reference)
}

/** `imagesOf`: references of what its Dockerfile is made from, as far as that is known. */
export function basesOfBuilds(
  builds: ReadonlyMap<string, Build>,
  imagesOf: (build: Build) => readonly string[],
): BuildBases {
  const makers = new Map<string, string>()
  for (const [key, build] of builds)
    for (const name of namesOfBuild(build).map(canonical)) if (!makers.has(name)) makers.set(name, key)
  const basesOf = (key: string, build: Build) =>
    imagesOf(build).flatMap((image) => {
      const maker = makers.get(canonical(image))
      return maker === undefined || maker === key ? [] : [maker]
    })
  return new Map([...builds].map(([key, build]) => [key, basesOf(key, build)]))
}

function canonical(text: string): string {
  const parsed = parseReference(text)
  return parsed.ok ? canonicalReference(parsed.reference) : text
}

/** Builds in such an order that those whose images others are made from come first; a circle is begun anywhere. */
export function basesFirst(builds: ReadonlyMap<string, Build>, bases: BuildBases): Build[] {
  const sorted = new Map<string, Build>()
  const begun = new Set<string>()
  const visit = (key: string): void => {
    const build = builds.get(key)
    if (build === undefined || begun.has(key)) return
    begun.add(key)
    for (const base of bases.get(key) ?? []) visit(base)
    sorted.set(objectKey(build.metadata), build)
  }
  for (const key of builds.keys()) visit(key)
  return [...sorted.values()]
}
