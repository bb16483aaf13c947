/** Lease: who holds something that only one may hold, and until when. As Kubernetes' coordination.k8s.io/v1 has it. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { time } from './schema.ts'

const spec = Type.Object(
  {
    holderIdentity: Type.Optional(Type.String({ description: 'Who holds it; absent: nobody.' })),
    leaseDurationSeconds: Type.Optional(
      Type.Integer({ minimum: 1, description: 'How long others wait after renewTime before they take it.' }),
    ),
    acquireTime: Type.Optional(time({ description: 'When its holder took it, to the microsecond.' })),
    renewTime: Type.Optional(time({ description: 'When its holder last said that it goes on.' })),
    leaseTransitions: Type.Optional(
      Type.Integer({ minimum: 0, description: 'How often it went from one holder to another.' }),
    ),
    strategy: Type.Optional(Type.String({ description: 'How its next holder is chosen.' })),
    preferredHolder: Type.Optional(Type.String({ description: 'Who should take it next.' })),
  },
  { default: {}, description: 'Who holds it, and since when.' },
)

export interface Lease extends KubeObject<Static<typeof spec>> {
  kind: 'Lease'
  spec: Static<typeof spec>
}

export const leaseKind: Kind<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  singular: 'lease',
  shortNames: [],
  categories: [],
  namespaced: true,
  description:
    'Lease says who holds something that only one may hold, such as the lead among several programs.',
  schema: objectSchema({ spec }),
  statusSubresource: false,
  selectableFields: [],
  columns: [
    {
      name: 'Holder',
      type: 'string',
      description: 'Who holds it.',
      cell: ({ spec: { holderIdentity } }) => holderIdentity ?? '',
    },
    ageColumn,
  ],
  rules: [],
}
