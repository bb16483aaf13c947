/**
 * What was tried and failed: the record of it in the status, and whether it still forbids to try the same again. The
 * record outlives the container; the container stays until the API has the record, so neither is ever lost. Pure.
 */
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { type Cast, castOf } from './container.cast.ts'
import { previousStatus } from './container.look.ts'
import type { RolloutView, World } from './world.ts'

type Judged = NonNullable<RolloutView['judged']>
export type FailedRevision = NonNullable<NonNullable<ContainerStatus['rollout']>['failed']>

/** The record of a container that failed, as far as it can be told now. */
export function failureOf(
  container: Container,
  world: World,
  { observed, judged }: { readonly observed: ObservedContainer; readonly judged?: Judged },
): FailedRevision {
  const known = recordOf(previousStatus(container, world), observed)
  const log = world.observed.logTails.get(observed.id) ?? known?.log ?? []
  const probes = known?.probes.length ? known.probes : (observed.health?.log ?? [])
  const { reason, message } = judged ?? known ?? lookedAt(observed)
  return {
    fingerprint: fingerprintOf(observed),
    generation: known?.generation ?? generationOfTrial(container, observed),
    reason,
    message,
    time: known?.time ?? timestamp(world.now),
    image: observed.image,
    ...(reason === 'Exited' && { exitCode: observed.exitCode }),
    log: [...log].slice(-200),
    probes: probes.map((probe) => ({ ...probe })),
  }
}

/** Of one that an agent judged which could not tell of it any more. */
function lookedAt({ error, health, exitCode }: ObservedContainer): Judged {
  if (error !== '') return { reason: 'StartError', message: error }
  if ((health?.failingStreak ?? 0) > 0)
    return { reason: 'Unhealthy', message: `${health?.failingStreak} checks in a row failed` }
  if (health !== undefined) return { reason: 'HealthTimeout', message: 'it did not become healthy in time' }
  return { reason: 'Exited', message: `it ended with exit code ${exitCode}` }
}

/** Another generation may ask for the same again: then it is tried again. */
function generationOfTrial({ metadata, status }: Container, observed: ObservedContainer): number {
  const { generation = 0 } = metadata
  return status?.rollout?.fingerprint === fingerprintOf(observed)
    ? (status.observedGeneration ?? generation)
    : generation
}

function recordOf(
  status: ContainerStatus | undefined,
  observed: ObservedContainer,
): FailedRevision | undefined {
  const failed = status?.rollout?.failed
  if (failed?.fingerprint !== fingerprintOf(observed)) return undefined
  // Times in a status are whole seconds.
  return Date.parse(failed.time) + 999 >= Date.parse(observed.createdAt) ? failed : undefined
}

/** Whether the API has all there is to tell of a container that failed. */
export function isRecorded(container: Container, world: World, observed: ObservedContainer): boolean {
  const record = recordOf(container.status, observed)
  if (record === undefined) return false
  const tail = world.observed.logTails.get(observed.id) ?? []
  return record.log.length === Math.min(200, tail.length)
}

/** What forbids to try what is wanted: it has failed, for this generation of the object. */
export function failureInForce(
  container: Container,
  world: World,
  wanted: { readonly fingerprint: string; readonly cast: Cast },
): FailedRevision | undefined {
  const known = previousStatus(container, world)?.rollout?.failed
  if (known?.fingerprint === wanted.fingerprint && known.generation === container.metadata.generation)
    return known
  const last = wanted.cast.failed.at(-1)
  if (last === undefined || fingerprintOf(last) !== wanted.fingerprint) return undefined
  return isRecorded(container, world, last) ? undefined : failureOf(container, world, { observed: last })
}

/** What status says failed last: brought up to date while its container is still there. */
export function reportFailure(container: Container, world: World): FailedRevision | undefined {
  const last = castOf(container, world).failed.at(-1)
  if (last === undefined) return previousStatus(container, world)?.rollout?.failed
  return failureOf(container, world, { observed: last })
}

export function fingerprintOf({ labels }: ObservedContainer): string {
  return labels[engineLabels.fingerprint] ?? ''
}
