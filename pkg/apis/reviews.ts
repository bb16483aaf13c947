/**
 * The questions that can be put to the API about rights and identity: what they hold, for `explain` and for clients that
 * look a kind up before they send one. Nothing of them is stored.
 */
import * as Type from 'typebox'
import { objectSchema } from './object.ts'
import { atomicList, type Schema } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const flag = (description: string) => Type.Optional(Type.Boolean({ description }))
const texts = (description: string) => Type.Optional(atomicList(Type.String(), { description }))
const extra = Type.Optional(
  Type.Record(Type.String(), Type.Array(Type.String()), { description: 'What else is known of the user.' }),
)

const attributes = {
  resourceAttributes: Type.Optional(
    Type.Object(
      {
        namespace: text('The namespace; empty: all of them, or an object of the cluster.'),
        verb: text('What is to be done: get, list, watch, create, update, patch, delete, ...'),
        group: text('The group of the resource; empty: the core group.'),
        version: text('The version of the resource.'),
        resource: text('With what, in the plural.'),
        subresource: text('With which part of it, such as log.'),
        name: text('Name of the object; empty: all of them.'),
      },
      { description: 'Whether something may be done with a resource.' },
    ),
  ),
  nonResourceAttributes: Type.Optional(
    Type.Object(
      { path: text('The path.'), verb: text('The method, in small letters.') },
      { description: 'Whether a path may be asked that is no resource.' },
    ),
  ),
}

const subject = {
  user: text('The name of the user.'),
  groups: texts('The groups that the user is in.'),
  uid: text('The UID of the user.'),
  extra,
}

const spec = (fields: Parameters<typeof Type.Object>[0]) =>
  Type.Object(fields, { description: 'What is asked.' })

const decision = Type.Optional(
  Type.Object(
    {
      allowed: Type.Boolean({ description: 'Whether it is allowed.' }),
      denied: flag('Whether it is refused whatever others say.'),
      reason: text('Why.'),
      evaluationError: text('What could not be looked at.'),
    },
    { description: 'The answer.' },
  ),
)

const rule = (fields: readonly string[]) =>
  Type.Object(Object.fromEntries(fields.map((field) => [field, texts(`As the field ${field} of a Role.`)])))

const userInfo = Type.Object(
  { username: text('The name of the user.'), ...{ uid: subject.uid, groups: subject.groups, extra } },
  { description: 'Who it is.' },
)

export interface ReviewSchema {
  readonly description: string
  readonly schema: Schema
}

/** By kind. */
export const reviewSchemas = {
  SelfSubjectReview: {
    description: 'SelfSubjectReview asks who one is.',
    schema: objectSchema({
      status: Type.Optional(Type.Object({ userInfo }, { description: 'The answer.' })),
    }),
  },
  TokenReview: {
    description: 'TokenReview asks whose token it is.',
    schema: objectSchema(
      {
        spec: spec({
          token: text('The token.'),
          audiences: texts('For whom it must be good; absent: for the API.'),
        }),
        status: Type.Optional(
          Type.Object(
            {
              authenticated: flag('Whether the token is good.'),
              user: Type.Optional(userInfo),
              audiences: texts('For whom of those it is good.'),
              error: text('What is wrong with it.'),
            },
            { description: 'The answer.' },
          ),
        ),
      },
      ['spec'],
    ),
  },
  SubjectAccessReview: {
    description: 'SubjectAccessReview asks whether somebody may do something.',
    schema: objectSchema({ spec: spec({ ...attributes, ...subject }), status: decision }, ['spec']),
  },
  LocalSubjectAccessReview: {
    description: 'LocalSubjectAccessReview asks whether somebody may do something in a namespace.',
    schema: objectSchema({ spec: spec({ ...attributes, ...subject }), status: decision }, ['spec']),
  },
  SelfSubjectAccessReview: {
    description: 'SelfSubjectAccessReview asks whether one may do something oneself.',
    schema: objectSchema({ spec: spec(attributes), status: decision }, ['spec']),
  },
  SelfSubjectRulesReview: {
    description: 'SelfSubjectRulesReview asks for all that one may do in a namespace.',
    schema: objectSchema(
      {
        spec: spec({ namespace: text('The namespace.') }),
        status: Type.Optional(
          Type.Object(
            {
              resourceRules: Type.Array(rule(['verbs', 'apiGroups', 'resources', 'resourceNames']), {
                description: 'What may be done with resources.',
              }),
              nonResourceRules: Type.Array(rule(['verbs', 'nonResourceURLs']), {
                description: 'Which paths may be asked that are no resources.',
              }),
              incomplete: Type.Boolean({ description: 'Whether more may be allowed than is told here.' }),
              evaluationError: text('What could not be looked at.'),
            },
            { description: 'The answer.' },
          ),
        ),
      },
      ['spec'],
    ),
  },
} as const satisfies Readonly<Record<string, ReviewSchema>>
