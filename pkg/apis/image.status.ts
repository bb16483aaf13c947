/** What is known of an Image. Its lead writes all but the parts of other nodes, which are theirs. */
import * as Type from 'typebox'
import { conditions } from './meta.ts'
import { atomicList, listMap, oneOf, time } from './schema.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))
const count = (description: string) => Type.Optional(Type.Integer({ minimum: 0, description }))

const layer = Type.Object({
  layer: Type.String({ description: 'The first 12 characters of its id.' }),
  state: Type.String({
    description: "The engine's word: Downloading, Pull complete, Already exists, Pushed, ...",
  }),
  currentBytes: count('How much has come.'),
  totalBytes: count('Of how much.'),
})

export const imageNodeState = Type.Object({
  state: oneOf(['Pending', 'Pulling', 'Ready', 'Failed', 'InUse', 'Collected'], {
    description:
      'Where it is on that node. InUse: it is to go and a container uses it. Collected: pruned there until something needs it.',
  }),
  id: text('Id of the image there.'),
  digest: text('Its digest, as the engine there knows it.'),
  reason: text('Why it is not Ready, as a word.'),
  message: text('Why it is not Ready.'),
  layers: Type.Optional(
    listMap(layer, ['layer'], { maxItems: 256, description: 'How far each layer is, while it comes.' }),
  ),
  usedBy: Type.Optional(
    atomicList(Type.String(), { description: 'Containers there that were made from it.' }),
  ),
})

const candidate = Type.Object(
  {
    reference: Type.String({ description: 'Under which tag it was found.' }),
    digest: Type.String({ description: 'Its digest.' }),
    firstSeen: time({ description: 'When it was first seen.' }),
    waitingFor: Type.Optional(
      oneOf(['Age', 'Window', 'Approval'], { description: 'What it waits for before it is taken.' }),
    ),
    takenAt: Type.Optional(time({ description: 'When it will be taken, when time alone decides.' })),
  },
  { description: 'What the registry has that is newer.' },
)

const rejected = Type.Object({
  digest: Type.String({ description: 'Its digest.' }),
  reference: text('Under which tag it was found.'),
  reason: Type.String({ description: 'A word.' }),
  message: Type.String({ description: 'What went wrong, and in which Container.' }),
  time: time({ description: 'When.' }),
  approval: text('What the annotation cove.run/approved said then: another approval of it lifts this.'),
  back: text('What that Container serves with since.'),
})

const pushed = Type.Object({
  reference: Type.String({ description: 'Its name in the registry.' }),
  id: Type.String({ description: 'Which image.' }),
  digest: Type.String({ description: 'Its digest there.' }),
  time: time({ description: 'When.' }),
})

const historyEntry = Type.Object({
  createdBy: Type.String({ description: 'What made the layer; long ones are cut.' }),
  size: Type.Integer({ description: 'Bytes.' }),
  createdAt: text('When.'),
  comment: text('What was said of it.'),
})

const words = (description: string) =>
  Type.Optional(atomicList(Type.String(), { maxItems: 100, description }))

const config = Type.Object(
  {
    user: text('Whom its containers run as; absent: root.'),
    entrypoint: words('ENTRYPOINT.'),
    command: words('CMD.'),
    workingDir: text('WORKDIR.'),
    stopSignal: text('STOPSIGNAL; absent: SIGTERM.'),
    volumes: words('VOLUME: directories that get an anonymous volume where a Container mounts nothing.'),
    exposedPorts: words('EXPOSE: `80/tcp`.'),
    onBuild: words('ONBUILD: what a build FROM it begins with.'),
  },
  { description: 'What it says of the containers that are made from it.' },
)

export const imageStatus = Type.Object(
  {
    phase: Type.Optional(
      oneOf(['Pending', 'Pulling', 'Ready', 'Failed', 'Terminating'], {
        description: 'One word for where it is.',
      }),
    ),
    conditions: Type.Optional(conditions(['Ready', 'UpToDate', 'Pushed', 'Stalled'])),
    observedGeneration: Type.Optional(
      Type.Integer({ description: 'The generation this status was computed from.' }),
    ),
    resolved: text('The reference in full: docker.io/library/nginx:1.27.'),
    reference: text('What Containers that follow it are made from: the tag that was taken, with its digest.'),
    digest: text('repository@sha256:... of the image, as its registry names it.'),
    id: text('Id of the image: sha256:...'),
    size: count('Bytes, unpacked.'),
    sharedSize: count('Bytes of layers that other images on the lead have too.'),
    uniqueSize: count('Bytes of layers that no other image on the lead has.'),
    createdAt: text('When it was made.'),
    architecture: text('Processor architecture it is for.'),
    layers: Type.Optional(
      atomicList(Type.String(), { description: 'Digests of its layers, the base first.' }),
    ),
    config: Type.Optional(config),
    history: Type.Optional(atomicList(historyEntry, { description: 'How it was made, the newest first.' })),
    names: Type.Optional(atomicList(Type.String(), { description: 'All its names on the lead.' })),
    usedBy: Type.Optional(
      atomicList(Type.String(), { description: 'Containers on the lead that were made from it.' }),
    ),
    source: text('Fingerprint of the source it was made from, where that is no registry.'),
    checkedAt: Type.Optional(
      time({ description: 'When the registry was last asked what the reference means.' }),
    ),
    nextCheckAt: Type.Optional(time({ description: 'When it is asked next.' })),
    checkRequest: text('The last value of the annotation cove.run/check-requested that was answered.'),
    candidate: Type.Optional(candidate),
    previous: text('What `reference` was before.'),
    rejected: Type.Optional(
      atomicList(rejected, {
        maxItems: 20,
        description: 'Images that Containers were rolled back from; never taken again.',
      }),
    ),
    pushed: Type.Optional(listMap(pushed, ['reference'], { description: 'What was pushed where.' })),
    nodes: Type.Optional(
      Type.Record(Type.String(), imageNodeState, { description: 'Its state on each node.' }),
    ),
  },
  { description: 'What is.' },
)
