/** What the planners of one Container share: the object, what it resolves to, and its containers on the engine. */
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import type { PlanBuilder } from '#pkg/plan/plan.ts'
import type { AgentOp } from './ops.ts'
import type { Resolved } from './resolve.ts'
import type { World } from './world.ts'

export type Builder = PlanBuilder<AgentOp>

export interface Subject {
  readonly container: Container
  readonly world: World
  readonly resolved: Resolved
  readonly current: ObservedContainer | undefined
  readonly stale: readonly ObservedContainer[]
  readonly builder: Builder
}
