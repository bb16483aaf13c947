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
    log: Type.Optional(atomicList(Type.String(), { description: 'The last lines it wrote, at most 20.' })),
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
    log: atomicList(probe, {
      description: 'The last five checks, as of when status or failingStreak changed.',
    }),
  },
  { description: 'The result of the healthcheck; absent without one.' },
)

const failedRevision = Type.Object(
  {
    fingerprint: Type.String({ description: 'Of what was tried.' }),
    generation: Type.Integer({
      description: 'The generation that asked for it; another one is tried again.',
    }),
    reason: Type.String({ description: 'Unhealthy, HealthTimeout, Exited or StartError.' }),
    message: Type.String({ description: 'What was seen of it.' }),
    time: time({ description: 'When it was judged.' }),
    image: text('The reference it was made from.'),
    exitCode: integer('How it ended, when it ended by itself.'),
    log: atomicList(Type.String(), { default: [], description: 'The last lines it wrote, at most 200.' }),
    probes: atomicList(probe, { default: [], description: 'Its last checks, at most five.' }),
  },
  { description: 'What was tried last and given up.' },
)

const rollout = Type.Object(
  {
    phase: oneOf(['Progressing', 'Paused', 'Complete', 'RolledBack', 'Held'], {
      description: 'Where the replacement of the container is.',
    }),
    message: text('What it waits for, or why it ended so.'),
    fingerprint: text('Of what is on trial.'),
    containerID: text('Id on the engine of what is on trial.'),
    since: when('When this phase began.'),
    healthySince: when('Since when what is on trial has been healthy.'),
    stable: text('Fingerprint of what last passed its trial.'),
    failed: Type.Optional(failedRevision),
  },
  { description: 'How the last change of the spec is going.' },
)

const healing = Type.Object(
  {
    attempts: atomicList(
      Type.Object({
        time: time({ description: 'When.' }),
        action: oneOf(['Restart', 'Recreate'], { description: 'What was tried.' }),
      }),
      { description: 'What was tried since it last was well for ten minutes; the last ten.' },
    ),
    nextAt: when('When it will be tried again.'),
    heldSince: when('Since when the budget is spent.'),
  },
  { description: 'What was done about failing checks.' },
)

const difference = Type.Object({
  field: Type.String({ description: 'Such as spec.env.A.' }),
  want: Type.String({ description: 'As desired; values of Secrets are not told.' }),
  found: Type.String({ description: 'As observed.' }),
  change: oneOf(['in place', 'recreate'], { description: 'How it is mended.' }),
})

const next = Type.Object(
  {
    action: Type.String({ description: 'What.' }),
    cause: Type.String({ description: 'Because of what.' }),
    time: when('When; absent: as soon as what it waits for is there.'),
  },
  { description: 'What comes next; absent when everything is as desired.' },
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
        [
          'Pending',
          'Pulling',
          'Created',
          'Starting',
          'Running',
          'Paused',
          'Stopped',
          'Succeeded',
          'Failed',
          'Unknown',
        ],
        {
          description: 'One word for where it is.',
        },
      ),
    ),
    conditions: Type.Optional(
      conditions(['ImageReady', 'Ready', 'Healthy', 'UpToDate', 'Stalled', 'RolledBack']),
    ),
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
    linkedBy: Type.Optional(
      atomicList(Type.String(), { description: 'Who links to it, and under which name: `web/db`.' }),
    ),
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
    rollout: Type.Optional(rollout),
    healing: Type.Optional(healing),
    adopted: text('Id on the engine of the container of spec.adopt, once it was taken over.'),
    restartRequest: text('The last value of the annotation cove.run/restartedAt that was acted on.'),
    differences: Type.Optional(
      atomicList(difference, { description: 'Where the engine differs from what is desired.' }),
    ),
    next: Type.Optional(next),
    lastAction: Type.Optional(lastAction),
  },
  { description: 'What is.' },
)
