/**
 * What nodes may do: a table, because what a node needs is Cove's business and no administrator's. Nodes act on what
 * is placed on them and may not create it; which object belongs to which node is not looked at here. Asked before
 * RBAC, which may give nodes more.
 */
import type { ResourceAttributes } from './attributes.ts'
import { nodesGroup, nodeUserPrefix } from './authenticate.ts'
import { type Authorizer, allowed, noOpinion } from './authorizer.ts'

export interface NodeRule {
  readonly verbs: readonly string[]
  readonly group: string
  /** `PLURAL[/SUBRESOURCE]` */
  readonly resources: readonly string[]
  /** Only the Node that the user is. */
  readonly ownNode?: true
}

const read = ['get', 'list', 'watch'] as const
const engineObjects = ['containers', 'volumes', 'networks'] as const

/** Also the rules of the ClusterRole `cove:node`, which tells people what nodes may do. */
export const nodeRules: readonly NodeRule[] = [
  { verbs: [...read, 'update', 'patch', 'delete'], group: 'cove.run', resources: engineObjects },
  {
    verbs: ['get', 'update', 'patch'],
    group: 'cove.run',
    resources: engineObjects.map((plural) => `${plural}/status`),
  },
  { verbs: read, group: 'cove.run', resources: ['nodes'] },
  { verbs: read, group: '', resources: ['namespaces', 'secrets', 'configmaps'] },
  { verbs: ['create', 'update', 'patch'], group: '', resources: ['events'] },
  { verbs: ['create'], group: 'cove.run', resources: ['nodes'] },
  {
    verbs: ['get', 'update', 'patch', 'create'],
    group: 'cove.run',
    resources: ['nodes', 'nodes/status', 'nodes/tunnel', 'nodes/certificate'],
    ownNode: true,
  },
]

/** Has an opinion on members of system:nodes only, and only when the table allows it. */
export function nodeAuthorizer(): Authorizer {
  return (user, attributes) => {
    if (!user.groups.includes(nodesGroup) || 'path' in attributes) return noOpinion
    return nodeRules.some((rule) => allows(rule, user.name, attributes)) ? allowed : noOpinion
  }
}

function allows(rule: NodeRule, user: string, attributes: ResourceAttributes): boolean {
  const { verb, group, resource, name } = attributes
  if (rule.group !== group || !rule.verbs.includes(verb) || !rule.resources.includes(resource)) return false
  return rule.ownNode !== true || user === `${nodeUserPrefix}${name ?? ''}`
}
