/** Whether a Registry is reached as its spec says: one condition of what the nodes tell, each of itself. Pure. */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { setCondition } from '#pkg/apimachinery/meta.ts'
import type { Registry, RegistryStatus } from '#pkg/apis/registry.ts'

type NodeStates = NonNullable<RegistryStatus['nodes']>

/** What is to change of the status; null takes the word of a node away that is no more. Undefined: nothing. */
export interface RegistryChange {
  readonly observedGeneration: number
  readonly conditions: NonNullable<RegistryStatus['conditions']>
  readonly nodes: Readonly<Record<string, null>>
}

export function planRegistry(
  { metadata, status = {} }: Registry,
  { nodes, now }: { readonly nodes: ReadonlySet<string>; readonly now: number },
): RegistryChange | undefined {
  const told = status.nodes ?? {}
  const gone = Object.keys(told).filter((node) => !nodes.has(node))
  const { generation = 0 } = metadata
  const here = Object.fromEntries(Object.entries(told).filter(([node]) => nodes.has(node)))
  const condition = { type: 'Ready', ...readiness(here), observedGeneration: generation } as const
  const conditions = setCondition(status.conditions ?? [], condition, now)
  if (gone.length === 0 && sameJson(conditions, status.conditions ?? [])) return undefined
  return {
    observedGeneration: generation,
    conditions,
    nodes: Object.fromEntries(gone.map((node) => [node, null])),
  }
}

function readiness(nodes: NodeStates) {
  const states = Object.entries(nodes)
  if (states.length === 0)
    return { status: 'Unknown', reason: 'NotLookedAt', message: 'no node has looked yet' } as const
  const differing = states.filter(([, { state }]) => state === 'Differs').sort(([a], [b]) => (a < b ? -1 : 1))
  if (differing.length === 0)
    return { status: 'True', reason: 'AsSpecified', message: 'engines reach it as the spec says' } as const
  const told = differing.map(([node, { message = 'it differs' }]) => `node ${node}: ${message}`)
  return { status: 'False', reason: 'EngineDiffers', message: told.join('; ') } as const
}
