/** The part of the command table that is about the server and the machines that join it. */
import type { Command } from './command.ts'
import { noHeaders } from './commandtable.flags.ts'

export const serverCommands: readonly Command[] = [
  {
    name: 'token',
    summary: 'Make, list and delete the tokens by which machines join as nodes',
    usage: [
      'token create [--ttl 24h] [--node NAME] [--description TEXT] [options]',
      'token list',
      'token delete ID...',
    ],
    details:
      'create prints, this once, the command that makes a machine a node. A token lets machines join under names that no node has yet; one made with --node is for that node only, which may be there already.',
    examples: [
      'cove token create',
      'cove token create --node edge-1 --ttl 1h',
      'cove token create -o token --ttl 15m',
      'cove token delete 4k2j9x',
    ],
    flags: [
      {
        name: 'ttl',
        type: 'text',
        value: 'DURATION',
        help: 'How long it is good (default 24h; 0: until deleted)',
      },
      { name: 'node', type: 'text', value: 'NAME', help: 'Only for the node of this name' },
      { name: 'description', type: 'text', value: 'TEXT', help: 'What it is for' },
      {
        name: 'server',
        type: 'text',
        value: 'URL',
        help: 'Where the machine reaches the server; else as in the kubeconfig',
      },
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        oneOf: ['command', 'token'],
        help: 'The whole command (default), or the token alone',
      },
      noHeaders,
    ],
    load: async () => (await import('./commands/token.ts')).run,
  },
  {
    name: 'version',
    summary: 'Print the versions of this program and of the server',
    usage: ['version [options]'],
    examples: ['cove version', 'cove version --client', 'cove version -o json'],
    flags: [
      { name: 'client', type: 'bool', help: 'Of this program only' },
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        oneOf: ['json', 'yaml'],
        help: 'All that is known, for programs',
      },
    ],
    load: async () => (await import('./commands/version.ts')).run,
  },
]
