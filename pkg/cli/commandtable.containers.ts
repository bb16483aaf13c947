/** The part of the command table that is about containers as Docker's commands are: made by words, told what to do. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { timeout as timeoutFlag, yes } from './commandtable.flags.ts'
import { createFlags, runFlags } from './run/flags.ts'

const timeout = timeoutFlag('How long to wait until it is so (default: for ever)')
const time: Flag = {
  name: 'time',
  short: 't',
  type: 'text',
  value: 'SECONDS',
  help: 'Time between the stop signal and SIGKILL, this once',
}

type Verb = 'start' | 'stop' | 'restart' | 'pause' | 'unpause'

const loadVerb = (verb: Verb) => async () => {
  const { changeState, verbs } = await import('./commands/state.ts')
  return changeState(verbs[verb])
}

const stateCommands: readonly Command[] = [
  {
    name: 'start',
    summary: 'Start containers that were made, stopped, or have ended',
    usage: ['start NAME...'],
    details:
      'Sets spec.state to Running, and waits until they run. The same container goes on, with its files and its log.',
    examples: ['cove start web'],
    flags: [timeout],
    load: loadVerb('start'),
  },
  {
    name: 'stop',
    summary: 'Stop containers, and keep them stopped',
    usage: ['stop NAME... [options]'],
    details:
      'Sets spec.state to Stopped, and waits until they are: the stop signal first, SIGKILL when time is up.',
    examples: ['cove stop web', 'cove stop -t 1 web db'],
    flags: [time, timeout],
    load: loadVerb('stop'),
  },
  {
    name: 'restart',
    summary: 'Stop and start containers once',
    usage: ['restart NAME... [options]'],
    details: 'The same as `rollout restart`, and waits until it is done. Starts stopped ones too.',
    examples: ['cove restart web', 'cove restart -t 1 web db'],
    flags: [time, timeout],
    load: loadVerb('restart'),
  },
  {
    name: 'pause',
    summary: 'Freeze all processes of containers',
    usage: ['pause NAME...'],
    details: 'Sets spec.state to Paused, and waits until they are.',
    examples: ['cove pause web'],
    flags: [timeout],
    load: loadVerb('pause'),
  },
  {
    name: 'unpause',
    summary: 'Let frozen containers go on',
    usage: ['unpause NAME...'],
    details: 'Sets spec.state to Running, and waits until they run.',
    examples: ['cove unpause web'],
    flags: [timeout],
    load: loadVerb('unpause'),
  },
  {
    name: 'kill',
    summary: 'Send a signal to the processes of containers',
    usage: ['kill [-s SIGNAL] NAME...'],
    details:
      'SIGKILL unless told otherwise. Whether one that ends by it is started again is for its restartPolicy to say; `cove stop` keeps it stopped.',
    examples: ['cove kill web', 'cove kill -s HUP web db'],
    flags: [{ name: 'signal', short: 's', type: 'text', value: 'SIGNAL', help: 'HUP, SIGTERM, 9, ...' }],
    load: async () => (await import('./commands/kill.ts')).run,
  },
  {
    name: 'rm',
    summary: 'Delete Containers that have ended',
    usage: ['rm NAME... [options]'],
    details:
      'Refuses one that runs; with -f its processes are killed. Volumes that nobody named go with it, Volume objects stay.',
    examples: ['cove rm job', 'cove rm -f web'],
    flags: [
      {
        name: 'force',
        short: 'f',
        type: 'bool',
        help: 'Also one that runs, by SIGKILL; no error for one that is not there',
      },
      { name: 'volumes', short: 'v', type: 'bool', help: 'Its anonymous volumes too, as always' },
      timeout,
    ],
    load: async () => (await import('./commands/rm.ts')).run,
  },
  {
    name: 'rename',
    summary: 'Give a Container a new name, by a new container',
    usage: ['rename OLD NEW [--yes]'],
    details:
      'The name of an object does not change. This makes a Container of the new name with the same spec, deletes the old one, and starts the new one then: Volumes and paths of the node are the same, what was written elsewhere, anonymous volumes, the log and the id go. Asks before it does so.',
    examples: ['cove rename web shop', 'cove rename web shop --yes'],
    flags: [yes, timeout],
    load: async () => (await import('./commands/rename.ts')).run,
  },
]

export const containerCommands: readonly Command[] = [
  {
    name: 'run',
    summary: 'Make a Container from an image, and run it here or, with -d, by itself',
    usage: ['run [options] IMAGE [COMMAND] [ARGUMENT...]'],
    details:
      "docker run's flags make a Container object, which --dry-run=client -o yaml prints. In front, its output comes here, with -i input goes there, and its exit code becomes that of cove; 125 is a failure before that, 126 a program that cannot be run, 127 one that is not there. On a terminal Ctrl-P Ctrl-Q leaves it running; without one, the first Ctrl-C is passed on to it. Unless --restart says otherwise, it runs once. A path of the node that is mounted must exist.",
    examples: [
      'cove run --rm busybox:1 echo hello',
      'cove run -it --rm busybox:1 sh',
      'cove run -d --name web -p 8080:80 -v pages:/srv --restart always httpd:2',
      'cove run --dry-run=client -o yaml -p 8080:80 httpd:2 > web.yaml',
    ],
    flags: runFlags,
    commandFollows: true,
    load: async () => (await import('./commands/run.ts')).run,
  },
  {
    name: 'create',
    summary: 'Make a container from an image without starting it',
    usage: ['create [options] IMAGE [COMMAND] [ARGUMENT...]'],
    details: 'Takes the flags of run, and prints the id of what it made. `cove start` starts it.',
    examples: ['cove create --name job busybox:1 sh -c "echo done"'],
    flags: createFlags,
    commandFollows: true,
    load: async () => (await import('./commands/create.ts')).run,
  },
  ...stateCommands,
]
