/** Where a Build is, seen by somebody who has asked for it. Pure. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { currentCondition } from '../readiness.ts'

/** What has been asked, and how things were then. */
export interface Asked {
  /** Of the spec that is to be built. */
  readonly generation: number
  /** Value of the annotation that asks for a build. */
  readonly request?: string
  /** How many builds had been begun. */
  readonly attempts: number
}

export type Standing =
  | { readonly state: 'waiting'; readonly message: string }
  | { readonly state: 'building'; readonly attempt: number }
  /** `attempt`: the last one, be it of what was asked or of before. */
  | { readonly state: 'built'; readonly attempt: number; readonly isNew: boolean }
  | {
      readonly state: 'failed'
      readonly attempt: number
      readonly isNew: boolean
      readonly message: string
      /** Whether it is tried again without anything being changed. */
      readonly isRetried: boolean
    }

export function asBuild(object: KubeObject): Build {
  // The server has admitted it.
  return object as Build
}

export function standingOf(build: Build, asked: Asked): Standing {
  const { metadata, spec, status = {} } = build
  const attempt = status.attempt ?? 0
  const isNew = attempt > asked.attempts
  if (metadata.deletionTimestamp !== undefined)
    return { state: 'failed', attempt, isNew, message: 'it is being deleted', isRetried: false }
  const isSeen = (status.observedGeneration ?? 0) >= asked.generation
  if (!isSeen) return { state: 'waiting', message: unseenText(build) }
  if (status.phase === 'Building') return { state: 'building', attempt }
  if (spec.suspend || status.phase === 'Suspended')
    return { state: 'failed', attempt, isNew, message: 'it is suspended (spec.suspend)', isRetried: false }
  // Whatever is said until then is about what was before.
  if (asked.request !== undefined && status.request !== asked.request)
    return { state: 'waiting', message: `node ${spec.nodeName} has not seen it yet` }
  return settledStanding(build, { attempt, isNew })
}

function settledStanding(
  build: Build,
  { attempt, isNew }: { readonly attempt: number; readonly isNew: boolean },
): Standing {
  const phase = build.status?.phase
  const isStalled = currentCondition(build, 'Stalled')?.status === 'True'
  if (phase === 'Failed' || (isStalled && phase !== 'Canceled'))
    return { state: 'failed', attempt, isNew, message: troubleOf(build), isRetried: !isStalled }
  if (phase === 'Canceled')
    return { state: 'failed', attempt, isNew, message: 'it was broken off', isRetried: false }
  const isCurrent = currentCondition(build, 'UpToDate')?.status !== 'False'
  if (phase === 'Succeeded' && isCurrent) return { state: 'built', attempt, isNew }
  return { state: 'waiting', message: waitingText(build) }
}

/** Why it does not go on, in the words of the node. */
export function troubleOf({ status = {}, ...build }: Build): string {
  if (status.failure !== undefined) return status.failure.message
  for (const type of ['Stalled', 'Ready', 'UpToDate']) {
    const condition = currentCondition({ ...build, status }, type)
    const bad = type === 'Stalled' ? 'True' : 'False'
    if (condition?.status === bad) return condition.message || condition.reason
  }
  return `it is ${status.phase ?? 'not seen by a node yet'}`
}

function unseenText(build: Build): string {
  const { nodeName } = build.spec
  // Whoever places it writes its conditions before any node has seen the object.
  const ready = isPlainObject(build.status) ? currentCondition(build, 'Ready') : undefined
  if (ready?.status === 'False' && ready.message !== '') return ready.message
  return nodeName === undefined ? 'it has no node yet' : `node ${nodeName} has not seen it yet`
}

function waitingText(build: Build): string {
  const { conditions = [], phase } = build.status ?? {}
  const told = conditions.find(({ type, status }) => type === 'Ready' && status !== 'True')
  return told?.message || (phase ?? 'Pending')
}
