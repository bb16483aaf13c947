/**
 * What nodes may do: read and write what is theirs, and nothing else. What a node needs is Cove's business and no
 * administrator's, so it is a table; which object is whose, the index knows. Asked before RBAC, which may give nodes
 * more. What a node may change in what it may write: noderestriction.ts. Reasons are worded as Kubernetes words them.
 */
import type { UserInfo } from '#pkg/apimachinery/transport.ts'
import { isLoginSecretName, nodeLabel } from '#pkg/apis/wellknown.ts'
import type { ResourceAttributes } from './attributes.ts'
import { certifiedAt, mayRegister, nodesGroup, nodeUserPrefix } from './authenticate.ts'
import { type Authorizer, allowed, type Decision, noOpinion } from './authorizer.ts'
import { loginsOf, type NodeIndex, objectID } from './nodeindex.ts'

export interface NodeRule {
  readonly verbs: readonly string[]
  readonly group: string
  /** `PLURAL[/SUBRESOURCE]` */
  readonly resources: readonly string[]
  /** Of which objects. */
  readonly of: Scope
}

interface Asked {
  readonly node: string
  readonly user: UserInfo
  readonly attributes: ResourceAttributes
  readonly index: NodeIndex
}

/** Undefined: it may; else why not. */
type Test = (asked: Asked) => string | undefined

const scopes = {
  /** The Node that the user is. */
  itself: ({ node, attributes: { name } }) =>
    name === node ? undefined : `node '${node}' cannot read '${name ?? ''}', only its own Node object`,
  /** A new Node of that name: admission looks at what is in it. */
  itsFirst: ({ node, user }) =>
    mayRegister(user) ? undefined : `node '${node}' gets its Node object when it joins`,
  /** What is placed on it. */
  held: (asked) => related(asked, ({ index, node }, id) => index.holds(node, id)),
  /** That, and what its Containers, Images and Builds name. */
  named: (asked) =>
    related(asked, ({ index, node }, id) => index.holds(node, id) || index.refersTo(node, id)),
  /** Many at once: those whose spec names it. */
  bySpec: ({ node, attributes: { fieldSelector = [], resource } }) =>
    fieldSelector.some(({ field, equal, value }) => equal && field === 'spec.nodeName' && value === node)
      ? undefined
      : `can only list/watch ${resource} with spec.nodeName field selector`,
  /** Many at once: those that carry its label. */
  byLabel: ({ node, attributes: { labelSelector = [], resource } }) =>
    labelSelector.some(({ key, operator }) => key === nodeLabel(node) && operator === 'Exists')
      ? undefined
      : `can only list/watch ${resource} with the label selector ${nodeLabel(node)}`,
  /** The namespace's logins to registries, for whoever builds there: which ones a build takes, its Dockerfile says. */
  logins: (asked) =>
    related(
      asked,
      ({ index, node, attributes: { namespace, name } }) =>
        isLoginSecretName(name ?? '') && index.refersTo(node, loginsOf(namespace)),
    ),
  /** What a Registry names, for whichever node asks it. */
  shared: (asked) => related(asked, ({ index }, id) => index.isForAll(id)),
  /** What of an image another node has and this one is to have: its layers, and nothing else of that node. */
  handed: ({ node, index, attributes: { name = '', below } }) => {
    const [image, more] = below?.query.getAll('image') ?? []
    const asked = below?.path === 'layers' && more === undefined ? image : undefined
    return asked !== undefined && index.mayFetch(node, name, asked)
      ? undefined
      : `node '${node}' can only get layers of images that it is to have, from nodes that hold them`
  },
  /** For all nodes. Of new ones and of writes admission looks at what is in them. */
  any: () => undefined,
  /** Events that it has written; that there is none, it may learn. */
  written: ({ node, index, attributes: { namespace, name } }) => {
    const host = index.hostOf(`${namespace ?? ''}/${name ?? ''}`)
    return host === undefined || host === node ? undefined : unrelated(node)
  },
  /** The Namespace whose UID names the cluster. */
  cluster: ({ attributes: { name } }) =>
    name === 'default' ? undefined : 'can only read the namespace default',
} satisfies Record<string, Test>

type Scope = keyof typeof scopes

const cove = 'cove.run'
const look = ['list', 'watch'] as const
const write = ['update', 'patch'] as const
const status = (...plurals: string[]) => plurals.map((plural) => `${plural}/status`)

/** Also the rules of the ClusterRole `cove:node`, which tells people what nodes may do, apart from of which objects. */
export const nodeRules: readonly NodeRule[] = [
  { verbs: ['get', ...write], group: cove, resources: ['containers'], of: 'held' },
  { verbs: ['get', ...write], group: cove, resources: ['builds'], of: 'held' },
  { verbs: look, group: cove, resources: ['containers', 'volumes', 'builds'], of: 'bySpec' },
  { verbs: ['get', ...look], group: cove, resources: ['volumes', 'networks', 'images'], of: 'named' },
  { verbs: look, group: cove, resources: ['networks', 'images'], of: 'byLabel' },
  { verbs: write, group: cove, resources: ['volumes', 'networks', 'images'], of: 'held' },
  {
    verbs: ['get', ...write],
    group: cove,
    resources: status('containers', 'volumes', 'networks', 'images', 'builds'),
    of: 'held',
  },
  { verbs: ['get', ...look], group: cove, resources: ['registries', 'prunepolicies'], of: 'any' },
  { verbs: ['get', ...write], group: cove, resources: status('registries', 'prunepolicies'), of: 'any' },
  { verbs: ['get', ...look], group: '', resources: ['secrets', 'configmaps'], of: 'named' },
  { verbs: ['get', ...look], group: '', resources: ['secrets'], of: 'shared' },
  { verbs: ['get', ...look], group: '', resources: ['secrets'], of: 'logins' },
  { verbs: ['get'], group: cove, resources: ['uploads'], of: 'named' },
  { verbs: ['get'], group: cove, resources: ['nodes/images'], of: 'handed' },
  { verbs: ['get'], group: '', resources: ['namespaces'], of: 'cluster' },
  { verbs: ['create'], group: '', resources: ['events'], of: 'any' },
  { verbs: ['get', ...write], group: '', resources: ['events'], of: 'written' },
  { verbs: ['create'], group: cove, resources: ['nodes'], of: 'itsFirst' },
  { verbs: ['get', ...look], group: cove, resources: ['nodes'], of: 'itself' },
  { verbs: ['get', ...write], group: cove, resources: status('nodes'), of: 'itself' },
  { verbs: ['get', 'create'], group: cove, resources: ['nodes/tunnel', 'nodes/certificate'], of: 'itself' },
]

const testsByRight: ReadonlyMap<string, readonly Test[]> = (() => {
  const tests = new Map<string, Test[]>()
  for (const { verbs, group, resources, of } of nodeRules)
    for (const resource of resources)
      for (const verb of verbs) {
        const right = rightOf({ verb, group, resource })
        tests.set(right, [...(tests.get(right) ?? []), scopes[of]])
      }
  return tests
})()

/** Has an opinion on members of system:nodes only, and only when one of the rules allows it; else it says why not. */
export function nodeAuthorizer(index: NodeIndex): Authorizer {
  return (user, attributes) => {
    const node = nodeOf(user)
    if (node === undefined || 'path' in attributes) return noOpinion
    const tests = testsByRight.get(rightOf(attributes))
    if (tests === undefined) return noOpinion
    const locked = whyLockedOut(node, user, index)
    if (locked !== undefined) return because(locked)
    let first: string | undefined
    for (const test of tests) {
      const why = test({ node, user, attributes, index })
      if (why === undefined) return allowed
      first ??= why
    }
    return because(first ?? '')
  }
}

/** The Node is made a moment after its first certificate is signed. */
const slackMs = 60_000

/** A Node that is made anew under an old name is for those who join anew. */
function whyLockedOut(node: string, user: UserInfo, index: NodeIndex): string | undefined {
  if (mayRegister(user)) return undefined
  const since = index.nodeSince(node)
  if (since === undefined) return `there is no Node object of node '${node}': its machine must join again`
  const certified = certifiedAt(user)
  if (certified === undefined || !(certified < since - slackMs)) return undefined
  return `the certificate of node '${node}' is older than its Node object: its machine must join again`
}

/** The name of the node that the user is; undefined: it is none. */
export function nodeOf({ name, groups }: UserInfo): string | undefined {
  if (!groups.includes(nodesGroup) || !name.startsWith(nodeUserPrefix)) return undefined
  return name.slice(nodeUserPrefix.length)
}

function rightOf({ verb, group, resource }: Pick<ResourceAttributes, 'verb' | 'group' | 'resource'>): string {
  return `${verb} ${group}/${resource}`
}

function because(reason: string): Decision {
  return { verdict: 'no opinion', reason }
}

const kindOf: Readonly<Record<string, string>> = {
  containers: 'Container',
  volumes: 'Volume',
  networks: 'Network',
  images: 'Image',
  builds: 'Build',
  uploads: 'Upload',
  secrets: 'Secret',
  configmaps: 'ConfigMap',
}

function related(asked: Asked, isRelated: (asked: Asked, id: string) => boolean): string | undefined {
  const { node, attributes } = asked
  const { resource, namespace, name } = attributes
  if (namespace === undefined) return 'can only read namespaced object of this type'
  if (name === undefined) return 'No Object name found'
  const [plural = ''] = resource.split('/')
  const id = objectID(kindOf[plural] ?? '', namespace, name)
  return isRelated(asked, id) ? undefined : unrelated(node)
}

function unrelated(node: string): string {
  return `no relationship found between node '${node}' and this object`
}
