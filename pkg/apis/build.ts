/**
 * Build: an image made from a Dockerfile, kept up with everything it is made of. One node makes it; what comes of it is
 * the Image of the same name, which the control plane keeps and which brings it to whoever is made from it.
 */
import type { Static } from 'typebox'
import * as Type from 'typebox'
import { findCondition, type KubeObject } from '#pkg/apimachinery/meta.ts'
import { buildContext } from './build.context.ts'
import { buildStatus } from './build.status.ts'
import { buildTriggers } from './build.triggers.ts'
import { ageColumn, reasonColumn, since } from './columns.ts'
import { objectName } from './container.fields.ts'
import type { Kind } from './kind.ts'
import { objectSchema } from './object.ts'
import {
  atomicList,
  duration,
  listMap,
  oneOf,
  quantity,
  rules,
  stringMap,
  type Validation,
} from './schema.ts'

const imageReference = (description: string) =>
  Type.String({ format: 'cove-image-reference', maxLength: 512, description })

const secret = Type.Object({
  id: Type.String({
    minLength: 1,
    maxLength: 128,
    pattern: '^[A-Za-z0-9_.-]+$',
    description: 'What `RUN --mount=type=secret,id=...` calls it.',
  }),
  secret: objectName('A Secret of the namespace.'),
  key: Type.String({ minLength: 1, maxLength: 253, description: 'Which of its values.' }),
})

const output = Type.Object({
  from: Type.String({ pattern: '^/', maxLength: 4096, description: 'A file or folder of the image.' }),
  to: Type.String({
    minLength: 1,
    maxLength: 4096,
    description:
      'Where it is written after each build: an absolute path of the node. A relative one is taken by `cove build` from the manifest, on the machine where that runs.',
  }),
})

const buildRules: readonly Validation[] = [
  {
    rule: '!has(self.context.upload) || has(self.dockerfileInline)',
    message: 'goes along with an upload: `cove apply` writes the text of spec.dockerfile there',
    fieldPath: '.dockerfileInline',
  },
  {
    rule: '!has(self.context.empty) || has(self.dockerfileInline)',
    message: 'is needed when there is no context to have it in',
    reason: 'FieldValueRequired',
    fieldPath: '.dockerfileInline',
  },
  {
    rule: "has(self.context.path) || has(self.dockerfileInline) || !self.dockerfile.startsWith('/') && !self.dockerfile.split('/').exists(part, part == '..')",
    message: 'must be inside the context: only a context.path may have it elsewhere',
    fieldPath: '.dockerfile',
  },
  {
    rule: "!self.tags.exists(tag, tag.contains('@'))",
    message: 'must be without a digest: what is built gets one in registries only',
    fieldPath: '.tags',
  },
  {
    rule: "self.builder != 'Classic' || self.secrets.size() == 0",
    message: 'need BuildKit: the classic builder has none',
    fieldPath: '.secrets',
  },
  {
    rule: "self.builder != 'BuildKit' || !has(self.network) || self.network in ['default', 'none', 'host']",
    message: 'must be default, none or host: only the classic builder joins another network',
    fieldPath: '.network',
  },
]

export const buildSpec = Type.Object(
  {
    context: buildContext,
    dockerfile: Type.String({
      default: 'Dockerfile',
      minLength: 1,
      maxLength: 4096,
      description:
        'Path of the Dockerfile in the context. Of a context.path it may lie outside: `../Dockerfile.php`.',
    }),
    dockerfileInline: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 262144,
        description: 'Text of the Dockerfile itself, in place of the file; messages call it by `dockerfile`.',
      }),
    ),
    ignore: atomicList(Type.String({ minLength: 1, maxLength: 1024 }), {
      default: [],
      maxItems: 256,
      description: 'Lines added to the .dockerignore of the context.',
    }),
    maxContextBytes: quantity({
      default: '1Gi',
      description: 'Of all files of the context: with more it fails before anything is sent.',
    }),
    target: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: 'Name of the stage that becomes the image. Absent: the last one.',
      }),
    ),
    args: stringMap({
      default: {},
      maxProperties: 256,
      description:
        'Values for ARG. They are in the history of the image: one that is called like a secret (PASSWORD, TOKEN, API_KEY, ...) is refused.',
    }),
    publicArgs: atomicList(Type.String({ minLength: 1, maxLength: 256 }), {
      default: [],
      maxItems: 256,
      description: 'Names of `args` that are called like secrets and are none.',
    }),
    labels: stringMap({
      default: {},
      maxProperties: 256,
      description: 'Labels of the image, besides those of the Dockerfile.',
    }),
    platform: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9]+/[a-z0-9_]+(/[a-z0-9]+)?$',
        maxLength: 64,
        description: 'os/architecture[/variant] to build for. Absent: that of the node.',
      }),
    ),
    network: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        pattern: '^(default|none|host|[a-zA-Z0-9][a-zA-Z0-9_.-]*)$',
        description:
          'Network of RUN: default, none, host, or a Network of the namespace, which takes the classic builder. Absent: default.',
      }),
    ),
    noCache: Type.Boolean({ default: false, description: 'Run every step again.' }),
    pull: Type.Boolean({
      default: false,
      description:
        'Ask the registry what the base images mean before each build, also when the node has them.',
    }),
    pullSecrets: listMap(Type.Object({ name: objectName('Name of a Secret of the namespace.') }), ['name'], {
      default: [],
      maxItems: 64,
      description: 'Secrets of the type kubernetes.io/dockerconfigjson, for base images.',
    }),
    cacheFrom: atomicList(imageReference('An image whose layers may be taken.'), {
      default: [],
      maxItems: 32,
      description: 'Images whose layers count as cache; pulled when the node lacks them.',
    }),
    secrets: listMap(secret, ['id'], {
      default: [],
      maxItems: 64,
      description: 'What single steps may read and the image does not keep; needs BuildKit.',
    }),
    builder: oneOf(['Auto', 'BuildKit', 'Classic'], {
      default: 'Auto',
      description:
        'Auto: BuildKit when the Dockerfile needs it or the engine builds with it by itself, else the classic builder.',
    }),
    tags: atomicList(imageReference('A name of the image on the nodes.'), {
      default: [],
      maxItems: 64,
      description:
        'Names of the image. No two Builds may have the same. Absent: localhost/NAMESPACE/NAME:latest.',
    }),
    push: listMap(
      Type.Object({
        reference: imageReference('The name in the registry it goes to; without a tag: latest.'),
        secret: Type.Optional(objectName('Secret with credentials for that registry.')),
      }),
      ['reference'],
      { default: [], maxItems: 32, description: 'Registries that the image is pushed to after each build.' },
    ),
    outputs: atomicList(output, {
      default: [],
      maxItems: 32,
      description: 'What is taken out of the image after each build.',
    }),
    triggers: buildTriggers,
    historyLimit: Type.Integer({
      default: 5,
      minimum: 0,
      maximum: 100,
      description: 'How many earlier attempts are told of in status.history, and have their log kept.',
    }),
    timeout: duration({ default: '1h', maxLength: 64, description: 'After which an attempt is broken off.' }),
    suspend: Type.Boolean({
      default: false,
      description: 'No build is begun, and one under way is broken off. What was built stays.',
    }),
    nodeName: Type.Optional(
      Type.String({ maxLength: 253, description: 'The node that builds; set by placement when absent.' }),
    ),
    nodeSelector: stringMap({ default: {}, description: 'Labels that the node must have.' }),
    prunePolicy: oneOf(['Keep', 'Collect'], {
      default: 'Keep',
      description: 'As of an Image: whether pruning may remove the image where nothing uses it.',
    }),
    deletionPolicy: oneOf(['Untag', 'Orphan'], {
      default: 'Untag',
      description: 'As of an Image: what deleting this object does with the names of the image.',
    }),
  },
  { description: 'What should be.', ...rules(...buildRules) },
)

export type BuildSpec = Static<typeof buildSpec>
export type BuildStatus = Static<typeof buildStatus>
export type BuildStep = NonNullable<BuildStatus['steps']>[number]
export type BuildWarning = NonNullable<BuildStatus['warnings']>[number]
export type BuildFailure = NonNullable<BuildStatus['failure']>

export interface Build extends KubeObject<BuildSpec, BuildStatus> {
  kind: 'Build'
  spec: BuildSpec
}

/** What the image is made of, as far as the spec says. */
const inputs = [
  'context',
  'dockerfile',
  'dockerfileInline',
  'args',
  'target',
  'labels',
  'platform',
  'network',
]
  .concat(['secrets', 'builder', 'ignore'])
  .map((field) => `spec.${field}`)

function isInput(path: string): boolean {
  return inputs.some(
    (input) => path === input || path.startsWith(`${input}.`) || path.startsWith(`${input}[`),
  )
}

export const buildKind: Kind<Build> = {
  group: 'cove.run',
  version: 'v1',
  kind: 'Build',
  plural: 'builds',
  singular: 'build',
  shortNames: ['bld'],
  categories: ['all', 'cove'],
  namespaced: true,
  description: 'Build is an image made from a Dockerfile; rebuilt when anything that it is made of moves.',
  schema: objectSchema({ spec: buildSpec, status: buildStatus }),
  statusSubresource: true,
  subresources: [{ name: 'log', verbs: ['get'] }],
  selectableFields: ['spec.nodeName', 'status.phase'],
  columns: [
    {
      name: 'Status',
      type: 'string',
      description: 'Where it is.',
      jsonPath: '.status.phase',
      cell: ({ status }) => status?.phase ?? 'Pending',
    },
    {
      name: 'Steps',
      type: 'string',
      description: 'How many steps are done, of how many that are known.',
      cell: ({ status }) => {
        const steps = status?.steps ?? []
        const done = steps.filter(({ state }) => state === 'Done' || state === 'Cached')
        return steps.length === 0 ? '' : `${done.length}/${steps.length}`
      },
    },
    {
      name: 'Cached',
      type: 'string',
      description: 'How many of them were cached.',
      cell: ({ status }) => (status?.cacheHits === undefined ? '' : String(status.cacheHits)),
    },
    {
      name: 'Image ID',
      type: 'string',
      description: 'The first digits of the id of the last good image.',
      jsonPath: '.status.image.id',
      cell: ({ status }) => status?.image?.id.replace(/^sha256:/, '').slice(0, 12) ?? '',
    },
    {
      name: 'Attempt',
      type: 'integer',
      description: 'How many builds were begun.',
      jsonPath: '.status.attempt',
      cell: ({ status }) => String(status?.attempt ?? 0),
    },
    {
      name: 'Finished',
      type: 'string',
      description: 'How long ago the last attempt ended.',
      jsonPath: '.status.finishedAt',
      cell: ({ status }, now) => (status?.finishedAt === undefined ? '' : since(status.finishedAt, now)),
    },
    ageColumn,
    {
      name: 'Node',
      type: 'string',
      description: 'The node that builds.',
      jsonPath: '.spec.nodeName',
      wide: true,
      cell: ({ spec }) => spec.nodeName ?? '',
    },
    {
      name: 'Cause',
      type: 'string',
      description: 'Why the last attempt was made.',
      jsonPath: '.status.cause',
      wide: true,
      cell: ({ status }) => status?.cause ?? '',
    },
    {
      name: 'Outcome',
      type: 'string',
      description: 'Whether the image is what its inputs say.',
      wide: true,
      cell: ({ status }) => findCondition(status?.conditions, 'UpToDate')?.reason ?? '',
    },
    reasonColumn,
  ],
  rules: [],
  changeOf: (path) => (isInput(path) ? 'recreate' : 'nothing'),
}
