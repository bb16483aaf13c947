/** Which containers the agent checks itself, and where it reaches them. Pure. */
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import type { ObservedContainer, ObservedHealth } from '#pkg/engine/port.ts'
import { isOurs } from './container.look.ts'
import { readProbe } from './probe.ts'
import type { ProbeTarget } from './prober.ts'

/** What was last known of the objects that containers were made for, by uid. */
export type StatusOf = (uid: string) => ContainerStatus | undefined

export function probeTargets(
  containers: readonly ObservedContainer[],
  clusterID: string,
  statusOf: StatusOf,
): ProbeTarget[] {
  const byID = new Map(containers.map((container) => [container.id, container]))
  return containers.flatMap((container) => {
    if (!isOurs(container.labels, { clusterID })) return []
    const probe = readProbe(container.labels[engineLabels.probe])
    if (probe === undefined) return []
    const known = knownHealth(container, statusOf(container.labels[engineLabels.uid] ?? ''))
    return [{ container, probe, addresses: addressesOf(container, byID), ...(known && { known }) }]
  })
}

/** Where the node reaches it: one in the network of the node, or of another container, is reached there. */
export function addressesOf(
  container: ObservedContainer,
  byID: ReadonlyMap<string, ObservedContainer>,
  seen: readonly string[] = [],
): readonly string[] {
  const { id, networkMode, networks } = container
  if (networkMode === 'host') return ['127.0.0.1']
  if (networkMode.startsWith('container:')) {
    const owner = byID.get(networkMode.slice('container:'.length))
    return owner === undefined || seen.includes(id) ? [] : addressesOf(owner, byID, [...seen, id])
  }
  return networks.map(({ ip }) => ip).filter((ip) => ip !== '')
}

/** Only of the same run: whoever was started again has to show anew that it works. */
function knownHealth(
  { id, startedAt }: ObservedContainer,
  status: ContainerStatus | undefined,
): ObservedHealth | undefined {
  const same = status?.containerID === id && status.startedAt === startedAt
  return same ? status.health : undefined
}

/** The containers with the results of those checks. */
export function withHealth(
  containers: readonly ObservedContainer[],
  healthOf: (id: string) => ObservedHealth | undefined,
): readonly ObservedContainer[] {
  return containers.map((container) => {
    const health = healthOf(container.id)
    return health === undefined ? container : { ...container, health }
  })
}
