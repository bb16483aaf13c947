/** The schema of metadata and of conditions, the same for every kind. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { atomicList, listMap, oneOf, stringMap, time } from './schema.ts'

const ownerReference = Type.Object(
  {
    apiVersion: Type.String({ description: 'API version of the owner.' }),
    kind: Type.String({ description: 'Kind of the owner.' }),
    name: Type.String({ description: 'Name of the owner.' }),
    uid: Type.String({ description: 'UID of the owner.' }),
    controller: Type.Optional(Type.Boolean({ description: 'Whether the owner manages this object.' })),
    blockOwnerDeletion: Type.Optional(
      Type.Boolean({ description: 'Whether a foreground deletion of the owner waits for this object.' }),
    ),
  },
  { 'x-kubernetes-map-type': 'atomic' },
)

const managedFieldsEntry = Type.Object({
  manager: Type.String({ description: 'Who set the fields.' }),
  operation: oneOf(['Apply', 'Update'], { description: 'How they were set.' }),
  apiVersion: Type.String({ description: 'API version of the request.' }),
  time: Type.Optional(time({ description: 'When the set of fields last changed.' })),
  fieldsType: oneOf(['FieldsV1'], { description: 'Format of fieldsV1.' }),
  fieldsV1: Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    'x-kubernetes-preserve-unknown-fields': true,
    description: 'The fields, as a trie.',
  }),
  subresource: Type.Optional(Type.String({ description: 'The subresource that was written.' })),
})

export const metadata = Type.Object(
  {
    name: Type.Optional(Type.String({ description: 'Unique in its namespace; cannot be changed.' })),
    generateName: Type.Optional(
      Type.String({ description: 'Prefix of a name that the server completes when name is absent.' }),
    ),
    namespace: Type.Optional(Type.String({ description: 'The namespace of the object; cannot be changed.' })),
    uid: Type.Optional(Type.String({ description: 'Set by the server; never used twice.' })),
    resourceVersion: Type.Optional(
      Type.String({ description: 'Revision of the last change; send it back to refuse lost updates.' }),
    ),
    generation: Type.Optional(Type.Integer({ description: 'Grows with every change of the spec.' })),
    creationTimestamp: Type.Optional(time({ description: 'When the server created the object.' })),
    deletionTimestamp: Type.Optional(
      time({ description: 'When deletion was asked for; the object goes when its finalizers are gone.' }),
    ),
    deletionGracePeriodSeconds: Type.Optional(Type.Integer({ description: 'Time to end gracefully.' })),
    labels: Type.Optional(stringMap({ description: 'Keys and values that selectors match.' })),
    annotations: Type.Optional(stringMap({ description: 'Keys and values for tools.' })),
    ownerReferences: Type.Optional(
      listMap(ownerReference, ['uid'], { description: 'Objects that this one depends on.' }),
    ),
    finalizers: Type.Optional(
      Type.Array(Type.String(), {
        'x-kubernetes-list-type': 'set',
        'x-kubernetes-patch-strategy': 'merge',
        description: 'Who must clean up before the object may go.',
      }),
    ),
    managedFields: Type.Optional(
      atomicList(managedFieldsEntry, { description: 'Who manages which fields.' }),
    ),
  },
  { description: 'Name, labels and what the server keeps about the object.' },
)

const condition = Type.Object({
  type: Type.String({ description: 'What the condition is about.' }),
  status: oneOf(['True', 'False', 'Unknown'], { description: 'Whether it holds.' }),
  reason: Type.String({ description: 'One CamelCase word for programs.' }),
  message: Type.String({ description: 'A sentence for people.' }),
  lastTransitionTime: time({ description: 'When status last changed.' }),
  observedGeneration: Type.Optional(Type.Integer({ description: 'The generation this was computed from.' })),
})

export function conditions(types: readonly string[]) {
  return listMap(condition, ['type'], { description: `What holds now: ${types.join(', ')}.` })
}

export type ConditionSchema = Static<typeof condition>
