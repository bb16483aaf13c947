/** A look at the engine with what the agent itself checks in it: whose results it has, and from now on whom it asks. */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { lastCheck } from './container.stall.ts'
import { steadyHealth } from './container.steady.ts'
import type { EndBook } from './endbook.ts'
import { probeTargets, withHealth } from './probe.targets.ts'
import type { Prober } from './prober.ts'
import type { RearmBook } from './rearmbook.ts'
import type { Desired, Observation } from './world.ts'

export interface Checking {
  readonly desired: Pick<Desired, 'containers'>
  readonly clusterID: string
  /** By uid. */
  readonly statuses: ReadonlyMap<string, ContainerStatus>
  readonly prober: Prober
  readonly rearmed: RearmBook
  readonly asked: EndBook
}

export function withChecks(seen: Observation, checking: Checking): Observation {
  const { desired, clusterID, statuses, prober, rearmed, asked } = checking
  const stored = new Map(
    [...desired.containers.values()].map(({ metadata, status }) => [metadata.uid, status]),
  )
  prober.sync(probeTargets(seen.containers, clusterID, (uid) => statuses.get(uid) ?? stored.get(uid)))
  rearmed.sync(lastCheck(seen.containers))
  asked.sync(seen.containers)
  const checked = withHealth(seen.containers, (id) => prober.healthOf(id))
  const known = [...stored].map(([uid = '', status]) => statuses.get(uid) ?? status)
  return { ...seen, containers: steadyHealth(checked, known) }
}
