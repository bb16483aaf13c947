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

const engineSettings = Type.Object(
  {
    insecureRegistries: Type.Optional(
      atomicList(Type.String({ minLength: 1, maxLength: 253, pattern: '^[^/\\s]+(/[0-9]{1,3})?$' }), {
        maxItems: 64,
        description:
          'Registries that the engine may speak to without a verified certificate: host[:port], or a network such as 10.0.0.0/8.',
      }),
    ),
    registryMirrors: Type.Optional(
      atomicList(Type.String({ pattern: '^https?://[^/\\s]+/?$', maxLength: 512 }), {
        maxItems: 16,
        description: 'Where the engine looks for images of docker.io first: http(s)://host[:port].',
      }),
    ),
  },
  {
    description:
      'Settings of the engine that the agent writes into its daemon.json and has it read again, without a restart of anything. What the engine refuses is put back. Absent, also of each field: the agent leaves them alone.',
  },
)

const disk = Type.Object(
  {
    path: text('Where the engine keeps its data.'),
    totalBytes: Type.Integer({ description: 'Size of that file system.' }),
    usedBytes: Type.Integer({ description: 'What is used of it.' }),
    availableBytes: Type.Integer({ description: 'What is left for the engine.' }),
    usedPercent: Type.Integer({ description: 'What is used, in per cent of what can be.' }),
  },
  { description: 'The file system of the engine.' },
)

const registries = Type.Object(
  {
    insecure: atomicList(Type.String(), { description: 'Spoken to without a verified certificate.' }),
    mirrors: atomicList(Type.String(), { description: 'Asked first for docker.io.' }),
  },
  { description: 'How the engine reaches registries.' },
)

const spec = Type.Object(
  {
    unschedulable: Type.Boolean({ default: false, description: 'Place nothing new here.' }),
    taints: Type.Optional(taints),
    engine: Type.Optional(engineSettings),
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
    containers: Type.Optional(
      Type.Integer({ description: 'How many containers it has, whatever their state.' }),
    ),
    images: Type.Optional(Type.Integer({ description: 'How many images it has.' })),
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
    conditions: Type.Optional(conditions(['Ready', 'EngineReady', 'DiskPressure', 'EngineConfigured'])),
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
    disk: Type.Optional(disk),
    registries: Type.Optional(registries),
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
    { name: 'images', verbs: ['get', 'create', 'delete'] },
    { name: 'registry', verbs: ['get'] },
    { name: 'disk', verbs: ['get'] },
    { name: 'prune', verbs: ['create'] },
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
