/** The part of the command table that is about images on nodes: Docker's verbs. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { noHeaders } from './commandtable.flags.ts'

const node = (help: string): Flag => ({ name: 'node', type: 'text', value: 'NAME', help })
const ofNode = node('Of this node only; else of all')
const onNode = node('On this node')
const allNodes: Flag = { name: 'all-nodes', type: 'bool', help: 'On every node' }
const noTrunc: Flag = { name: 'no-trunc', type: 'bool', help: 'Ids and texts in full' }
const secret: Flag = {
  name: 'secret',
  type: 'text',
  value: 'NAME',
  help: 'Credentials of this Secret; else those of `cove login`, else what the node has',
}
const format = (help: string): Flag => ({ name: 'format', type: 'text', value: 'TEMPLATE', help })
const quiet = (help: string): Flag => ({ name: 'quiet', short: 'q', type: 'bool', help })
const meant =
  'An image is named by NAME[:TAG], NAME@DIGEST, its id, or any beginning of the id that fits one image only.'
const whereTo = 'With several nodes say which: --node NAME or --all-nodes.'

export const imageCommands: readonly Command[] = [
  {
    name: 'image ls',
    aliases: ['images', 'image list'],
    summary: 'List the images that nodes hold',
    usage: ['image ls [REPOSITORY[:TAG]] [options]'],
    details:
      'What engines hold at this moment; the Image objects that say what should be there: `cove get images`. An image with several names is there once for each. SIZE is what lies unpacked on the disk, layers that images share counted in each. Filters are dangling=true|false, label=KEY[=VALUE], before=IMAGE, since=IMAGE, reference=PATTERN. TEMPLATE is one of `docker images`: {{.ID}} {{.Repository}} {{.Tag}} {{.Digest}} {{.CreatedSince}} {{.CreatedAt}} {{.Size}} {{.Containers}} {{.Labels}} {{.Node}}, for each row, or with "table " in front for aligned columns.',
    examples: [
      'cove images',
      'cove image ls shop/web --digests',
      'cove image ls -f dangling=true -q',
      "cove image ls --format 'table {{.ID}}\\t{{.Repository}}\\t{{.Tag}}'",
    ],
    flags: [
      { name: 'all', short: 'a', type: 'bool', help: 'Also images that only other images are made of' },
      {
        name: 'filter',
        short: 'f',
        type: 'list',
        value: 'KEY=VALUE',
        help: 'Only images that fit; may be repeated',
      },
      quiet('Ids only, each once'),
      { name: 'digests', type: 'bool', help: 'Their digests in registries too' },
      noTrunc,
      format('Each row through a template; json: each row as JSON'),
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        help: 'wide, yaml, json, name or jsonpath=TEMPLATE',
      },
      ofNode,
      noHeaders,
    ],
    load: async () => (await import('./commands/imagels.ts')).run,
  },
  {
    name: 'image inspect',
    summary: 'Print what the engine itself says of images',
    usage: ['image inspect IMAGE... [options]'],
    details: `A JSON list in the words of the engine. ${meant}`,
    examples: ['cove image inspect web:1', "cove image inspect web:1 --format '{{json .Config.Env}}'"],
    flags: [
      format('Each image through a template; json: on one line'),
      { name: 'output', short: 'o', type: 'text', value: 'FORMAT', help: 'yaml, json or jsonpath=TEMPLATE' },
      ofNode,
    ],
    load: async () => (await import('./commands/imageinspect.ts')).run,
  },
  {
    name: 'image history',
    aliases: ['history'],
    summary: 'Show the steps in which an image was made',
    usage: ['image history IMAGE [options]'],
    details:
      'The newest first. Steps of images that were pulled or loaded have no ids of their own: <missing>. The history of a Container is `cove rollout history`.',
    examples: ['cove image history web:1', 'cove history web:1 --no-trunc'],
    flags: [
      { name: 'human', short: 'H', type: 'bool', help: 'Sizes and times in words (default true)' },
      noTrunc,
      quiet('Ids only'),
      format(
        'Each step through a template: {{.ID}} {{.CreatedSince}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}}',
      ),
      ofNode,
      noHeaders,
    ],
    load: async () => (await import('./commands/imagehistory.ts')).run,
  },
  {
    name: 'image tag',
    aliases: ['tag'],
    summary: 'Give an image another name',
    usage: ['image tag IMAGE NAME[:TAG] [options]'],
    details: `Nothing is copied. An image that has the name so far loses it. ${whereTo}`,
    examples: ['cove tag web:1 registry.example.com:5000/shop/web:1'],
    flags: [onNode, allNodes],
    load: async () => (await import('./commands/imagetag.ts')).run,
  },
  {
    name: 'image rm',
    aliases: ['rmi', 'image remove'],
    summary: 'Remove images, or names of images',
    usage: ['image rm IMAGE... [options]'],
    details: `By a name only that name goes, and the image with its last one; by id all of it. What a container uses stays, and so does what other images are made of. Each argument stands by itself: what cannot be removed is told, the rest goes, and the exit code is 1. Cove itself never forces anything. All of a repository: \`cove rmi $(cove images -q shop/web)\`. ${whereTo}`,
    examples: ['cove rmi web:1 web:2', 'cove image rm 3f1c2a --force --node n1'],
    flags: [
      {
        name: 'force',
        short: 'f',
        type: 'bool',
        help: 'Also with several names, or used by a stopped container',
      },
      onNode,
      allNodes,
    ],
    load: async () => (await import('./commands/imagerm.ts')).run,
  },
  {
    name: 'image pull',
    aliases: ['pull'],
    summary: 'Pull an image from its registry onto nodes',
    usage: ['image pull NAME[:TAG|@DIGEST] [options]'],
    details: `What a Container or an Image needs is pulled without this. ${whereTo}`,
    examples: ['cove pull nginx:1.27', 'cove pull registry.example.com:5000/shop/web:1 --secret regcred'],
    flags: [
      { name: 'all-tags', short: 'a', type: 'bool', help: 'All tags of the repository' },
      {
        name: 'platform',
        type: 'text',
        value: 'OS/ARCH',
        help: 'For machines of this kind, such as linux/arm64',
      },
      quiet('Only the name'),
      secret,
      onNode,
      allNodes,
    ],
    load: async () => (await import('./commands/imagepull.ts')).run,
  },
  {
    name: 'image push',
    aliases: ['push'],
    summary: 'Push an image of a node to its registry',
    usage: ['image push NAME[:TAG] [options]'],
    details:
      'The registry is what the name begins with: give the image such a name with `cove tag`. Without TAG it is latest.',
    examples: [
      'cove push registry.example.com:5000/shop/web:1',
      'cove push registry.example.com:5000/shop/web -a',
    ],
    flags: [
      { name: 'all-tags', short: 'a', type: 'bool', help: 'All tags of the repository that the node has' },
      quiet('Only the name'),
      secret,
      node('The node that has it; needed with several'),
    ],
    load: async () => (await import('./commands/imagepush.ts')).run,
  },
  {
    name: 'image save',
    aliases: ['save', 'image export'],
    summary: 'Write images as one archive that can be loaded elsewhere',
    usage: ['image save IMAGE... [-o FILE] [options]'],
    details: `Layers, settings, history and the names that are given; an image that is given by its id has no name in it. ${meant}`,
    examples: ['cove save web:1 > web.tar', 'cove save web:1 db:2 -o shop.tar.gz --compress=gzip'],
    flags: [
      { name: 'output', short: 'o', type: 'text', value: 'FILE', help: 'Instead of standard output' },
      {
        name: 'compress',
        type: 'text',
        bare: 'gzip',
        oneOf: ['gzip', 'none'],
        help: 'Make it smaller on the way',
      },
      node('The node that has it; else the first that does'),
    ],
    load: async () => (await import('./commands/imagesave.ts')).run,
  },
  {
    name: 'image load',
    aliases: ['load'],
    summary: 'Load the images of an archive onto nodes',
    usage: ['image load [-i FILE] [options]'],
    details: `What \`docker save\` and \`cove save\` write, also compressed. An image that has a name of the archive so far loses it. ${whereTo}`,
    examples: ['cove load -i web.tar.gz', 'gunzip -c web.tar.gz | cove load'],
    flags: [
      { name: 'input', short: 'i', type: 'text', value: 'FILE', help: 'Instead of standard input' },
      quiet('Only what was loaded'),
      onNode,
      allNodes,
    ],
    load: async () => (await import('./commands/imageload.ts')).run,
  },
  {
    name: 'image import',
    aliases: ['import'],
    summary: 'Make an image of a tar archive of files',
    usage: ['image import FILE|URL|- [NAME[:TAG]] [options]'],
    details: `One layer without settings and history; --change says what it runs. ${whereTo}`,
    examples: [
      'cove export web | cove import - web:flat',
      `cove import rootfs.tar.gz base:1 -c 'CMD ["sh"]' -m 'from the build of today'`,
    ],
    flags: [
      {
        name: 'change',
        short: 'c',
        type: 'list',
        value: 'LINE',
        help: 'Line of a Dockerfile; may be repeated',
      },
      { name: 'message', short: 'm', type: 'text', value: 'TEXT', help: 'What its history says' },
      {
        name: 'platform',
        type: 'text',
        value: 'OS/ARCH',
        help: 'The machines it is for, such as linux/arm64',
      },
      onNode,
      allNodes,
    ],
    load: async () => (await import('./commands/imageimport.ts')).run,
  },
  {
    name: 'image approve',
    summary: 'Let an Image take what its registry has',
    usage: ['image approve NAME [DIGEST]'],
    details:
      'NAME is an Image with spec.update. DIGEST, or the beginning of one that the Image knows, may be left out: then it is what waits now. Age and window are waited for all the same. A digest that was rejected is tried once more.',
    examples: ['cove image approve web', 'cove image approve web sha256:9f86d081'],
    flags: [],
    load: async () => (await import('./commands/imageapprove.ts')).run,
  },
  {
    name: 'image check',
    summary: 'Ask the registry now what an Image that follows it should be',
    usage: ['image check NAME [options]'],
    details: 'NAME is an Image with spec.update. Waits for the answer and prints what comes of it.',
    examples: ['cove image check web'],
    flags: [
      {
        name: 'timeout',
        type: 'text',
        value: 'DURATION',
        help: 'How long to wait for it; 0: for ever (default 60s)',
      },
    ],
    load: async () => (await import('./commands/imagecheck.ts')).run,
  },
]
