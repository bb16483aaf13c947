/** The part of the command table that removes what nothing needs. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'

const always =
  'What an object names, any container uses, or is being pulled stays; so does what has the label cove.run/keep, and every volume with a name. --dry-run says so of each. With several nodes say which: --node NAME or --all-nodes. By itself Cove prunes only as PrunePolicies say: `cove get prunepolicies`.'

const dryRun: Flag = { name: 'dry-run', type: 'bool', help: 'Only say what would go, what stays, and why' }
const force: Flag = { name: 'force', short: 'f', type: 'bool', help: 'Do not ask' }
const filter: Flag = {
  name: 'filter',
  type: 'list',
  value: 'KEY=VALUE',
  help: 'until=24h (not used, or made, since then) or label=KEY=VALUE; may be repeated',
}
const all: Flag = {
  name: 'all',
  short: 'a',
  type: 'bool',
  help: 'Also images that have a name and that nothing uses',
}
const unmanaged: Flag = {
  name: 'unmanaged',
  type: 'bool',
  help: 'Also containers that Cove did not make',
}
const where: readonly Flag[] = [
  { name: 'node', type: 'text', value: 'NAME', help: 'On this node' },
  { name: 'all-nodes', type: 'bool', help: 'On every node' },
]
const common = [dryRun, force, filter, ...where]

export const pruneCommands: readonly Command[] = [
  {
    name: 'system prune',
    summary: 'Remove what nothing needs from nodes',
    usage: ['system prune [options]'],
    details: `Leftover containers, images, networks and build cache. ${always}`,
    examples: [
      'cove system prune --dry-run',
      'cove system prune -a --filter until=72h',
      'cove system prune -af --volumes --node n1',
    ],
    flags: [
      all,
      { name: 'volumes', type: 'bool', help: 'Also volumes that nobody named and nothing mounts' },
      unmanaged,
      ...common,
    ],
    load: async () => (await import('./commands/prune.ts')).pruneSystem,
  },
  {
    name: 'image prune',
    summary: 'Remove images that nothing needs',
    usage: ['image prune [options]'],
    details: `Without --all, images that have lost their names. Ages count from the last use. ${always}`,
    examples: ['cove image prune', 'cove image prune -a --filter until=240h'],
    flags: [all, ...common],
    load: async () => (await import('./commands/prune.ts')).pruneImages,
  },
  {
    name: 'container prune',
    summary: 'Remove containers that have ended and nobody looks after',
    usage: ['container prune [options]'],
    details:
      'Containers that builds left behind; with --unmanaged also those that others made. A Container that has ended stays: `cove delete container NAME` removes it.',
    examples: ['cove container prune --unmanaged --filter until=24h'],
    flags: [unmanaged, ...common],
    load: async () => (await import('./commands/prune.ts')).pruneContainers,
  },
  {
    name: 'network prune',
    summary: 'Remove networks that no container is in and no Network stands for',
    usage: ['network prune [options]'],
    examples: ['cove network prune --dry-run'],
    flags: common,
    load: async () => (await import('./commands/prune.ts')).pruneNetworks,
  },
  {
    name: 'volume prune',
    summary: 'Remove volumes that nobody named and no container mounts',
    usage: ['volume prune [options]'],
    details: 'Volumes with a name always stay, whoever made them: `cove delete volume NAME` removes one.',
    examples: ['cove volume prune --dry-run'],
    flags: common,
    load: async () => (await import('./commands/prune.ts')).pruneVolumes,
  },
  {
    name: 'builder prune',
    summary: 'Remove build cache',
    usage: ['builder prune [options]'],
    examples: ['cove builder prune --keep-storage 10GB'],
    flags: [{ name: 'keep-storage', type: 'text', value: 'SIZE', help: 'So much of it stays' }, ...common],
    load: async () => (await import('./commands/prune.ts')).pruneBuilder,
  },
]
