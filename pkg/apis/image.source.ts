/** Where an Image comes from when it is not pulled from the registry of its reference. */
import * as Type from 'typebox'
import { atomicList, exactlyOneOf, rules, type Validation } from './schema.ts'

const digest = '^sha256:[0-9a-f]{64}$'

/** `path` is for people: `cove apply` uploads the file and writes `upload` in its place. */
const fileSource = (what: string) => ({
  url: Type.Optional(
    Type.String({
      pattern: '^https?://',
      maxLength: 2048,
      description: `Address of ${what}, fetched by the node.`,
    }),
  ),
  path: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 4096,
      description: `Path from the manifest to ${what}: \`cove apply\` uploads it and stores \`upload\` instead. The server refuses it.`,
    }),
  ),
  upload: Type.Optional(
    Type.String({ pattern: digest, description: `Digest of ${what}, uploaded to the server before.` }),
  ),
  sha256: Type.Optional(
    Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'Of the file as it is fetched: another one is refused. Only with url.',
    }),
  ),
})

const fileRules = rules(...exactlyOneOf('url', 'path', 'upload'), {
  rule: '!has(self.sha256) || has(self.url)',
  message: 'only goes with url: an upload is known by its digest',
  fieldPath: '.sha256',
})

const changes = atomicList(Type.String({ minLength: 1, maxLength: 8192 }), {
  default: [],
  maxItems: 64,
  description:
    'Lines of a Dockerfile that set its settings: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME, WORKDIR, HEALTHCHECK.',
})

const message = Type.Optional(
  Type.String({ maxLength: 4096, description: 'What its history says. Absent: what the engine writes.' }),
)

export const imageSource = Type.Object(
  {
    registry: Type.Optional(
      Type.Object(
        {},
        { description: 'Pulled from the registry of the reference, as when there is no source.' },
      ),
    ),
    archive: Type.Optional(
      Type.Object(fileSource('an archive of images, as `docker save` writes it'), {
        description: 'Loaded, as `docker load` does: history and settings stay. It must hold the reference.',
        ...fileRules,
      }),
    ),
    rootfs: Type.Optional(
      Type.Object(
        { ...fileSource('a tar archive of files, as `docker export` writes it'), changes, message },
        { description: 'Imported, as `docker import` does: one layer, no history.', ...fileRules },
      ),
    ),
    commit: Type.Optional(
      Type.Object(
        {
          container: Type.String({
            minLength: 1,
            maxLength: 253,
            description: 'A Container of the namespace.',
          }),
          author: Type.Optional(Type.String({ maxLength: 4096, description: 'Who made the change.' })),
          message,
          changes,
          pause: Type.Boolean({ default: true, description: 'Whether its processes stand still meanwhile.' }),
        },
        {
          description:
            'Made once of what a Container has written, as `docker commit` does; made again when this changes. Volumes are not in it.',
        },
      ),
    ),
    build: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description: 'Name of a Build of the namespace: always the last good image that came of it.',
      }),
    ),
    node: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 253,
        description:
          'Name of a node whose engine has it: it is sent from there, only the layers that are missing.',
      }),
    ),
  },
  {
    description: 'Where it comes from. Absent: the registry of the reference.',
    ...rules(...exactlyOneOf('registry', 'archive', 'rootfs', 'commit', 'build', 'node')),
  },
)

export const imageSourceRules: readonly Validation[] = [
  {
    rule: "!self.reference.contains('@') || !has(self.source) || has(self.source.registry)",
    message: 'cannot have a digest: only a registry knows images by digest',
    fieldPath: '.reference',
  },
  {
    rule: "!self.allTags || !self.reference.contains('@') && (!has(self.source) || has(self.source.registry))",
    message: 'goes with a repository of a registry only',
    fieldPath: '.allTags',
  },
]
