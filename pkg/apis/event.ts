/** Event: what happened to an object, why, and how often. */
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { since } from './columns.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { oneOf, time } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))

const reference = Type.Object(
  {
    apiVersion: text('API version of the object.'),
    kind: text('Kind of the object.'),
    namespace: text('Its namespace.'),
    name: text('Its name.'),
    uid: text('Its UID.'),
    resourceVersion: text('Its revision then.'),
    fieldPath: text('The part of it.'),
  },
  { description: 'The object that the event is about.' },
)

export interface ObjectReference {
  apiVersion?: string
  kind?: string
  namespace?: string
  name?: string
  uid?: string
  resourceVersion?: string
  fieldPath?: string
}

export interface Event extends KubeObject {
  kind: 'Event'
  involvedObject: ObjectReference
  reason?: string
  message?: string
  type?: string
  count?: number
  firstTimestamp?: string
  lastTimestamp?: string
  eventTime?: string
  source?: { component?: string; host?: string }
  reportingComponent?: string
  reportingInstance?: string
  action?: string
}

export const eventKind: Kind<Event> = {
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  singular: 'event',
  shortNames: ['ev'],
  categories: [],
  namespaced: true,
  description: 'Event is what happened to an object, why, and how often. Events are kept for an hour.',
  schema: objectSchema(
    {
      involvedObject: reference,
      reason: text('One CamelCase word for programs.'),
      message: text('A sentence for people.'),
      type: Type.Optional(oneOf(['Normal', 'Warning'], { description: 'Whether somebody should look.' })),
      count: Type.Optional(Type.Integer({ description: 'How often it happened.' })),
      firstTimestamp: Type.Optional(time({ description: 'When it first happened.' })),
      lastTimestamp: Type.Optional(time({ description: 'When it last happened.' })),
      eventTime: Type.Optional(time({ description: 'When it happened, in newer events.' })),
      source: Type.Optional(
        Type.Object(
          { component: text('The program.'), host: text('The node.') },
          { description: 'Who reported it.' },
        ),
      ),
      action: text('What was done.'),
      reportingComponent: text('The program that reported it.'),
      reportingInstance: text('The instance of it.'),
    },
    ['involvedObject'],
  ),
  statusSubresource: false,
  selectableFields: [
    'involvedObject.kind',
    'involvedObject.apiVersion',
    'involvedObject.name',
    'involvedObject.namespace',
    'involvedObject.uid',
    'reason',
    'type',
  ],
  nameColumn: 'wide',
  columns: [
    {
      name: 'Last Seen',
      type: 'string',
      description: 'Since it last happened.',
      cell: ({ lastTimestamp, eventTime }, now) => since(lastTimestamp ?? eventTime, now),
    },
    { name: 'Type', type: 'string', description: 'Normal or Warning.', cell: ({ type }) => type ?? 'Normal' },
    {
      name: 'Reason',
      type: 'string',
      description: 'What happened, in a word.',
      cell: ({ reason }) => reason ?? '',
    },
    {
      name: 'Object',
      type: 'string',
      description: 'To what.',
      cell: ({ involvedObject }) => `${involvedObject.kind?.toLowerCase()}/${involvedObject.name}`,
    },
    {
      name: 'Source',
      type: 'string',
      description: 'Who says so.',
      wide: true,
      cell: ({ source, reportingComponent }) => source?.component ?? reportingComponent ?? '',
    },
    {
      name: 'Message',
      type: 'string',
      description: 'What happened.',
      cell: ({ message }) => message?.trim() ?? '',
    },
    {
      name: 'First Seen',
      type: 'string',
      description: 'Since it first happened.',
      wide: true,
      cell: ({ firstTimestamp, eventTime }, now) => since(firstTimestamp ?? eventTime, now),
    },
    {
      name: 'Count',
      type: 'integer',
      description: 'How often.',
      wide: true,
      cell: ({ count }) => count ?? 1,
    },
  ],
  rules: [],
}
