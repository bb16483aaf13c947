/**
 * Which PrunePolicy is to run on this node now: when its time has come, or when the disk is too full. Without a policy nothing
 * ever runs by itself. Pure.
 */
import type { PruneNodeState, PrunePolicy } from '#pkg/apis/prunepolicy.ts'
import { nextTime } from '#pkg/apis/schedule.ts'
import type { Disk } from '../disk.ts'
import type { Desired } from '../world.ts'

export interface WhenInput {
  readonly policies: readonly PrunePolicy[]
  /** What each last did here, by uid. */
  readonly states: ReadonlyMap<string, PruneNodeState>
  readonly now: number
  /** Absent: the engine's disk is not on this machine. */
  readonly disk?: Disk
  /** When there was last no room for something; ms since the epoch. */
  readonly noSpaceAt?: number
}

export interface DuePrune {
  readonly policy: PrunePolicy
  readonly because: 'Schedule' | 'Disk'
}

/** For a full disk no policy runs more often; ms. */
const diskEvery = 60_000
/** When the last run found nothing that may go. */
const diskEveryInVain = 600_000

/** Those for this node, by name; none is while they are being deleted. */
export function policiesFor({ prunePolicies, node }: Pick<Desired, 'prunePolicies' | 'node'>): PrunePolicy[] {
  const labels = node?.metadata.labels ?? {}
  return [...prunePolicies.values()]
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ spec }) => Object.entries(spec.nodeSelector).every(([key, value]) => labels[key] === value))
    .toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name))
}

/** A full disk comes first. */
export function duePrune(input: WhenInput): DuePrune | undefined {
  const { policies, states, now } = input
  const full = policies.find((policy) => isFull(policy, input) && now >= diskRunAt(policy, input))
  if (full !== undefined) return { policy: full, because: 'Disk' }
  const late = policies.find((policy) => {
    const at = nextRunOf(policy, states.get(policy.metadata.uid ?? ''))
    return at !== undefined && now >= at
  })
  return late && { policy: late, because: 'Schedule' }
}

/** When to ask again although nothing changed; how full the disk is is seen at every look. */
export function nextPrune({ policies, states }: WhenInput): number | undefined {
  const times = policies.flatMap((policy) => nextRunOf(policy, states.get(policy.metadata.uid ?? '')) ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}

/** A time that went by while the agent did not run is made up for, once. */
export function nextRunOf(
  { metadata, spec }: PrunePolicy,
  state: PruneNodeState | undefined,
): number | undefined {
  const since = Date.parse(state?.lastRun ?? metadata.creationTimestamp ?? '')
  if (spec.schedule === undefined || Number.isNaN(since)) return undefined
  return nextTime(spec.schedule, since, spec.timeZone)
}

function isFull({ spec, metadata }: PrunePolicy, { disk, noSpaceAt, states }: WhenInput): boolean {
  if (spec.disk === undefined) return false
  if (disk !== undefined && disk.usedPercent >= spec.disk.high) return true
  const lastRun = Date.parse(states.get(metadata.uid ?? '')?.lastRun ?? '')
  return noSpaceAt !== undefined && !(lastRun > noSpaceAt)
}

function diskRunAt({ metadata }: PrunePolicy, { states, noSpaceAt }: WhenInput): number {
  const state = states.get(metadata.uid ?? '')
  if (state?.lastRun === undefined || state.because !== 'Disk') return 0
  const lastRun = Date.parse(state.lastRun)
  const inVain = (state.reclaimedBytes ?? 0) === 0 && !((noSpaceAt ?? 0) > lastRun)
  return lastRun + (inVain ? diskEveryInVain : diskEvery)
}
