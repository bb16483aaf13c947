/** PrunePolicy: what nodes remove of what nothing needs, when, and down to where. Named volumes never. */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { ageColumn } from './columns.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { atomicList, duration, oneOf, quantity, rules, stringMap, time } from './schema.ts'

const age = (description: string) => Type.Optional(duration({ maxLength: 64, description }))
const labels = (description: string) => Type.Optional(stringMap({ description }))

const images = Type.Object(
  {
    dangling: Type.Boolean({
      default: true,
      description: 'Images that have lost their names and that no other image is made of.',
    }),
    unused: Type.Boolean({ default: false, description: 'Images that no container is made from.' }),
    olderThan: age(
      'Only what nothing has used for so long. Absent: 24h. After a first look that counts as use.',
    ),
    keepLast: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        description: 'So many of each repository stay, the newest by when they were made.',
      }),
    ),
    references: Type.Optional(
      atomicList(Type.String({ minLength: 1, maxLength: 512 }), {
        maxItems: 64,
        description: 'Only images of these names, `*` standing for anything: `registry.example.com/ci/*`.',
      }),
    ),
    selector: labels('Only images with these labels.'),
  },
  { description: 'Images. Absent: none, but when the disk is too full.' },
)

const containers = Type.Object(
  {
    exited: Type.Boolean({
      default: true,
      description: 'Containers that have ended or were never started, and that no Container stands for.',
    }),
    olderThan: age('Only what ended so long ago. Absent: 24h.'),
    selector: labels('Only containers with these labels.'),
    unmanaged: Type.Boolean({
      default: false,
      description:
        'Also containers that other tools or people made. Absent: only leftovers of builds and of Containers that are no more.',
    }),
  },
  { description: 'Containers. Absent: none.' },
)

export const pruneSpec = Type.Object(
  {
    schedule: Type.Optional(
      Type.String({
        format: 'cove-schedule',
        maxLength: 128,
        description:
          'When: a cron expression. Absent: only when the disk is too full, or `cove system prune` asks.',
      }),
    ),
    timeZone: Type.Optional(
      Type.String({ format: 'cove-time-zone', maxLength: 64, description: 'Of the schedule. Absent: UTC.' }),
    ),
    nodeSelector: stringMap({ default: {}, description: 'Labels of the nodes it is for; {} is every node.' }),
    images: Type.Optional(images),
    containers: Type.Optional(containers),
    networks: Type.Optional(
      Type.Object(
        {
          unused: Type.Boolean({
            default: true,
            description: 'Networks that no container joins and no Network stands for.',
          }),
          olderThan: age('Only those made so long ago. Absent: 24h.'),
        },
        { description: 'Networks. Absent: none.' },
      ),
    ),
    buildCache: Type.Optional(
      Type.Object(
        {
          olderThan: age('What no build has used for so long. Absent: 48h.'),
          keepStorage: Type.Optional(quantity({ description: 'So much stays: 10Gi. Absent: none.' })),
        },
        { description: 'What builders keep. Absent: none.' },
      ),
    ),
    volumes: Type.Optional(
      Type.Object(
        {
          anonymous: Type.Boolean({
            default: false,
            description:
              'Volumes that nobody named and no container mounts. Volumes with a name always stay.',
          }),
          olderThan: age('Only those made so long ago. Absent: 24h.'),
        },
        { description: 'Anonymous volumes. Absent: none.' },
      ),
    ),
    disk: Type.Optional(
      Type.Object(
        {
          high: Type.Integer({
            minimum: 1,
            maximum: 99,
            default: 85,
            description: 'From this per cent of the disk of the engine on, whatever the schedule says.',
          }),
          low: Type.Integer({
            minimum: 0,
            maximum: 98,
            default: 80,
            description: 'Until it is at most this per cent.',
          }),
        },
        {
          description:
            'Unused images go then, the least recently used first, whatever their age, after dangling images, leftover containers and build cache.',
          ...rules({ rule: 'self.low < self.high', message: 'must be less than high', fieldPath: '.low' }),
        },
      ),
    ),
    dryRun: Type.Boolean({ default: false, description: 'Only say what would go, and why the rest stays.' }),
  },
  { description: 'What should be.' },
)

const kept = Type.Object({
  what: Type.String({ description: 'image nginx:1.27, container web, ...' }),
  why: Type.String({ description: 'Why it stays.' }),
})

const removed = Type.Object({
  what: Type.String({ description: 'image nginx:1.27, container web, ...' }),
  why: Type.String({ description: 'Why it went, or would go.' }),
  bytes: Type.Optional(Type.Integer({ description: 'What that gave back.' })),
})

const nodeState = Type.Object({
  lastRun: Type.Optional(time({ description: 'When it last ran there.' })),
  nextRun: Type.Optional(time({ description: 'When it runs next by its schedule.' })),
  because: Type.Optional(oneOf(['Schedule', 'Disk'], { description: 'Why it last ran.' })),
  reclaimedBytes: Type.Optional(Type.Integer({ description: 'What the last run gave back.' })),
  totalReclaimedBytes: Type.Optional(Type.Integer({ description: 'What all runs gave back.' })),
  removed: Type.Optional(
    atomicList(removed, {
      maxItems: 50,
      description: 'The first 50 that the last run removed, or would have.',
    }),
  ),
  kept: Type.Optional(atomicList(kept, { maxItems: 50, description: 'The first 50 that stayed, and why.' })),
  failed: Type.Optional(Type.Integer({ description: 'How many could not be removed.' })),
  message: Type.Optional(Type.String({ description: 'What is wrong, if anything is.' })),
})

const status = Type.Object(
  {
    nodes: Type.Optional(Type.Record(Type.String(), nodeState, { description: 'Its state on each node.' })),
  },
  { description: 'What is.' },
)

export type PrunePolicySpec = Static<typeof pruneSpec>
export type PrunePolicyStatus = Static<typeof status>
export type PruneNodeState = Static<typeof nodeState>

export interface PrunePolicy extends KubeObject<PrunePolicySpec, PrunePolicyStatus> {
  kind: 'PrunePolicy'
  spec: PrunePolicySpec
}

export const prunePolicyKind: Kind<PrunePolicy> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'PrunePolicy',
  plural: 'prunepolicies',
  singular: 'prunepolicy',
  shortNames: ['prune'],
  categories: ['cove'],
  namespaced: false,
  description: 'PrunePolicy is what nodes remove of what nothing needs.',
  schema: objectSchema({ spec: pruneSpec, status }),
  statusSubresource: true,
  selectableFields: [],
  columns: [
    {
      name: 'Schedule',
      type: 'string',
      description: 'When.',
      jsonPath: '.spec.schedule',
      cell: ({ spec }) => spec.schedule ?? '',
    },
    {
      name: 'Disk',
      type: 'string',
      description: 'From which per cent down to which.',
      cell: ({ spec: { disk } }) => (disk === undefined ? '' : `${disk.high}% to ${disk.low}%`),
    },
    {
      name: 'Dry Run',
      type: 'string',
      description: 'Whether it only says what would go.',
      jsonPath: '.spec.dryRun',
      cell: ({ spec }) => String(spec.dryRun),
    },
    {
      name: 'Reclaimed',
      type: 'string',
      description: 'What all runs on all nodes gave back.',
      cell: ({ status }) =>
        humanBytes(
          Object.values(status?.nodes ?? {}).reduce((sum, node) => sum + (node.totalReclaimedBytes ?? 0), 0),
        ),
    },
    ageColumn,
  ],
  rules: [],
}
