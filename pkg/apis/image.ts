/**
 * Image: an image that must be on nodes, where it comes from, what it is called there and where it goes to. One node, its
 * lead, finds out which image the reference means now; all others hold that very image.
 */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { humanBytes } from '#pkg/apimachinery/quantity.ts'
import { ageColumn, reasonColumn } from './columns.ts'
import { imageSource, imageSourceRules } from './image.source.ts'
import { imageStatus } from './image.status.ts'
import { imageUpdate, imageUpdateRules } from './image.update.ts'
import { imageWarnings } from './image.warnings.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import { atomicList, listMap, oneOf, rules, stringMap } from './schema.ts'

const imageReference = (description: string) =>
  Type.String({ format: 'cove-image-reference', maxLength: 512, description })

const secretName = (description: string) => Type.String({ minLength: 1, maxLength: 253, description })

export const imageSpec = Type.Object(
  {
    reference: imageReference(
      'Its name on the nodes: [registry[:port]/]repository[:tag][@digest]. A digest pins it.',
    ),
    allTags: Type.Boolean({
      default: false,
      description: 'Every tag of the repository, as `docker pull --all-tags`.',
    }),
    source: Type.Optional(imageSource),
    pullPolicy: Type.Optional(
      oneOf(['Always', 'IfNotPresent', 'Never'], {
        description:
          'When to pull. Absent: IfNotPresent. Always asks the registry each time that an agent starts to work for it.',
      }),
    ),
    pullSecrets: Type.Optional(
      listMap(Type.Object({ name: secretName('Name of a Secret of the namespace.') }), ['name'], {
        maxItems: 64,
        description:
          'Secrets of the type kubernetes.io/dockerconfigjson, asked for credentials of the registry at each pull and check.',
      }),
    ),
    platform: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$',
        maxLength: 64,
        description: 'Of an image for several: os/architecture[/variant]. Absent: that of the node.',
      }),
    ),
    peers: Type.Boolean({
      default: false,
      description:
        'Whether nodes may get it from each other: one that misses it asks a node that has it first, and the registry when that fails.',
    }),
    update: Type.Optional(imageUpdate),
    tags: atomicList(imageReference('Another name for the same image, on the nodes.'), {
      default: [],
      maxItems: 64,
      description: 'Further names on the nodes; put back when somebody takes one away.',
    }),
    push: listMap(
      Type.Object({
        reference: imageReference('The name in the registry it goes to; without a tag: latest.'),
        secret: Type.Optional(secretName('Secret with credentials for that registry.')),
      }),
      ['reference'],
      { default: [], maxItems: 32, description: 'Registries that the image is pushed to, by the lead.' },
    ),
    nodeName: Type.Optional(
      Type.String({
        description:
          'The lead: the node that finds out what the reference means, and pushes; set by placement when absent.',
      }),
    ),
    nodeSelector: Type.Optional(
      stringMap({
        description:
          'Labels of the nodes that must have it; {} is every node. Absent: the lead, and every node with a Container that follows it.',
      }),
    ),
    prunePolicy: oneOf(['Keep', 'Collect'], {
      default: 'Keep',
      description:
        'Whether pruning may remove it from a node where nothing uses it. What was collected is pulled again when something does.',
    }),
    deletionPolicy: oneOf(['Untag', 'Orphan'], {
      default: 'Untag',
      description:
        'What deleting this object does on the nodes. Untag takes its names away, and the image goes with its last name; Orphan leaves all as it is. What a container uses stays.',
    }),
  },
  { description: 'What should be.', ...rules(...imageSourceRules, ...imageUpdateRules) },
)

export type ImageSpec = Static<typeof imageSpec>
export type ImageStatus = Static<typeof imageStatus>
export type ImageNodeState = NonNullable<ImageStatus['nodes']>[string]

export interface Image extends KubeObject<ImageSpec, ImageStatus> {
  kind: 'Image'
  spec: ImageSpec
}

export const imageKind: Kind<Image> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Image',
  plural: 'images',
  singular: 'image',
  shortNames: ['img'],
  categories: ['all', 'cove'],
  namespaced: true,
  description: 'Image is an image that must be on nodes, and where it comes from and goes to.',
  schema: objectSchema({ spec: imageSpec, status: imageStatus }),
  statusSubresource: true,
  selectableFields: ['spec.nodeName', 'spec.reference', 'status.phase'],
  columns: [
    {
      name: 'Reference',
      type: 'string',
      description: 'Its name on the nodes.',
      jsonPath: '.spec.reference',
      cell: ({ spec }) => spec.reference,
    },
    {
      name: 'Status',
      type: 'string',
      description: 'Where it is.',
      jsonPath: '.status.phase',
      cell: ({ status }) => status?.phase ?? 'Pending',
    },
    {
      name: 'Image ID',
      type: 'string',
      description: 'The first digits of its id.',
      cell: ({ status }) => status?.id?.replace(/^sha256:/, '').slice(0, 12) ?? '',
    },
    {
      name: 'Size',
      type: 'string',
      description: 'Unpacked, on a node.',
      cell: ({ status }) => (status?.size === undefined ? '' : humanBytes(status.size)),
    },
    {
      name: 'Nodes',
      type: 'string',
      description: 'On how many of its nodes it is.',
      cell: ({ status }) => {
        const states = Object.values(status?.nodes ?? {})
        return `${states.filter(({ state }) => state === 'Ready').length}/${states.length}`
      },
    },
    {
      name: 'Update',
      type: 'string',
      description:
        'How it stands to its registry, when it follows that: Newest, WaitingForApproval, Rejected.',
      jsonPath: '.status.conditions[?(@.type=="UpToDate")].reason',
      cell: ({ status }) => findCondition(status?.conditions, 'UpToDate')?.reason ?? '',
    },
    ageColumn,
    {
      name: 'Digest',
      type: 'string',
      description: 'Its digest in the registry.',
      jsonPath: '.status.digest',
      wide: true,
      cell: ({ status }) => status?.digest ?? '',
    },
    {
      name: 'Used By',
      type: 'string',
      description: 'Containers that were made from it.',
      wide: true,
      cell: ({ status }) => status?.usedBy?.join(', ') ?? '',
    },
    reasonColumn,
  ],
  rules: [],
  warn: imageWarnings,
}
