/** Volume: data that outlives containers. Nothing automatic ever deletes one. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn, reasonColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { conditions } from './meta.ts'
import { objectSchema } from './object.ts'
import { engineObjectName, oneOf, rules, stringMap, unimplemented } from './schema.ts'

/** The engine changes none of it once the volume is made, and data is never moved or deleted to fit. */
const fixed = rules({
  rule: 'self == oldSelf',
  message: 'cannot be changed once the Volume exists: delete it and make it anew',
  reason: 'FieldValueForbidden',
})

const spec = Type.Object(
  {
    driver: Type.String({
      default: 'local',
      minLength: 1,
      maxLength: 253,
      description: 'Volume driver of the engine.',
      ...fixed,
    }),
    externalName: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        pattern: engineObjectName,
        description:
          "The engine's name of a volume that is there already. Cove takes it as it is: it neither makes nor removes it.",
        ...fixed,
      }),
    ),
    driverOpts: stringMap({ default: {}, description: 'Options of the driver.', ...fixed }),
    labels: stringMap({ default: {}, description: 'Labels on the engine.', ...fixed }),
    reclaimPolicy: oneOf(['Retain', 'Delete'], {
      default: 'Retain',
      description: 'What deleting this object does to the data. Retain keeps it; Delete removes it.',
    }),
    nodeName: Type.Optional(
      Type.String({ description: 'The node that holds the data; set by placement when absent.' }),
    ),
    populateFrom: unimplemented(Type.String({ description: 'What a new, empty volume is filled from.' })),
  },
  {
    default: {},
    description: 'What should be.',
    ...rules({
      rule: "!(has(self.externalName) && self.reclaimPolicy == 'Delete')",
      message: 'cannot be Delete beside externalName: what Cove did not make it does not remove',
      fieldPath: '.reclaimPolicy',
    }),
  },
)

const status = Type.Object(
  {
    phase: Type.Optional(oneOf(['Pending', 'Ready', 'Failed'], { description: 'One word for where it is.' })),
    conditions: Type.Optional(conditions(['Ready'])),
    observedGeneration: Type.Optional(
      Type.Integer({ description: 'The generation this status was computed from.' }),
    ),
    nodeName: Type.Optional(Type.String({ description: 'The node that reports this.' })),
    engineName: Type.Optional(Type.String({ description: 'Name of the volume on the engine.' })),
    mountpoint: Type.Optional(Type.String({ description: 'Where the engine keeps the data.' })),
    usedBy: Type.Optional(Type.Array(Type.String(), { description: 'Containers that mount it.' })),
  },
  { description: 'What is.' },
)

export type VolumeSpec = Static<typeof spec>
export type VolumeStatus = Static<typeof status>

export interface Volume extends KubeObject<VolumeSpec, VolumeStatus> {
  kind: 'Volume'
  spec: VolumeSpec
}

export const volumeKind: Kind<Volume> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Volume',
  plural: 'volumes',
  singular: 'volume',
  shortNames: ['vol'],
  categories: ['all', 'cove'],
  namespaced: true,
  description: 'Volume is data that outlives containers.',
  schema: objectSchema({ spec, status }),
  statusSubresource: true,
  selectableFields: ['spec.nodeName', 'status.phase'],
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
      description: 'Volume driver.',
      jsonPath: '.spec.driver',
      cell: ({ spec }) => spec.driver,
    },
    {
      name: 'Reclaim',
      type: 'string',
      description: 'What deleting it does to the data.',
      jsonPath: '.spec.reclaimPolicy',
      cell: ({ spec }) => spec.reclaimPolicy,
    },
    {
      name: 'Node',
      type: 'string',
      description: 'Where the data is.',
      jsonPath: '.spec.nodeName',
      cell: ({ spec }) => spec.nodeName ?? '',
    },
    ageColumn,
    {
      name: 'Used By',
      type: 'string',
      description: 'Containers that mount it.',
      wide: true,
      cell: ({ status }) => status?.usedBy?.join(', ') ?? '',
    },
    reasonColumn,
  ],
  rules: [],
}
