/** What the agent reports of a Container. Optional means: not known yet, or not the case. */
import * as Type from 'typebox'
import { conditions } from './meta.ts'
import { atomicList, oneOf, time } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const integer = (description: string) => Type.Optional(Type.Integer({ description }))
const when = (description: string) => Type.Optional(time({ description }))

const layer = Type.Object({
  id: Type.String({ description: 'First 12 characters of the layer.' }),
  state: Type.String({ description: 'Waiting, Downloading, Extracting, Pull complete, ...' }),
  currentBytes: integer('Bytes done.'),
  totalBytes: integer('Bytes in all.'),
})

const image = Type.Object(
  {
    reference: Type.String({ description: 'The reference that was resolved.' }),
    digest: text('repository@sha256:... as the registry names it; absent for an image made on the node.'),
    id: text('Id of the image on the engine.'),
    layers: Type.Optional(atomicList(layer, { description: 'Progress, while it is being pulled.' })),
  },
  { description: 'The image it runs.' },
)

const port = Type.Object({
  containerPort: Type.Integer({ description: 'Port inside the container.' }),
  hostPort: Type.Integer({ description: 'Port of the host.' }),
  hostIP: Type.String({ description: 'Address of the host.' }),
  protocol: oneOf(['TCP', 'UDP', 'SCTP'], { description: 'Protocol.' }),
})

const termination = Type.Object(
  {
    exitCode: Type.Integer({ description: 'Exit code; 128 and above: killed by a signal.' }),
    reason: Type.String({ description: 'Completed, Error, OOMKilled or StartError.' }),
    message: text('What is known of it beyond the code.'),
    startedAt: when('When that run began.'),
    finishedAt: when('When it ended.'),
  },
  { description: 'How it ended last time.' },
)

const probe = Type.Object({
  start: time({ description: 'When the check began.' }),
  end: time({ description: 'When it ended.' }),
  exitCode: Type.Integer({ description: '0: healthy; -1: timed out.' }),
  output: Type.String({ description: 'What it printed, cut to 4096 bytes.' }),
})

const health = Type.Object(
  {
    status: oneOf(['starting', 'healthy', 'unhealthy'], { description: 'As Docker has it.' }),
    failingStreak: Type.Integer({ description: 'Failures in a row.' }),
    log: atomicList(probe, { description: 'The last five checks.' }),
  },
  { description: 'The result of the healthcheck; absent without one.' },
)

const lastAction = Type.Object(
  {
    time: time({ description: 'When.' }),
    action: Type.String({ description: 'What was done.' }),
    cause: Type.String({ description: 'Because of what.' }),
  },
  { description: 'The last thing the agent did to it.' },
)

export const containerStatus = Type.Object(
  {
    phase: Type.Optional(
      oneOf(
        ['Pending', 'Pulling', 'Starting', 'Running', 'Paused', 'Stopped', 'Succeeded', 'Failed', 'Unknown'],
        {
          description: 'One word for where it is.',
        },
      ),
    ),
    conditions: Type.Optional(conditions(['ImageReady', 'Ready', 'Healthy', 'UpToDate', 'Stalled'])),
    observedGeneration: integer('The generation this status was computed from.'),
    nodeName: text('The node that reports this.'),
    containerID: text('Id on the engine.'),
    pid: integer('Process id of its main process on the node.'),
    image: Type.Optional(image),
    fingerprint: text('Fingerprint of the resolved spec it was created from.'),
    effectiveCommand: Type.Optional(
      atomicList(Type.String(), { description: 'Entry point and arguments as they run.' }),
    ),
    ports: Type.Optional(atomicList(port, { description: 'Ports as published now.' })),
    ip: text('Its address in its first network.'),
    startedAt: when('When this run began.'),
    finishedAt: when('When it ended.'),
    exitCode: integer('Exit code of the last run.'),
    oomKilled: Type.Optional(
      Type.Boolean({ description: 'Whether the kernel killed the last run for its memory.' }),
    ),
    restartCount: integer('How often it was started again, for whatever reason.'),
    crashStreak: integer('Ends in a row without ten minutes of running between them: sets the back-off.'),
    nextRestartAt: when('When it will be started again.'),
    lastTermination: Type.Optional(termination),
    health: Type.Optional(health),
    lastAction: Type.Optional(lastAction),
  },
  { description: 'What is.' },
)
