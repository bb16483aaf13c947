/** Where the files come from that a Build is made of. */
import * as Type from 'typebox'
import { exactlyOneOf, rules, stringMap } from './schema.ts'

const secretName = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 253, description }))

const git = Type.Object(
  {
    url: Type.String({
      minLength: 1,
      maxLength: 2048,
      pattern: '^(https?://|ssh://|git://|file:///|[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:)',
      description: 'Address of the repository, as git takes it: https://, ssh://, git@host:path.',
    }),
    ref: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        pattern: '^[A-Za-z0-9][A-Za-z0-9._/+-]*$',
        description: "Branch, tag or commit. Absent: the repository's own default branch.",
      }),
    ),
    subdirectory: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        description: 'The folder of the repository that is the context. Absent: all of it.',
      }),
    ),
    secret: secretName(
      'Secret of the namespace: of the type kubernetes.io/basic-auth for http, kubernetes.io/ssh-auth (with known_hosts) for ssh. Its ca.crt, if it has one, vouches for an https server.',
    ),
  },
  {
    description: 'A git repository, fetched by the node; its program git must be there.',
    ...rules({
      rule: "!has(self.subdirectory) || !self.subdirectory.startsWith('/') && !self.subdirectory.split('/').exists(part, part == '..')",
      message: 'must stay inside the repository',
      fieldPath: '.subdirectory',
    }),
  },
)

const tar = Type.Object(
  {
    url: Type.String({
      pattern: '^https?://',
      maxLength: 2048,
      description:
        'Address of a tar archive, plain or packed with gzip, bzip2, xz or zstd; fetched by the node.',
    }),
    sha256: Type.Optional(
      Type.String({
        pattern: '^[0-9a-f]{64}$',
        description: 'Of the archive as it is fetched: another one is refused.',
      }),
    ),
  },
  { description: 'An archive on a server of files.' },
)

/** `path` is for people: whoever sends the manifest packs the folder, uploads it and stores `upload` in its place. */
export const buildContext = Type.Object(
  {
    path: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 4096,
        description:
          'Path from the manifest to a folder, or to a tar archive: `cove apply` packs and uploads it and stores `upload` instead. The server refuses it.',
      }),
    ),
    upload: Type.Optional(
      Type.String({
        pattern: '^tree:[0-9a-f]{64}$',
        description:
          'Digest of files uploaded to the server before: of their names, modes and contents, whatever their times.',
      }),
    ),
    git: Type.Optional(git),
    tar: Type.Optional(tar),
    inline: Type.Optional(
      Type.Object(
        {
          files: stringMap({
            maxProperties: 256,
            description: 'Content of each file, by its path in the context.',
          }),
        },
        { description: 'Files written in the manifest.' },
      ),
    ),
    hostPath: Type.Optional(
      Type.String({
        pattern: '^/',
        maxLength: 4096,
        description: 'A folder of the node itself; watched, so that a change of its files makes a new build.',
      }),
    ),
    empty: Type.Optional(
      Type.Object({}, { description: 'No files at all: for a Dockerfile that copies none.' }),
    ),
  },
  {
    description: 'The files that the Dockerfile may copy: its build context.',
    ...rules(...exactlyOneOf('path', 'upload', 'git', 'tar', 'inline', 'hostPath', 'empty')),
  },
)
