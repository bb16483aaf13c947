/** What the planners of one Container share: the object, what it resolves to, and its containers on the engine. */
import type { Container } from '#pkg/apis/container.ts'
import type { UpdatePolicy } from '#pkg/apis/container.update.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { PlanBuilder } from '#pkg/plan/plan.ts'
import type { Cast } from './container.cast.ts'
import { whyRecreate } from './container.drift.ts'
import type { AgentOp } from './ops.ts'
import type { Resolved } from './resolve.ts'
import type { World } from './world.ts'

export type Builder = PlanBuilder<AgentOp>

export interface Subject {
  readonly container: Container
  readonly world: World
  readonly resolved: Resolved
  readonly cast: Cast
  readonly policy: UpdatePolicy
  readonly builder: Builder
}

/** Whether a container is, or can become in place, what is wanted. */
export function fits({ resolved }: Pick<Subject, 'resolved'>, observed: ObservedContainer): boolean {
  return whyRecreate(resolved, observed) === undefined
}
