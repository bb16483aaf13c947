/**
 * Whether this node's engine reaches registries as their Registry objects say: looked at, told, and changed only where the
 * Node asks for it. Every node tells of itself; the condition is made of what all nodes say, by whichever of them. Pure.
 */
import { setCondition } from '#pkg/apimachinery/meta.ts'
import type { Registry, RegistryStatus } from '#pkg/apis/registry.ts'
import { type EngineRegistries, isListed } from '#pkg/registry/access.ts'
import type { World } from '../world.ts'

type View = Pick<World, 'nodeName' | 'now' | 'engineRegistries'>
type NodeState = NonNullable<RegistryStatus['nodes']>[string]

/** This node's part of the status; undefined while the engine does not say. */
export function reportRegistry(registry: Registry, world: View): RegistryStatus | undefined {
  const { engineRegistries, nodeName, now } = world
  if (engineRegistries === undefined) return undefined
  const own = stateOf(registry, engineRegistries, nodeName)
  const { generation = 0 } = registry.metadata
  const { status, reason, message } = readiness({ ...registry.status?.nodes, [nodeName]: own })
  const condition = { type: 'Ready', status, reason, message, observedGeneration: generation } as const
  return {
    observedGeneration: generation,
    conditions: setCondition(registry.status?.conditions ?? [], condition, now),
    nodes: { [nodeName]: own },
  }
}

/** The Registry as if nobody but this node had reported: what a new report is compared with. */
export function withOwnView(registry: Registry, { nodeName }: View): Registry {
  const { status } = registry
  if (status?.nodes === undefined) return registry
  const own = status.nodes[nodeName]
  return { ...registry, status: { ...status, nodes: own === undefined ? {} : { [nodeName]: own } } }
}

function stateOf({ spec }: Registry, engine: EngineRegistries, nodeName: string): NodeState {
  const differences = [...insecurity(spec, engine, nodeName), ...mirroring(spec, engine, nodeName)]
  return differences.length === 0 ? { state: 'Ready' } : { state: 'Differs', message: differences.join('; ') }
}

/** Whoever says nothing wants nothing of the engine. */
function insecurity(
  { server, insecure }: Registry['spec'],
  engine: EngineRegistries,
  node: string,
): string[] {
  if (insecure === undefined || insecure === isListed(server, engine.insecure, [])) return []
  return insecure
    ? [
        `spec.insecure: the engine insists on a verified certificate of ${server}; list it in spec.engine.insecureRegistries of Node ${node}`,
      ]
    : [
        `spec.insecure: the engine does without a verified certificate of ${server}; take it out of spec.engine.insecureRegistries of Node ${node}`,
      ]
}

function mirroring({ mirrors }: Registry['spec'], engine: EngineRegistries, node: string): string[] {
  const found = engine.mirrors.map(withoutEnd)
  if (mirrors === undefined || mirrors.map(withoutEnd).join(' ') === found.join(' ')) return []
  const has = found.length === 0 ? 'none' : found.join(', ')
  return [`spec.mirrors: the engine has ${has}; set spec.engine.registryMirrors of Node ${node}`]
}

function withoutEnd(address: string): string {
  return address.replace(/\/+$/, '')
}

function readiness(nodes: Readonly<Record<string, NodeState>>) {
  const differing = Object.entries(nodes)
    .filter(([, { state }]) => state === 'Differs')
    .sort(([a], [b]) => (a < b ? -1 : 1))
  if (differing.length === 0)
    return { status: 'True', reason: 'AsSpecified', message: 'engines reach it as the spec says' } as const
  const told = differing.map(([node, { message = 'it differs' }]) => `node ${node}: ${message}`)
  return { status: 'False', reason: 'EngineDiffers', message: told.join('; ') } as const
}
