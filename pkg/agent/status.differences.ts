/** Where the engine differs from what is desired, as status tells it. Pure. */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { differences } from './container.differences.ts'
import { resolve } from './resolve.ts'
import { plannerError, type ReportInput } from './world.ts'

/** More would tell nobody more. */
const mostTold = 20
const longestValue = 256

/** Absent when nothing differs. Looked for only when something is to be done: what is as desired costs nothing. */
export function reportDifferences(
  { container, decision, world }: ReportInput,
  observed: ObservedContainer | undefined,
): Pick<ContainerStatus, 'differences'> {
  const { plan, waiting, rollout } = decision
  const settled =
    plan.ops.length === 0 && waiting === undefined && (rollout?.phase ?? 'Complete') === 'Complete'
  const goes = container.metadata.deletionTimestamp !== undefined
  // What the planner trips over, a comparison would too.
  const trips = waiting?.reason === plannerError
  if (settled || goes || trips || observed === undefined) return {}
  const resolved = resolve({ container, ...world })
  if ('missing' in resolved) return {}
  const found = differences(resolved, observed)
  if (found.length === 0) return {}
  return {
    differences: found.slice(0, mostTold).map((difference) => ({
      ...difference,
      want: short(difference.want),
      found: short(difference.found),
    })),
  }
}

function short(value: string): string {
  return value.length <= longestValue ? value : `${value.slice(0, longestValue)}…`
}
