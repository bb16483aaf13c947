/** The part of the command table that makes images. */
import { buildFlags } from './builds/flags.ts'
import type { Command } from './command.ts'
import { timeout } from './commandtable.flags.ts'

export const buildCommands: readonly Command[] = [
  {
    name: 'build',
    summary: 'Build images from Dockerfiles, and show how it goes',
    usage: ['build -f FILE [options]', 'build NAME [options]', 'build [options] PATH|URL|-'],
    details:
      'Builds are objects that are kept up with their context, base images and arguments. -f applies manifests and waits for their Builds; NAME builds one anew that is there; PATH, URL and - are those of docker build, and make a Build of the same name as the image. Ctrl-C leaves a build going: `cove build cancel` breaks it off.',
    examples: [
      'cove build -f build.yaml',
      'cove build web --no-cache',
      'cove build -t shop/web:2 --build-arg V=2 .',
      'cove build -t tool https://example.org/tool.git#main:cmd',
      'cove build --watch -t shop/web .',
      'cove build --output /bin/tool=./tool -t tool .',
    ],
    flags: buildFlags,
    tellsWaits: true,
    load: async () => (await import('./commands/build.ts')).run,
  },
  {
    name: 'build cancel',
    summary: 'Break off what is being built',
    usage: ['build cancel NAME...'],
    details:
      'The last good image stays. It is built again when an input moves, or when somebody asks for it.',
    examples: ['cove build cancel web'],
    flags: [timeout('How long to wait for its end (default 1m)')],
    load: async () => (await import('./commands/buildcancel.ts')).run,
  },
  {
    name: 'init build',
    summary: 'Write a Dockerfile and a manifest to begin with',
    usage: ['init build [DIRECTORY]'],
    details:
      'A Dockerfile, a .dockerignore and a build.yaml that build as they are. What is there already stays.',
    examples: ['cove init build web'],
    flags: [],
    load: async () => (await import('./commands/initbuild.ts')).run,
  },
]
