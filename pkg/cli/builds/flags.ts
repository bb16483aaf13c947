/** Flags of `cove build`: its own, those of docker build, and for each of these that Cove does not have, what to do instead. */
import type { Flag } from '../args.ts'
import { bool, list, text } from '../flagmakers.ts'

/** How it goes on, whatever is built. */
const going: readonly Flag[] = [
  list('file', 'FILE|-', 'Manifests; with PATH: the Dockerfile; - is standard input', 'f'),
  bool('recursive', 'Take the directories below a directory of manifests too', 'R'),
  bool('follow', 'Wait and show the steps, which is so anyway'),
  bool('detach', 'Return as soon as it is asked for', 'd'),
  bool('no-wait', 'The same as --detach'),
  bool('watch', 'Build again whenever a file of the context changes, until Ctrl-C', 'w'),
  text('timeout', 'DURATION', 'How long to wait (default: as long as it takes)'),
  bool('no-cache', 'Run every step again, this once'),
  bool('pull', 'Ask registries what the base images mean now, this once'),
  list('output', 'FROM=TO', 'Copy a file or folder of the image here; may be repeated', 'o'),
  bool('quiet', 'Print only the id of the image', 'q'),
  {
    ...text('progress', 'HOW', 'auto, plain (the lines of the log, also on a terminal) or quiet'),
    oneOf: ['auto', 'tty', 'plain', 'quiet'],
  },
  text('iidfile', 'FILE', 'Write the id of the image to a file; of several Builds, a line for each'),
]

/** What becomes part of the object: only where it is made of them. */
const making: readonly Flag[] = [
  text('name', 'NAME', 'Name of the Build (default: of the first tag, else of the context)'),
  list('tag', 'NAME[:TAG]', 'A name of the image', 't'),
  list('build-arg', 'NAME[=VALUE]', 'A build argument; without a value, with that of the same name here'),
  list('public-arg', 'NAME', 'A build argument that is called like a secret, and is none; may be repeated'),
  text('target', 'STAGE', 'Build up to this stage'),
  list('label', 'KEY=VALUE', 'A label of the image'),
  text('platform', 'OS/ARCHITECTURE', 'What it is built for'),
  text('network', 'NAME', 'Network of RUN: default, none, host, or a Network'),
  list('secret', 'id=ID,...', 'For RUN --mount=type=secret: src=FILE, env=NAME, or secret=NAME,key=KEY'),
  list('cache-from', 'IMAGE', 'An image whose layers count as cache'),
  bool('push', 'Push to the registries of the tags, and wait for it'),
  text('node', 'NAME', 'The node that builds (default: placement chooses)'),
  bool('dry-run', 'Print the manifest, and build nothing'),
]

export const makingFlags: readonly string[] = making.map(({ name }) => name)

/** Accepted, because what they ask for is so anyway. */
const always: readonly Flag[] = [
  bool('rm', 'Containers of steps are always removed'),
  bool('force-rm', 'The same'),
  bool('load', 'The image is always on the node'),
  bool('compress', 'The context is sent as is best'),
]

const elsewhere: Readonly<Record<string, string>> = {
  'add-host': 'a Network of Cove knows its containers by name',
  allow: 'security levels of the namespace say what is allowed',
  annotation: 'use --label',
  attest: 'engines make no attestations',
  'build-context': 'put what is needed into one context, or into an image for COPY --from',
  builder: 'choose with spec.builder in a manifest',
  'cache-to': 'push the image, and name it with --cache-from',
  call: 'Dockerfiles are checked before anything is sent: try --dry-run',
  'cgroup-parent': 'set limits of containers instead',
  check: 'Dockerfiles are checked before anything is sent: try --dry-run',
  'cpu-period': 'a build is not limited',
  'cpu-quota': 'a build is not limited',
  'cpu-shares': 'a build is not limited',
  'cpuset-cpus': 'a build is not limited',
  'cpuset-mems': 'a build is not limited',
  isolation: 'that is for Windows',
  memory: 'a build is not limited',
  'memory-swap': 'a build is not limited',
  'metadata-file': 'use cove get build NAME -o json',
  'no-cache-filter': 'use --no-cache',
  provenance: 'engines make no attestations',
  sbom: 'engines make no attestations',
  'security-opt': 'security levels of the namespace say what is allowed',
  'shm-size': 'a build is not limited',
  squash: 'use several stages: COPY --from takes only what is needed',
  ssh: 'fetch what is private with spec.context.git and its secret, or with --secret',
  stream: 'the context is sent as is best',
  ulimit: 'a build is not limited',
  'disable-content-trust': 'name images by their digest',
}

const refused = Object.entries(elsewhere).map(
  ([name, instead]): Flag => ({
    name,
    type: 'text',
    help: '',
    refused: instead,
    ...(name === 'memory' && { short: 'm' }),
  }),
)

export const buildFlags: readonly Flag[] = [...going, ...making, ...always, ...refused]
