/** The part of the command table that asks nodes about containers as they are now. */
import type { Command } from './command.ts'
import { allNamespaces, noHeaders, selector } from './commandtable.flags.ts'

export const lookCommands: readonly Command[] = [
  {
    name: 'ps',
    summary: 'List all containers of nodes, managed or not, and whose they are',
    usage: ['ps [options]'],
    details:
      'Asks the nodes themselves, which needs a right in the whole cluster; `cove get containers` shows those of a namespace. The ids are as good as names in every command about a container.',
    examples: ['cove ps', 'cove ps -a --node n1', 'cove ps -aq --managed'],
    flags: [
      { name: 'all', short: 'a', type: 'bool', help: 'Also those that do not run' },
      { name: 'node', type: 'text', value: 'NAME', help: 'Only of this node' },
      { name: 'managed', type: 'bool', help: 'Only those that Containers stand for' },
      { name: 'quiet', short: 'q', type: 'bool', help: 'Ids only' },
      { name: 'no-trunc', type: 'bool', help: 'Ids and commands in full' },
      noHeaders,
    ],
    load: async () => (await import('./commands/ps.ts')).run,
  },
  {
    name: 'top',
    summary: 'Show what containers and nodes use now, or the processes of a container',
    usage: ['top containers [options]', 'top nodes [NAME] [options]', 'top container NAME'],
    details:
      'Memory is without the file cache that the kernel may take back, as docker stats counts it. Processes have the ids that their node knows them by.',
    examples: ['cove top containers -A --sort-by cpu', 'cove top nodes', 'cove top container web'],
    flags: [
      {
        name: 'sort-by',
        type: 'text',
        value: 'COLUMN',
        oneOf: ['cpu', 'memory'],
        help: 'The greatest first; else by name',
      },
      allNamespaces,
      selector,
      noHeaders,
    ],
    load: async () => (await import('./commands/top.ts')).run,
  },
  {
    name: 'stats',
    summary: 'Show again and again what containers use',
    usage: ['stats [NAME...] [options]'],
    details: 'Goes on until Ctrl-C. On a terminal one table is redrawn; elsewhere lines are added.',
    examples: ['cove stats', 'cove stats web db', 'cove stats -A --no-stream'],
    flags: [{ name: 'no-stream', type: 'bool', help: 'Once only' }, allNamespaces, selector],
    load: async () => (await import('./commands/stats.ts')).run,
  },
  {
    name: 'inspect',
    summary: 'Print what the engine itself says of containers',
    usage: ['inspect NAME... [options]'],
    details:
      'A JSON list in the words of the engine, the environment with all its values included. What Cove says is `cove get -o yaml`.',
    examples: ['cove inspect web', "cove inspect web -o jsonpath='{.State.Pid}'"],
    flags: [
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        help: 'yaml, json or jsonpath=TEMPLATE, each container by itself',
      },
    ],
    load: async () => (await import('./commands/inspect.ts')).run,
  },
  {
    name: 'port',
    summary: 'Show where the ports of a container are published on its node',
    usage: ['port NAME [PORT[/PROTOCOL]]'],
    examples: ['cove port web', 'cove port web 80', 'cove port dns 53/udp'],
    flags: [],
    load: async () => (await import('./commands/port.ts')).run,
  },
  {
    name: 'changes',
    summary: 'List files that differ from the image of a container',
    usage: ['changes NAME'],
    details:
      'A is added, C changed, D deleted. All of it goes when the container is made anew; volumes are not in it.',
    examples: ['cove changes web'],
    flags: [],
    load: async () => (await import('./commands/changes.ts')).run,
  },
  {
    name: 'export',
    summary: 'Write all files of a container as one tar archive',
    usage: ['export NAME [-o FILE]'],
    details: 'It need not run. What is in volumes is left out, and so are the settings of its image.',
    examples: ['cove export web > web.tar', 'cove export web -o web.tar'],
    flags: [{ name: 'output', short: 'o', type: 'text', value: 'FILE', help: 'Instead of standard output' }],
    load: async () => (await import('./commands/export.ts')).run,
  },
  {
    name: 'commit',
    summary: 'Make an image of the files and settings of a container',
    usage: ['commit NAME [REPOSITORY[:TAG]] [options]'],
    details: 'The image is on the node of the container alone, and there for all namespaces. Prints its id.',
    examples: ['cove commit web', `cove commit web shop/web:kept -m 'before the change' -c 'CMD ["sh"]'`],
    flags: [
      { name: 'author', short: 'a', type: 'text', value: 'NAME', help: 'Who made it' },
      { name: 'message', short: 'm', type: 'text', value: 'TEXT', help: 'Why it was made' },
      {
        name: 'change',
        short: 'c',
        type: 'list',
        value: 'LINE',
        help: 'Line of a Dockerfile; may be repeated',
      },
      { name: 'pause', short: 'p', type: 'bool', help: 'Freeze its processes meanwhile (default true)' },
    ],
    load: async () => (await import('./commands/commit.ts')).run,
  },
  {
    name: 'system df',
    aliases: ['df'],
    summary: 'Show what lies on the disks of nodes, and how much of it nothing uses',
    usage: ['system df [-v] [options]'],
    details:
      'Layers that images share are counted once. What would go, and why the rest stays: `cove system prune --dry-run`.',
    examples: ['cove system df', 'cove df -v --node n1', "cove df --format '{{.Type}}: {{.Reclaimable}}'"],
    flags: [
      { name: 'verbose', short: 'v', type: 'bool', help: 'Each image, container, volume and piece of cache' },
      { name: 'format', type: 'text', value: 'TEMPLATE', help: 'Each row through a template; json: as JSON' },
      { name: 'output', short: 'o', type: 'text', value: 'FORMAT', help: 'yaml, json or jsonpath=TEMPLATE' },
      { name: 'node', type: 'text', value: 'NAME', help: 'Of this node only; else of all' },
    ],
    load: async () => (await import('./commands/systemdf.ts')).run,
  },
]
