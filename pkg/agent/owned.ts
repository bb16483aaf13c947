/** Which object a container of the engine stands for: one that it was made for, or that has taken it over. */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import { engineLabels } from '#pkg/apis/wellknown.ts'
import { isOurs } from './container.look.ts'

/** A container as any look at the engine tells of it. */
export interface Found {
  readonly id: string
  readonly labels: Readonly<Record<string, string>>
}

export interface Owned {
  readonly namespace: string
  readonly name: string
  /** What was last reported of the object. */
  readonly status?: ContainerStatus
}

export type OwnerOf = (found: Found) => Owned | undefined

interface Known {
  readonly clusterID: string
  readonly containers: Iterable<Container>
  /** By uid. */
  readonly statuses: ReadonlyMap<string, ContainerStatus>
}

/** Undefined: it is nobody's of this API. Pure. */
export function ownedBy(
  { id, labels }: Found,
  { clusterID, containers, statuses }: Known,
): Owned | undefined {
  const {
    [engineLabels.uid]: uid = '',
    [engineLabels.namespace]: namespace = '',
    [engineLabels.name]: name = '',
  } = labels
  if (isOurs(labels, { clusterID })) return { namespace, name, ...withStatus(statuses.get(uid)) }
  for (const { spec, metadata, status: stored } of containers) {
    if (spec.adopt !== id) continue
    const status = statuses.get(metadata.uid ?? '') ?? stored
    if (status?.adopted === id)
      return { namespace: metadata.namespace ?? 'default', name: metadata.name, status }
  }
  return undefined
}

function withStatus(status: ContainerStatus | undefined): Pick<Owned, 'status'> {
  return status === undefined ? {} : { status }
}
