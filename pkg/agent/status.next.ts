/** What comes next for a Container, because of what, and when: the first op of what was decided, or what it waits for. Pure. */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { isHeld } from './holds.ts'
import { describeOp } from './ops.ts'
import { groupOf, type ReportInput } from './world.ts'

type Next = NonNullable<ContainerStatus['next']>

/** Absent when everything is as desired and time alone changes nothing. */
export function reportNext(
  input: ReportInput,
  observed: ObservedContainer | undefined,
): Pick<ContainerStatus, 'next'> {
  const next = afterRest(input) ?? operation(input) ?? waiting(input) ?? inTime(input, observed)
  return next === undefined ? {} : { next }
}

/** A failed op rests; what is urgent goes on meanwhile, and is not reported before it is done. */
function afterRest({ container, world }: ReportInput): Next | undefined {
  const group = groupOf('Container', container.metadata)
  const hold = world.holds.get(group)
  if (hold === undefined || !isHeld(group, world)) return undefined
  const times = hold.failures === 1 ? '' : ` (${hold.failures} times in a row)`
  return {
    action: `try again to ${hold.action}`,
    cause: `it failed${times}: ${hold.message}`,
    time: timestamp(hold.until),
  }
}

function operation({ decision }: ReportInput): Next | undefined {
  const [first] = decision.plan.ops
  return first && { action: describeOp(first.op), cause: first.cause }
}

function waiting({ decision }: ReportInput): Next | undefined {
  const { waiting: wait, wakeAt } = decision
  if (wait === undefined) return undefined
  const time = wakeAt === undefined ? {} : { time: timestamp(wakeAt) }
  return { action: wakeAt === undefined ? 'wait' : 'start the container', cause: wait.message, ...time }
}

function inTime({ decision }: ReportInput, observed: ObservedContainer | undefined): Next | undefined {
  const { rollout, wakeAt, lookAgainAt } = decision
  const times = [wakeAt, lookAgainAt].filter((time): time is number => time !== undefined)
  if (times.length === 0) return undefined
  const time = timestamp(Math.min(...times))
  if (rollout?.phase === 'Progressing')
    return { action: 'judge the new container', cause: rollout.message ?? 'it is on trial', time }
  if (observed?.health?.status === 'unhealthy')
    return { action: 'heal the container', cause: 'its healthcheck fails', time }
  return undefined
}
