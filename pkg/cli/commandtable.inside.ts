/** The part of the command table that goes into containers: their output, programs in them, files and ports. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { yes } from './commandtable.flags.ts'

const stdin: Flag = { name: 'stdin', short: 'i', type: 'bool', help: 'Pass standard input on' }
const tty: Flag = {
  name: 'tty',
  short: 't',
  type: 'bool',
  help: 'Use this terminal as its terminal; with -i',
}
const quiet: Flag = { name: 'quiet', short: 'q', type: 'bool', help: 'Only what the process itself writes' }

export const insideCommands: readonly Command[] = [
  {
    name: 'logs',
    summary: 'Print what a container wrote to its standard streams, or a build did',
    usage: ['logs NAME [options]', 'logs container/NAME [options]', 'logs build/NAME [options]'],
    details:
      'What the container wrote to its standard output and standard error comes out of the same streams here. Of a Build: the steps of its last attempt, and what they wrote.',
    examples: [
      'cove logs web',
      'cove logs -f --tail 20 web',
      'cove logs -p web',
      'cove logs web --since 5m 2>/dev/null',
      'cove logs -f build/web',
    ],
    flags: [
      {
        name: 'follow',
        short: 'f',
        type: 'bool',
        help: 'Go on with new output until the container or the build ends',
      },
      { name: 'previous', short: 'p', type: 'bool', help: 'The run, or build, before the last one' },
      { name: 'attempt', type: 'text', value: 'NUMBER', help: 'Of a Build: this one (default: the last)' },
      { name: 'tail', type: 'text', value: 'LINES', help: 'Only the last lines (default: all)' },
      { name: 'since', type: 'text', value: 'DURATION', help: 'Only output newer than this: 5s, 2m, 3h' },
      { name: 'since-time', type: 'text', value: 'TIME', help: 'Only output after this RFC 3339 time' },
      { name: 'timestamps', type: 'bool', help: 'Begin each line with its time' },
    ],
    load: async () => (await import('./commands/logs.ts')).run,
  },
  {
    name: 'exec',
    summary: 'Run a command in a container',
    usage: ['exec NAME [-i] [-t] -- COMMAND [ARGUMENT...]'],
    details:
      'The exit code of the command becomes that of cove. A command goes on when cove is killed: engines cannot end it.',
    examples: [
      'cove exec web -- ls -l /',
      'cove exec -it web -- sh',
      'cove exec -i db -- psql -U app < dump.sql',
    ],
    flags: [stdin, tty, quiet],
    load: async () => (await import('./commands/exec.ts')).run,
  },
  {
    name: 'attach',
    summary: "Join the streams of a container's own process",
    usage: ['attach NAME [-i] [-t]'],
    details:
      'Output from now on, until the container ends. Input is read by containers with spec.stdin, keys by those with spec.tty. Whoever leaves a shell with exit or Ctrl-D ends the container, so -it asks first; Ctrl-P Ctrl-Q leaves it running.',
    examples: ['cove attach web', 'cove attach -it shell', 'cove attach -it --yes shell'],
    flags: [stdin, tty, yes],
    load: async () => (await import('./commands/attach.ts')).run,
  },
  {
    name: 'cp',
    summary: 'Copy files and directories into a container or out of it',
    usage: ['cp FILE NAME:PATH', 'cp NAME:PATH FILE'],
    details:
      'Needs nothing inside of the container, nor that it runs. An existing directory takes the copy under its own name; any other path is the name of the copy. What comes into a container belongs to root; what a tmpfs holds is not seen.',
    examples: ['cove cp ./site web:/srv', 'cove cp web:/etc/hosts ./hosts'],
    flags: [],
    load: async () => (await import('./commands/cp.ts')).run,
  },
  {
    name: 'port-forward',
    summary: 'Forward ports of this machine into a container',
    usage: ['port-forward NAME [LOCAL:]REMOTE...'],
    details:
      'Works until it is interrupted. The port needs not be published; `:80` picks any free local port.',
    examples: ['cove port-forward web 8080:80', 'cove port-forward db 5432 :9100'],
    flags: [
      {
        name: 'address',
        type: 'text',
        value: 'ADDRESSES',
        help: 'Addresses to listen on, comma separated; 127.0.0.1',
      },
    ],
    load: async () => (await import('./commands/portforward.ts')).run,
  },
]
