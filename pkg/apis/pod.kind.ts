/** The kind Pod: a view of Containers, with the table that kubectl's users know. */
import { ageColumn, since } from './columns.ts'
import { containerKind } from './container.kind.ts'
import type { Container } from './container.ts'
import { anyKind, type Column, type Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { type Pod, podSpec, podStatus } from './pod.ts'
import { podOf } from './pod.view.ts'

const columns: readonly Column<Pod>[] = [
  {
    name: 'Ready',
    type: 'string',
    description: 'How many of its containers do what they should.',
    cell: ready,
  },
  { name: 'Status', type: 'string', description: 'What it is doing, or why not.', cell: status },
  { name: 'Restarts', type: 'string', description: 'How often it was started again.', cell: restarts },
  ageColumn,
  {
    name: 'IP',
    type: 'string',
    description: 'Its address.',
    wide: true,
    cell: ({ status }) => status.podIP ?? '<none>',
  },
  {
    name: 'Node',
    type: 'string',
    description: 'Where it runs.',
    wide: true,
    cell: ({ spec }) => spec.nodeName ?? '<none>',
  },
]

const streamVerbs = ['create', 'get'] as const

export const podKind: Kind<Pod> = {
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  singular: 'pod',
  shortNames: ['po'],
  categories: [],
  namespaced: true,
  description:
    'Pod shows a Container the way Kubernetes shows a Pod, for its logs, exec, attach and port-forward. It cannot be written: change the Container of the same name.',
  schema: objectSchema({ spec: podSpec, status: podStatus }, ['spec']),
  statusSubresource: false,
  subresources: [
    { name: 'log', verbs: ['get'] },
    { name: 'exec', verbs: streamVerbs, kind: { group: '', version: 'v1', kind: 'PodExecOptions' } },
    { name: 'attach', verbs: streamVerbs, kind: { group: '', version: 'v1', kind: 'PodAttachOptions' } },
    {
      name: 'portforward',
      verbs: streamVerbs,
      kind: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
    },
  ],
  selectableFields: ['spec.nodeName', 'spec.restartPolicy', 'status.phase', 'status.podIP'],
  columns,
  rules: [],
  viewOf: {
    source: anyKind(containerKind),
    // The schema of Container has accepted everything that is stored as one.
    project: (object) => podOf(object as Container),
    sameFields: ['spec.nodeName'],
  },
}

function ready({ spec, status }: Pod): string {
  const isReady = (status.containerStatuses ?? []).filter(({ ready }) => ready).length
  return `${isReady}/${spec.containers.length}`
}

/** As kubectl tells it: what keeps the container from running, else the phase. */
function status({ metadata, status }: Pod): string {
  if (metadata.deletionTimestamp !== undefined) return 'Terminating'
  const [state] = (status.containerStatuses ?? []).map((container) => container.state)
  return state?.waiting?.reason ?? state?.terminated?.reason ?? status.phase
}

function restarts({ status }: Pod, now: number): string {
  const [container] = status.containerStatuses ?? []
  const count = container?.restartCount ?? 0
  const last = container?.lastState.terminated?.finishedAt
  return count === 0 || last === undefined ? String(count) : `${count} (${since(last, now)} ago)`
}
