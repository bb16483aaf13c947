/** Node: a machine with a container engine and a Cove agent. The agent registers it and keeps its status. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { conditions } from './meta.ts'
import { taints } from './node.taints.ts'
import { objectSchema } from './object.ts'
import { atomicList, time } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))

const spec = Type.Object(
  {
    unschedulable: Type.Boolean({ default: false, description: 'Place nothing new here.' }),
    taints: Type.Optional(taints),
  },
  { default: {}, description: 'What should be.' },
)

const engine = Type.Object(
  {
    id: text("The engine's own id."),
    version: text('Version of the engine.'),
    apiVersion: text('API version spoken with it.'),
    storageDriver: text('Storage driver.'),
    rootDirectory: text('Where it keeps its data.'),
  },
  { description: 'The container engine of the node.' },
)

const resources = (description: string) =>
  Type.Object(
    { cpu: Type.Integer({ description: 'Cores.' }), memory: Type.Integer({ description: 'Bytes.' }) },
    { description },
  )

const status = Type.Object(
  {
    conditions: Type.Optional(conditions(['Ready', 'EngineReady'])),
    addresses: Type.Optional(
      atomicList(
        Type.Object({
          type: Type.String({ description: 'Hostname or InternalIP.' }),
          address: Type.String({ description: 'The address.' }),
        }),
        {
          description: 'Where the node is reached.',
        },
      ),
    ),
    capacity: Type.Optional(resources('What the machine has.')),
    allocatable: Type.Optional(resources('What of it Containers can ask for.')),
    engine: Type.Optional(engine),
    agentVersion: text('Version of the agent.'),
    kernel: text('Kernel release.'),
    operatingSystem: text('Operating system.'),
    architecture: text('Processor architecture.'),
    lastHeartbeat: Type.Optional(time({ description: 'When the agent last reported.' })),
  },
  { description: 'What is.' },
)

export type NodeSpec = Static<typeof spec>
export type NodeStatus = Static<typeof status>

export interface Node extends KubeObject<NodeSpec, NodeStatus> {
  kind: 'Node'
  spec: NodeSpec
}

/** What a node's certificate is asked for with: `spec.csr` in PEM goes in, `status.certificate` and `status.ca` come back. */
export const nodeCertificateKind = { group: 'cove.run', version: 'v1', kind: 'NodeCertificate' } as const

export const nodeKind: Kind<Node> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Node',
  plural: 'nodes',
  singular: 'node',
  shortNames: ['no'],
  categories: ['cove'],
  namespaced: false,
  description: 'Node is a machine with a container engine and a Cove agent.',
  schema: objectSchema({ spec, status }),
  statusSubresource: true,
  selectableFields: [],
  subresources: [
    { name: 'certificate', verbs: ['create'], kind: nodeCertificateKind },
    { name: 'containers', verbs: ['get'] },
    { name: 'adoptable', verbs: ['get'] },
  ],
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Whether it works.',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      cell: nodeState,
    },
    {
      name: 'Engine',
      type: 'string',
      description: 'Version of the engine.',
      jsonPath: '.status.engine.version',
      cell: ({ status }) => status?.engine?.version ?? '',
    },
    {
      name: 'CPU',
      type: 'integer',
      description: 'Cores.',
      jsonPath: '.status.capacity.cpu',
      cell: ({ status }) => status?.capacity?.cpu ?? 0,
    },
    {
      name: 'Memory',
      type: 'string',
      description: 'Memory.',
      cell: ({ status }) => humanBytes(status?.capacity?.memory ?? 0),
    },
    ageColumn,
    {
      name: 'Kernel',
      type: 'string',
      description: 'Kernel release.',
      jsonPath: '.status.kernel',
      wide: true,
      cell: ({ status }) => status?.kernel ?? '',
    },
    {
      name: 'OS',
      type: 'string',
      description: 'Operating system.',
      jsonPath: '.status.operatingSystem',
      wide: true,
      cell: ({ status }) => status?.operatingSystem ?? '',
    },
  ],
  rules: [],
}

function nodeState({ spec, status }: Node): string {
  const ready = findCondition(status?.conditions, 'Ready')
  const word =
    ready?.status === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : `NotReady (${ready.reason})`
  return spec.unschedulable ? `${word},SchedulingDisabled` : word
}
