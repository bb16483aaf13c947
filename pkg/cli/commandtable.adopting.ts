/** The part of the command table that begins with what others made. */
import type { Command } from './command.ts'
import { timeout } from './commandtable.flags.ts'

export const adoptingCommands: readonly Command[] = [
  {
    name: 'adopt',
    summary: 'Take over containers that Cove did not make, as they run',
    usage: [
      'adopt CONTAINER... [options]',
      'adopt --all [options]',
      'adopt --compose-project NAME [options]',
    ],
    details:
      'Writes the manifests of the containers, and of the volumes and networks they use, to standard output, and makes the objects: applying what was written changes nothing. A container is taken over only when it is exactly what its manifest says; it is neither stopped nor changed for that. The manifests hold all variables of the containers, secret ones too.',
    examples: [
      'cove adopt web > web.yaml',
      'cove adopt --compose-project shop --dry-run',
      'cove adopt --all --node n1',
    ],
    flags: [
      { name: 'all', type: 'bool', help: 'All containers that nobody manages' },
      { name: 'compose-project', type: 'text', value: 'NAME', help: 'The containers of a Compose project' },
      { name: 'node', type: 'text', value: 'NAME', help: 'Of this node only' },
      { name: 'dry-run', type: 'bool', help: 'Only write the manifests' },
      timeout('How long to wait for the nodes (default 1m)'),
    ],
    load: async () => (await import('./commands/adopt.ts')).run,
  },
  {
    name: 'convert',
    summary: 'Write a Compose file as manifests',
    usage: ['convert [-f FILE|-] [options]'],
    details:
      'Prints the manifests, and on standard error all that has no counterpart or is not quite the same. Without -f it takes the Compose file of this directory. Files that the Compose file names are read, and variables are replaced as Compose does.',
    examples: ['cove convert > shop.yaml', 'docker compose config | cove convert -f - --project shop'],
    flags: [
      {
        name: 'filename',
        short: 'f',
        type: 'list',
        value: 'FILE|-',
        help: 'The Compose file; - is standard input',
      },
      { name: 'profile', type: 'list', value: 'NAME', help: 'Take the services of this profile too' },
      {
        name: 'project',
        short: 'p',
        type: 'text',
        value: 'NAME',
        help: 'Name of the project; else that of the directory',
      },
      { name: 'strict', type: 'bool', help: 'Exit 1 when something is not carried over as it stands' },
    ],
    load: async () => (await import('./commands/convert.ts')).run,
  },
]
