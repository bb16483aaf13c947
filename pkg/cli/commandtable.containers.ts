/** The part of the command table that is about containers as Docker's commands are: made by words, told what to do. */
import type { Command } from './command.ts'
import { createFlags, runFlags } from './run/flags.ts'

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
]
