/** What commands ask of the Containers that they watch: made, started, ended. Pure. */
import { type Condition, findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { FollowedObject, Found, Obstacle } from './followed.ts'

/** What the server sends of a Container is what its schema has accepted. */
export function asContainer(object: KubeObject): Container {
  return object as unknown as Container
}

/** What the agent says of the spec as it is now; undefined until it has. */
export function currentStatus(object: KubeObject): ContainerStatus | undefined {
  const { status } = asContainer(object)
  return (status?.observedGeneration ?? 0) < (object.metadata.generation ?? 0) ? undefined : status
}

/** What is on its way, and needs nobody. */
const passing: readonly string[] = [
  ...['Pending', 'Pulling', 'Starting', 'Created', 'Updating', 'HealthStarting', 'ContainerCreating'],
  ...['VolumeNotReady', 'NetworkNotReady', 'DependencyNotReady', 'Unknown', 'Running', 'Completed'],
]

/** What keeps it from being made or started; undefined when nothing does for more than a moment. */
export function troubleOf(object: KubeObject): Obstacle | undefined {
  const conditions = currentStatus(object)?.conditions
  const stalled = findCondition(conditions, 'Stalled')
  if (stalled?.status === 'True') return { ...worded(stalled), isFinal: true }
  const ready = findCondition(conditions, 'Ready')
  return ready?.status === 'False' && !passing.includes(ready.reason)
    ? { ...worded(ready), isFinal: ready.reason === 'ErrImageNeverPull' }
    : undefined
}

function worded({ reason, message }: Pick<Condition, 'reason' | 'message'>) {
  return { reason, message: `${reason}: ${message}` }
}

const deleted: Obstacle = { reason: 'Deleted', message: 'it was deleted', isFinal: true }

function pending({ object, isGone }: FollowedObject): { readonly trouble?: Obstacle } {
  const trouble = isGone ? deleted : (startFailure(object) ?? troubleOf(object))
  return trouble === undefined ? {} : { trouble }
}

/** The engine counts a start that failed as an end. */
function startFailure(object: KubeObject): Obstacle | undefined {
  const { reason, message = '' } = currentStatus(object)?.lastTermination ?? {}
  return reason === 'StartError' ? { reason, message, isFinal: true } : undefined
}

/** Made and not started: the engine's id of it. */
export function made(seen: FollowedObject): Found<string> {
  const status = currentStatus(seen.object)
  const id = status?.phase === 'Created' ? status.containerID : undefined
  return id === undefined || seen.isGone ? pending(seen) : { value: id }
}

/** Started at least once, also when it has ended or gone since: the engine's id of it. */
export function started(seen: FollowedObject): Found<string> {
  const { status } = asContainer(seen.object)
  const id = status?.startedAt === undefined ? undefined : status.containerID
  return id === undefined ? pending(seen) : { value: id }
}

type Termination = NonNullable<ContainerStatus['lastTermination']>

/** The first end of a new Container. */
export function ended({ object, isGone }: FollowedObject): Found<Termination> {
  const termination = asContainer(object).status?.lastTermination
  if (termination !== undefined) return { value: termination }
  return isGone ? { trouble: deleted } : {}
}

export function gone({ isGone }: FollowedObject): Found<true> {
  return isGone ? { value: true } : {}
}
