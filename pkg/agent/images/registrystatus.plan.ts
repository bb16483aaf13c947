/**
 * Whether this node's engine reaches registries as their Registry objects say: looked at, told, and changed only where the
 * Node asks for it. Every node tells of itself; what that comes to, a controller says (controller/registries.plan.ts). Pure.
 */
import type { Registry, RegistryStatus } from '#pkg/apis/registry.ts'
import { type EngineRegistries, isListed } from '#pkg/registry/access.ts'
import type { World } from '../world.ts'

type View = Pick<World, 'nodeName' | 'engineRegistries'>
type NodeState = NonNullable<RegistryStatus['nodes']>[string]

/** This node's part of the status; undefined while the engine does not say. */
export function reportRegistry(registry: Registry, world: View): RegistryStatus | undefined {
  const { engineRegistries, nodeName } = world
  if (engineRegistries === undefined) return undefined
  return { nodes: { [nodeName]: stateOf(registry, engineRegistries, nodeName) } }
}

/** The Registry as if nobody but this node said anything: what a new report is compared with. */
export function withOwnView(registry: Registry, { nodeName }: View): Registry {
  const own = registry.status?.nodes?.[nodeName]
  return { ...registry, status: { nodes: own === undefined ? {} : { [nodeName]: own } } }
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
