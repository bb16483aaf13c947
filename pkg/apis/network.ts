/** Network: a network of the engine that Containers join; names and aliases resolve inside it. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { conditions } from './meta.ts'
import { objectSchema } from './object.ts'
import { atomicList, engineObjectName, oneOf, rules, stringMap } from './schema.ts'

const isRange = rules({
  rule: 'isCIDR(self)',
  message: 'must be a range of addresses such as 10.9.0.0/24',
  messageExpression: `'"' + self + '" is not a range of addresses such as 10.9.0.0/24'`,
})
const isAddress = rules({
  rule: 'isIP(self)',
  message: 'must be an address',
  messageExpression: `'"' + self + '" is not an address'`,
})
/** The longest way to write an IPv6 address, and a range of them. */
const longest = { address: { maxLength: 45 }, range: { maxLength: 49 } }

const ipam = Type.Object(
  {
    subnet: Type.String({
      ...longest.range,
      description: 'Addresses of the network: 10.9.0.0/24.',
      ...isRange,
    }),
    gateway: Type.Optional(
      Type.String({ ...longest.address, description: 'Address of the gateway.', ...isAddress }),
    ),
    ipRange: Type.Optional(
      Type.String({
        ...longest.range,
        description: 'Part of the subnet that containers get addresses from.',
        ...isRange,
      }),
    ),
  },
  rules(
    {
      rule: '!has(self.gateway) || !isCIDR(self.subnet) || !isIP(self.gateway) || cidr(self.subnet).containsIP(self.gateway)',
      message: 'must be an address of the subnet',
      fieldPath: '.gateway',
    },
    {
      rule: '!has(self.ipRange) || !isCIDR(self.subnet) || !isCIDR(self.ipRange) || cidr(self.subnet).containsCIDR(self.ipRange)',
      message: 'must be a part of the subnet',
      fieldPath: '.ipRange',
    },
  ),
)

const spec = Type.Object(
  {
    externalName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        pattern: engineObjectName,
        description:
          "The engine's name of a network that is there already. Cove takes it as it is: it neither makes nor removes it.",
      }),
    ),
    driver: Type.String({ default: 'bridge', minLength: 1, description: 'Network driver of the engine.' }),
    internal: Type.Boolean({ default: false, description: 'Without a way to the outside.' }),
    ipam: atomicList(ipam, {
      default: [],
      maxItems: 16,
      description: 'Addresses; absent: the engine picks.',
    }),
    options: stringMap({ default: {}, description: 'Options of the driver.' }),
    labels: stringMap({ default: {}, description: 'Labels on the engine.' }),
  },
  {
    default: {},
    description: 'What should be. Everything here is fixed when the network is made; a change makes it anew.',
  },
)

const nodeState = Type.Object({
  id: Type.Optional(Type.String({ description: 'Id on the engine.' })),
  state: oneOf(['Pending', 'Ready', 'Failed', 'InUse'], { description: 'Where it is on that node.' }),
  message: Type.Optional(Type.String({ description: 'Why.' })),
  subnets: Type.Optional(atomicList(Type.String(), { description: 'Its addresses there.' })),
})

const status = Type.Object(
  {
    phase: Type.Optional(oneOf(['Pending', 'Ready', 'Failed'], { description: 'One word for where it is.' })),
    conditions: Type.Optional(conditions(['Ready'])),
    observedGeneration: Type.Optional(
      Type.Integer({ description: 'The generation this status was computed from.' }),
    ),
    nodes: Type.Optional(Type.Record(Type.String(), nodeState, { description: 'Its state on each node.' })),
  },
  { description: 'What is.' },
)

export type NetworkSpec = Static<typeof spec>
export type NetworkStatus = Static<typeof status>
export type NetworkNodeState = Static<typeof nodeState>

export interface Network extends KubeObject<NetworkSpec, NetworkStatus> {
  kind: 'Network'
  spec: NetworkSpec
}

export const networkKind: Kind<Network> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Network',
  plural: 'networks',
  singular: 'network',
  shortNames: ['net'],
  categories: ['all', 'cove'],
  namespaced: true,
  description: 'Network is a network that Containers join; names and aliases resolve inside it.',
  schema: objectSchema({ spec, status }),
  statusSubresource: true,
  selectableFields: ['status.phase'],
  changeOf: (path) => (path.startsWith('spec.') ? 'recreate' : 'nothing'),
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Where it is.',
      jsonPath: '.status.phase',
      cell: ({ status }) => status?.phase ?? 'Pending',
    },
    {
      name: 'Driver',
      type: 'string',
      description: 'Network driver.',
      jsonPath: '.spec.driver',
      cell: ({ spec }) => spec.driver,
    },
    {
      name: 'Internal',
      type: 'string',
      description: 'Without a way out.',
      jsonPath: '.spec.internal',
      cell: ({ spec }) => String(spec.internal),
    },
    ageColumn,
    {
      name: 'Subnets',
      type: 'string',
      description: 'Its addresses on each node.',
      wide: true,
      cell: ({ status }) =>
        Object.values(status?.nodes ?? {})
          .flatMap((node) => node.subnets ?? [])
          .join(', '),
    },
  ],
  rules: [],
}
