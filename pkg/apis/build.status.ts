/** What is known of a Build: written by the node that makes it. */
import * as Type from 'typebox'
import { conditions } from './meta.ts'
import { atomicList, listMap, oneOf, time } from './schema.ts'

/** How much of each a status holds; who writes more is refused. */
export const statusBounds = {
  bases: 128,
  failureLog: 20,
  history: 100,
  stages: 256,
  steps: 512,
  triggers: 64,
  warnings: 64,
} as const

const text = (description: string) => Type.Optional(Type.String({ description }))
const count = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }))

const step = Type.Object({
  number: Type.Integer({ minimum: 1, description: 'Counted from 1, as the builder counts them.' }),
  stage: text('Name or number of the stage it belongs to.'),
  instruction: Type.String({ description: 'The instruction; long ones are cut.' }),
  state: oneOf(['Running', 'Done', 'Cached', 'Failed', 'Canceled'], {
    description: 'Cached: taken from an earlier build.',
  }),
  seconds: Type.Optional(Type.Number({ minimum: 0, description: 'How long it took.' })),
  layer: text('Id of the image after it, where the builder tells.'),
  triggers: Type.Optional(
    atomicList(Type.String(), {
      maxItems: statusBounds.triggers,
      description:
        'What the image of a FROM brings along (ONBUILD) and the classic builder runs as part of it; with BuildKit these are steps of their own.',
    }),
  ),
})

const base = Type.Object({
  reference: Type.String({ description: 'As the Dockerfile names it, its arguments put in.' }),
  id: text('Id of the image on the node.'),
  digest: text('Its digest in the registry, where it has one.'),
  checkedAt: Type.Optional(time({ description: 'When its registry was last asked what it means.' })),
})

const warning = Type.Object({
  rule: Type.String({ description: 'Name of the rule, such as UnusedBuildArg.' }),
  message: Type.String({ description: 'What is the matter, and what to do.' }),
  line: Type.Optional(Type.Integer({ minimum: 1, description: 'Of the Dockerfile.' })),
})

const failure = Type.Object(
  {
    reason: Type.String({ description: 'A word: StepFailed, ContextTooLarge, TimedOut, ...' }),
    message: Type.String({ description: 'What went wrong.' }),
    inputHash: text('Of what cannot be built: it is not tried again as long as it is the same.'),
    exitCode: Type.Optional(Type.Integer({ description: 'Of the command of the step.' })),
    step: Type.Optional(Type.Integer({ minimum: 1, description: 'Number of the step.' })),
    line: Type.Optional(Type.Integer({ minimum: 1, description: 'Of the Dockerfile.' })),
    log: Type.Optional(
      atomicList(Type.String(), {
        maxItems: statusBounds.failureLog,
        description: 'The last lines that the step wrote.',
      }),
    ),
  },
  { description: 'Why the last attempt failed.' },
)

const past = Type.Object({
  number: Type.Integer({ minimum: 1, description: 'Of the attempt.' }),
  result: oneOf(['Succeeded', 'Failed', 'Canceled'], { description: 'How it ended.' }),
  cause: Type.String({ description: 'Why it was made: which input had moved.' }),
  inputHash: text('Of what it was made of.'),
  id: text('Id of the image that came of it.'),
  message: text('Why it failed.'),
  startedAt: time({ description: 'When it began.' }),
  finishedAt: time({ description: 'When it ended.' }),
})

export const buildStatus = Type.Object(
  {
    phase: Type.Optional(
      oneOf(
        ['Pending', 'Preparing', 'Building', 'Succeeded', 'Failed', 'Canceled', 'Suspended', 'Terminating'],
        {
          description: 'One word for where it is.',
        },
      ),
    ),
    conditions: Type.Optional(conditions(['Ready', 'UpToDate', 'Stalled'])),
    observedGeneration: Type.Optional(
      Type.Integer({ description: 'The generation this status was computed from.' }),
    ),
    inputHash: text(
      'Of everything the image was made of, by content: the same inputs have the same one on any machine, at any time.',
    ),
    inputs: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        description:
          'What `inputHash` is made of, part by part: context, dockerfile, args, base IMAGE, secret ID, ...',
      }),
    ),
    image: Type.Optional(
      Type.Object(
        {
          id: Type.String({ description: 'Id of the last good image: sha256:...' }),
          reference: text('Its first name.'),
          size: count('Bytes, unpacked.'),
        },
        { description: 'The last image that came of it; a failed build leaves it.' },
      ),
    ),
    stages: Type.Optional(
      atomicList(Type.String(), {
        maxItems: statusBounds.stages,
        description: 'Ids of the images of its other stages, which are the cache of the next build.',
      }),
    ),
    attempt: count('How many builds were begun.'),
    cause: text('Why the last one was: which input had moved.'),
    builder: text('Classic or BuildKit: what made it.'),
    revision: text('What of the context was taken: a commit, or a digest of its files.'),
    contextBytes: count('Bytes of the files of the context.'),
    contextFiles: count('How many they are.'),
    bases: Type.Optional(
      listMap(base, ['reference'], { maxItems: statusBounds.bases, description: 'Images it is made of.' }),
    ),
    steps: Type.Optional(
      listMap(step, ['number'], {
        maxItems: statusBounds.steps,
        description: 'Of the last attempt, as far as it came.',
      }),
    ),
    cacheHits: count('How many of its steps were cached.'),
    warnings: Type.Optional(
      atomicList(warning, {
        maxItems: statusBounds.warnings,
        description: 'What is wrong with the Dockerfile or its arguments.',
      }),
    ),
    failure: Type.Optional(failure),
    startedAt: Type.Optional(time({ description: 'When the last attempt began.' })),
    finishedAt: Type.Optional(time({ description: 'When it ended.' })),
    checkedAt: Type.Optional(
      time({
        description:
          'When it was last asked whether context or bases have moved. While nothing else changes, the times of these questions are written every five minutes at most.',
      }),
    ),
    nextCheckAt: Type.Optional(
      time({ description: 'When it is asked next, as of the time when that was written.' }),
    ),
    nextScheduledAt: Type.Optional(time({ description: 'When triggers.schedule makes the next one.' })),
    scheduledAt: Type.Optional(
      time({ description: 'The time of triggers.schedule that was last answered.' }),
    ),
    request: text('The last value of the annotation cove.run/build-requested that was answered.'),
    canceled: text('The last value of the annotation cove.run/cancel-requested that was answered.'),
    history: Type.Optional(
      listMap(past, ['number'], {
        maxItems: statusBounds.history,
        description: 'Earlier attempts, the newest first.',
      }),
    ),
  },
  { description: 'What is.' },
)
