/** Registry: what the nodes should know of one registry: credentials, how fast it may be asked, how engines reach it. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { conditions } from './meta.ts'
import { objectSchema } from './object.ts'
import { atomicList, oneOf, rules } from './schema.ts'

const fixed = rules({
  rule: 'self == oldSelf',
  message: 'cannot be changed: make another Registry',
  reason: 'FieldValueForbidden',
})

const spec = Type.Object(
  {
    server: Type.String({
      minLength: 1,
      maxLength: 253,
      pattern: '^[A-Za-z0-9.-]+(:[0-9]{1,5})?$|^\\[[0-9A-Fa-f:]+\\](:[0-9]{1,5})?$',
      description: 'As references name it: docker.io, registry.example.com:5000.',
      ...fixed,
    }),
    secret: Type.Optional(
      Type.Object(
        {
          namespace: Type.String({ minLength: 1, maxLength: 63, description: 'Its namespace.' }),
          name: Type.String({ minLength: 1, maxLength: 253, description: 'Its name.' }),
        },
        {
          description:
            'A Secret of the type kubernetes.io/dockerconfigjson that all nodes may use for this registry, after the Secrets that an Image or Container names.',
        },
      ),
    ),
    insecure: Type.Optional(
      Type.Boolean({
        description:
          'That engines speak to it without a verified certificate. Looked at on every node and reported; changed there only by spec.engine of the Node.',
      }),
    ),
    mirrors: Type.Optional(
      atomicList(Type.String({ pattern: '^https?://[^/]+/?$', maxLength: 512 }), {
        maxItems: 16,
        description:
          'Mirrors that engines ask first, for docker.io only. Looked at on every node and reported; changed there only by spec.engine of the Node.',
      }),
    ),
    pullLimit: Type.Optional(
      Type.Object(
        {
          pulls: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'So many pulls at most.' }),
          per: Type.String({ format: 'cove-duration', maxLength: 64, description: 'In this time.' }),
        },
        { description: 'The budget of each node for this registry: what is over it waits. Absent: none.' },
      ),
    ),
  },
  {
    description: 'What should be.',
    ...rules({
      rule: "!has(self.mirrors) || self.server == 'docker.io'",
      message: 'engines have mirrors for docker.io only',
      fieldPath: '.mirrors',
    }),
  },
)

const nodeState = Type.Object({
  state: oneOf(['Ready', 'Differs'], {
    description: "Whether the node's engine reaches it as the spec says.",
  }),
  message: Type.Optional(Type.String({ description: 'What differs, and what to do.' })),
})

const status = Type.Object(
  {
    conditions: Type.Optional(conditions(['Ready'])),
    observedGeneration: Type.Optional(
      Type.Integer({ description: 'The generation this status was computed from.' }),
    ),
    nodes: Type.Optional(Type.Record(Type.String(), nodeState, { description: 'Its state on each node.' })),
  },
  { description: 'What is.' },
)

export type RegistrySpec = Static<typeof spec>
export type RegistryStatus = Static<typeof status>

export interface Registry extends KubeObject<RegistrySpec, RegistryStatus> {
  kind: 'Registry'
  spec: RegistrySpec
}

export const registryKind: Kind<Registry> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Registry',
  plural: 'registries',
  singular: 'registry',
  shortNames: ['reg'],
  categories: ['cove'],
  namespaced: false,
  description: 'Registry is what nodes should know of one registry.',
  schema: objectSchema({ spec, status }),
  statusSubresource: true,
  selectableFields: ['spec.server'],
  columns: [
    {
      name: 'Server',
      type: 'string',
      description: 'As references name it.',
      jsonPath: '.spec.server',
      cell: ({ spec }) => spec.server,
    },
    {
      name: 'Secret',
      type: 'string',
      description: 'Where its credentials are.',
      cell: ({ spec: { secret } }) => (secret === undefined ? '' : `${secret.namespace}/${secret.name}`),
    },
    {
      name: 'Ready',
      type: 'string',
      description: 'Whether engines reach it as the spec says.',
      jsonPath: '.status.conditions[?(@.type=="Ready")].status',
      cell: ({ status }) => findCondition(status?.conditions, 'Ready')?.status ?? 'Unknown',
    },
    ageColumn,
  ],
  rules: [],
}
