/** `cove rollout` and `cove why` in the command table. */
import type { Command } from './command.ts'

export const rolloutCommands: readonly Command[] = [
  {
    name: 'rollout',
    summary: 'Follow, undo, pause or restart the replacement of a container',
    usage: [
      'rollout status TYPE/NAME [--timeout DURATION] [--watch=false] [--revision N]',
      'rollout history TYPE/NAME [--revision N]',
      'rollout undo TYPE/NAME [--to-revision N] [--dry-run]',
      'rollout pause|resume|restart TYPE/NAME... [-l SELECTOR]',
    ],
    details:
      'status exits 1, with the last lines of the one that failed, when the change was rolled back or cannot go on. undo puts back the spec of an older revision; where it runs, whether it runs and how it is replaced stay as they are.',
    examples: [
      'cove rollout status container/web --timeout=2m',
      'cove rollout history container/web',
      'cove rollout undo container/web --to-revision=3',
      'cove rollout restart ctr -l app=web',
    ],
    flags: [
      {
        name: 'selector',
        short: 'l',
        type: 'text',
        value: 'SELECTOR',
        help: 'Only objects with these labels: a=b,c!=d,e in (x,y),!f',
      },
      { name: 'watch', short: 'w', type: 'bool', help: 'status: wait until it is done (default true)' },
      {
        name: 'timeout',
        type: 'text',
        value: 'DURATION',
        help: 'status: how long to wait (default 0: for ever)',
      },
      {
        name: 'revision',
        type: 'text',
        value: 'N',
        help: 'history: this one in full; status: fail unless it is asked for now',
      },
      {
        name: 'to-revision',
        type: 'text',
        value: 'N',
        help: 'undo: the revision to go back to (default 0: the one before)',
      },
      {
        name: 'dry-run',
        type: 'text',
        bare: 'client',
        oneOf: ['none', 'client', 'server'],
        help: 'Say what would be done: as far as known here, or by asking the server',
      },
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        oneOf: ['yaml', 'json'],
        help: 'history: the revisions themselves',
      },
    ],
    load: async () => (await import('./commands/rollout.ts')).run,
  },
  {
    name: 'why',
    summary: 'Say why an object is as it is: desired, observed, done, and what comes next',
    usage: ['why NAME', 'why TYPE/NAME...'],
    details:
      'A name by itself is that of a container. Times are absolute and as seen from now. The same facts in sections, with every field: `cove describe`.',
    examples: ['cove why web', 'cove why volume/data node/n1'],
    flags: [],
    load: async () => (await import('./commands/why.ts')).run,
  },
]
