/** What no Container may take with it: volumes that a Volume names, whatever they look like. Pure. */
import { engineNameOf } from '#pkg/apis/wellknown.ts'
import type { Plan } from '#pkg/plan/plan.ts'
import type { AgentOp } from './ops.ts'
import type { World } from './world.ts'

/**
 * The plan without the removal of volumes that Volumes name: by `externalName` also one that nobody had named on the
 * engine. What was to come after that comes after what was to come before it.
 */
export function sparingVolumes(plan: Plan<AgentOp>, { desired }: Pick<World, 'desired'>): Plan<AgentOp> {
  if (!plan.ops.some(({ op }) => op.type === 'removeVolume')) return plan
  const named = new Set([...desired.volumes.values()].map(engineNameOf))
  const spared = plan.ops.filter(({ op }) => op.type === 'removeVolume' && named.has(op.volume))
  const before = new Map(spared.map(({ id, after }) => [id, after]))
  const resolve = (ids: readonly string[]): string[] =>
    ids.flatMap((id) => {
      const earlier = before.get(id)
      return earlier === undefined ? [id] : resolve(earlier)
    })
  const ops = plan.ops.filter((planned) => !spared.includes(planned))
  return { ops: ops.map((planned) => ({ ...planned, after: resolve(planned.after) })) }
}
