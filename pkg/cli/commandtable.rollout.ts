/** The part of the command table that tells why things are as they are, and follows and undoes changes. */
import type { Command } from './command.ts'
import { allNamespaces, dryRun, noHeaders, selector, timeout } from './commandtable.flags.ts'

export const rolloutCommands: readonly Command[] = [
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
  {
    name: 'events',
    summary: 'List events, oldest first',
    usage: ['events [options]'],
    examples: ['cove events', 'cove events --for container/web', 'cove events -A -w'],
    flags: [
      { name: 'for', type: 'text', value: 'TYPE/NAME', help: 'Only events of this object' },
      allNamespaces,
      { name: 'types', type: 'text', value: 'TYPES', help: 'Only these types: Warning,Normal' },
      { name: 'watch', short: 'w', type: 'bool', help: 'Then print every new one' },
      noHeaders,
    ],
    load: async () => (await import('./commands/events.ts')).run,
  },
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
      selector,
      { name: 'watch', short: 'w', type: 'bool', help: 'status: wait until it is done (default true)' },
      timeout('status: how long to wait (default 0: for ever)'),
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
      dryRun('Say what would be done: as far as known here, or by asking the server'),
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
]
