/** Ending containers and taking them away, with the volumes that nobody named. Pure. */
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { isAlive, isAnonymous } from './container.look.ts'
import type { Builder } from './container.subject.ts'
import type { AgentOp } from './ops.ts'
import type { Decision } from './world.ts'

/** Everything of an object that is being deleted; then the API is told that nothing is left here. */
export function planDeletion(
  container: Container,
  mine: readonly ObservedContainer[],
  builder: Builder,
): Decision {
  const cause = 'metadata.deletionTimestamp is set'
  const seconds =
    container.metadata.deletionGracePeriodSeconds ?? container.spec.terminationGracePeriodSeconds
  for (const observed of mine) {
    if (isAlive(observed)) builder.add(stop(observed, seconds), cause)
    remove(builder, observed, { cause, keep: [] })
  }
  const { namespace = 'default', name } = container.metadata
  builder.add(
    { type: 'releaseObject', kind: 'Container', object: { namespace, name } },
    'nothing of it is left on the node',
  )
  return { plan: builder.build() }
}

/** A volume that a successor inherited counts as named for the engine, so it is removed by name with the last container. */
export function remove(
  builder: Builder,
  observed: ObservedContainer,
  how: { cause: string; keep: readonly string[] },
): void {
  builder.add({ type: 'removeContainer', container: observed.id }, how.cause)
  for (const volume of anonymousVolumes(observed).filter((name) => !how.keep.includes(name))) {
    builder.add({ type: 'removeVolume', volume }, `it was an anonymous volume of container ${observed.name}`)
  }
}

export function anonymousVolumes({ mounts }: ObservedContainer): string[] {
  return mounts.filter(isAnonymous).map(({ source }) => source)
}

export function stop(observed: ObservedContainer, seconds: number): AgentOp {
  return { type: 'stopContainer', container: observed.id, gracePeriod: seconds * 1000 }
}
