/** How far the last change of a Container is, and the revisions it can go back to, in kubectl's words. Pure. */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { ControllerRevision } from '#pkg/apis/controllerrevision.ts'
import { changeCauseAnnotation, rolloutSpec } from '#pkg/apis/revisions.ts'
import { restartAnnotation } from '#pkg/apis/wellknown.ts'
import { formatTable } from './table.ts'

export interface RolloutState {
  readonly state: 'done' | 'pending' | 'failed'
  /** What is waited for, or what went wrong. */
  readonly message: string
}

/** Lines of the failed one that a message repeats; status has up to 200. */
const mostLines = 20

export function rolloutState(container: Container): RolloutState {
  const { metadata, spec, status = {} } = container
  if (metadata.deletionTimestamp !== undefined) return failed('it is being deleted')
  if ((status.observedGeneration ?? 0) < (metadata.generation ?? 0))
    return pending(
      spec.nodeName === undefined ? placement(status) : `node ${spec.nodeName} has not seen the change yet`,
    )
  return givenUp(metadata.generation, status) ?? stillWaiting(container, status) ?? outcome(container, status)
}

/** What will not get better until the object changes. */
function givenUp(generation: number | undefined, status: ContainerStatus): RolloutState | undefined {
  const { rollout } = status
  // Until the node has decided about a new generation, the verdict is that on the one before.
  const isOfNow = rollout?.failed === undefined || rollout.failed.generation === generation
  if (isOfNow && (rollout?.phase === 'RolledBack' || rollout?.phase === 'Held')) {
    const what = rollout.phase === 'RolledBack' ? 'rolled back' : 'held'
    const why = rollout.failed === undefined ? (rollout.message ?? '') : failureText(rollout.failed)
    return failed(why === '' ? what : `${what}: ${why}`)
  }
  const stalled = findCondition(status.conditions, 'Stalled')
  return stalled?.status === 'True' ? failed(`${stalled.reason}: ${stalled.message}`) : undefined
}

function failureText({ reason, message, log = [] }: Failure): string {
  const said = log.slice(-mostLines).map((line) => `\n  ${line}`)
  return `${reason}: ${message}${said.length === 0 ? '' : `\nthe last it wrote:${said.join('')}`}`
}

type Failure = NonNullable<NonNullable<ContainerStatus['rollout']>['failed']>

function stillWaiting({ metadata, spec }: Container, status: ContainerStatus): RolloutState | undefined {
  const upToDate = findCondition(status.conditions, 'UpToDate')
  const changed = upToDate?.status !== 'True'
  if (spec.update?.paused === true && changed) return pending('the rollout is paused')
  const { rollout } = status
  if (rollout?.phase === 'Progressing') return pending(rollout.message ?? 'the new container is on trial')
  if (changed) return pending(upToDate?.message ?? 'nothing is reported yet')
  const asked = metadata.annotations?.[restartAnnotation]
  if (asked !== undefined && asked !== status.restartRequest) return pending('it is to be restarted')
  return undefined
}

function outcome({ spec }: Container, status: ContainerStatus): RolloutState {
  const done: RolloutState = { state: 'done', message: '' }
  if (spec.state !== 'Running' || status.phase === 'Succeeded') return done
  if (status.phase === 'Failed' && spec.restartPolicy === 'Never')
    return failed(`it ended with exit code ${status.exitCode ?? '?'}`)
  const ready = findCondition(status.conditions, 'Ready')
  return ready?.status === 'True' ? done : pending(ready?.message ?? 'it is not ready')
}

function placement({ conditions }: ContainerStatus): string {
  return findCondition(conditions, 'Ready')?.message ?? 'no node has it yet'
}

function pending(message: string): RolloutState {
  return { state: 'pending', message }
}

function failed(message: string): RolloutState {
  return { state: 'failed', message }
}

/** Oldest first, as they are given. */
export function historyTable(revisions: readonly ControllerRevision[]): string {
  const rows = revisions.map(({ revision, metadata }) => [
    String(revision),
    metadata.annotations?.[changeCauseAnnotation] ?? '<none>',
  ])
  return formatTable([['REVISION', 'CHANGE-CAUSE'], ...rows])
}

export function keptSpec({ data }: ControllerRevision): Readonly<Record<string, unknown>> {
  const spec = data?.['spec']
  // The control plane wrote it, and it never changes.
  return typeof spec === 'object' && spec !== null ? (spec as Record<string, unknown>) : {}
}

export function isCurrent({ spec }: Container, revision: ControllerRevision): boolean {
  return sameJson(rolloutSpec(spec), keptSpec(revision))
}
