/**
 * `cove rollout restart`: for each value of the annotation cove.run/restartedAt a container is begun anew once. One that
 * was made since carries the value as a label and has nothing to do. An agent that is killed between the restart and
 * the status that tells of it restarts once more: at least once is promised, not once. Pure.
 */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels, restartAnnotation } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { OpResult } from '#pkg/plan/execute.ts'
import { previousStatus } from './container.look.ts'
import type { Subject } from './container.subject.ts'
import type { AgentOp } from './ops.ts'
import type { World } from './world.ts'

/** The request that the container has not seen yet; undefined when there is none. */
export function restartAsked(
  container: Container,
  world: World,
  current: ObservedContainer,
): string | undefined {
  const asked = container.metadata.annotations?.[restartAnnotation]
  if (asked === undefined || asked === current.labels[engineLabels.restartedAt]) return undefined
  return asked === previousStatus(container, world)?.restartRequest ? undefined : asked
}

/** Whether a restart was planned: one is enough, whatever else asks for it. */
export function planRestart({ container, world, builder }: Subject, current: ObservedContainer): boolean {
  const request = restartAsked(container, world, current)
  if (request === undefined || current.state !== 'running') return false
  const gracePeriod = container.spec.terminationGracePeriodSeconds * 1000
  builder.add({ type: 'restartContainer', container: current.id, gracePeriod, request }, whyRestart(request))
  return true
}

export function whyRestart(request: string): string {
  return `${restartAnnotation} is ${request}`
}

/** What status says once the op has been done; undefined when the op answers no request. */
export function afterRestart(
  status: ContainerStatus | undefined,
  { outcome, planned }: OpResult<AgentOp>,
): ContainerStatus | undefined {
  const { op } = planned
  if (outcome !== 'done' || (op.type !== 'restartContainer' && op.type !== 'startContainer')) return undefined
  if (op.request === undefined) return undefined
  // Whoever asks for a restart wants it tried anew: what was tried before is forgotten, a spent budget included.
  const { healing: _, ...rest } = status ?? {}
  return { ...rest, restartRequest: op.request }
}

/** A container that was made after the request has answered it. */
export function reportRestart(
  { metadata }: Container,
  observed: ObservedContainer | undefined,
  previous: ContainerStatus | undefined,
): Pick<ContainerStatus, 'restartRequest'> {
  const asked = metadata.annotations?.[restartAnnotation]
  const made = observed?.labels[engineLabels.restartedAt]
  const answered = asked !== undefined && made === asked ? asked : previous?.restartRequest
  return answered === undefined ? {} : { restartRequest: answered }
}
