/** Whose a container of the engine is: the object that it was made for or that has taken it over, or somebody else. */
import type { Container, ContainerStatus } from '#pkg/apis/container.ts'
import type { Owner } from '#pkg/apis/looks.ts'
import { clusterOf, engineLabels } from '#pkg/apis/wellknown.ts'
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

/** Labels by which those who make containers know them again. */
const marks = [
  { label: 'com.docker.compose.project', type: 'ComposeProject' },
  { label: 'com.docker.swarm.service.name', type: 'SwarmService' },
] as const
const pod = { name: 'io.kubernetes.pod.name', namespace: 'io.kubernetes.pod.namespace' } as const

/** Whose a container with these labels is, whoever owns it of this API. Pure. */
export function tellOwner(labels: Found['labels'], owned: Owned | undefined): Owner {
  if (owned !== undefined) return { type: 'Container', namespace: owned.namespace, name: owned.name }
  const { [engineLabels.namespace]: namespace, [engineLabels.name]: name } = labels
  const object = { ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }) }
  if (clusterOf(labels) !== undefined) return { type: 'OtherCluster', ...object }
  const { [pod.name]: podName, [pod.namespace]: podNamespace } = labels
  if (podName !== undefined)
    return {
      type: 'KubernetesPod',
      name: podName,
      ...(podNamespace !== undefined && { namespace: podNamespace }),
    }
  for (const { label, type } of marks) {
    const found = labels[label]
    if (found !== undefined) return { type, name: found }
  }
  return { type: 'Nobody' }
}
