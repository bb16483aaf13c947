/** Every command, once: its flags, its help, and where its code is, loaded when it is run. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { containerCommands } from './commandtable.containers.ts'
import { lookCommands } from './commandtable.looks.ts'
import { rolloutCommands } from './commandtable.rollout.ts'
import { serverCommands } from './commandtable.server.ts'

/** Flags that every command takes. */
export const commonFlags: readonly Flag[] = [
  { name: 'help', short: 'h', type: 'bool', help: 'Print help of the command' },
  {
    name: 'kubeconfig',
    type: 'text',
    value: 'FILE',
    help: 'Server and identity; else $KUBECONFIG, else ~/.cove/kubeconfig',
  },
  { name: 'context', type: 'text', value: 'NAME', help: 'Context of the kubeconfig' },
  { name: 'namespace', short: 'n', type: 'text', value: 'NAME', help: 'Namespace; else that of the context' },
]

const filename: Flag = {
  name: 'filename',
  short: 'f',
  type: 'list',
  value: 'FILE|DIR|URL|-',
  help: 'Manifests; may be repeated; - is standard input',
}
const recursive: Flag = {
  name: 'recursive',
  short: 'R',
  type: 'bool',
  help: 'Take the directories below a directory too',
}
const selector: Flag = {
  name: 'selector',
  short: 'l',
  type: 'text',
  value: 'SELECTOR',
  help: 'Only objects with these labels: a=b,c!=d,e in (x,y),!f',
}
const allNamespaces: Flag = {
  name: 'all-namespaces',
  short: 'A',
  type: 'bool',
  help: 'Objects of all namespaces',
}
const fieldSelector: Flag = {
  name: 'field-selector',
  type: 'text',
  value: 'SELECTOR',
  help: 'Only objects with these fields: status.phase=Running',
}
const timeout = (help: string): Flag => ({ name: 'timeout', type: 'text', value: 'DURATION', help })

const stdin: Flag = { name: 'stdin', short: 'i', type: 'bool', help: 'Pass standard input on' }
const tty: Flag = {
  name: 'tty',
  short: 't',
  type: 'bool',
  help: 'Use this terminal as its terminal; with -i',
}
const quiet: Flag = { name: 'quiet', short: 'q', type: 'bool', help: 'Only what the process itself writes' }

export const commands: readonly Command[] = [
  {
    name: 'apply',
    summary: 'Make the objects of manifests what the manifests say',
    usage: ['apply -f FILE|DIR|URL|- [options]'],
    details:
      'The whole set is checked first: when anything in it is wrong, all errors are printed with file, document, line and field, and nothing is sent. Objects that are already as written are not written again. cove and kubectl may take turns on the same objects.',
    examples: [
      'cove apply -f web.yaml',
      'cove apply -f examples -R --wait',
      'cat web.yaml | cove apply -f -',
    ],
    flags: [
      filename,
      recursive,
      {
        name: 'dry-run',
        type: 'text',
        bare: 'client',
        oneOf: ['none', 'client', 'server'],
        help: 'Say what would be done: as far as known here, or by asking the server',
      },
      {
        name: 'wait',
        type: 'text',
        value: 'CONDITION',
        bare: 'true',
        help: 'Wait until every object is ready, or has the condition',
      },
      timeout('How long to wait (default 5m)'),
    ],
    load: async () => (await import('./commands/apply.ts')).run,
  },
  {
    name: 'get',
    summary: 'List objects',
    usage: ['get TYPE[,TYPE] [NAME...] [options]', 'get TYPE/NAME... [options]'],
    examples: [
      'cove get containers',
      'cove get all -A',
      'cove get ctr web -o yaml',
      "cove get ctr -o jsonpath='{.items[*].status.phase}'",
    ],
    flags: [
      {
        name: 'output',
        short: 'o',
        type: 'text',
        value: 'FORMAT',
        help: 'wide, yaml, json, name or jsonpath=TEMPLATE',
      },
      allNamespaces,
      selector,
      fieldSelector,
      { name: 'watch', short: 'w', type: 'bool', help: 'Then print every change' },
      { name: 'watch-only', type: 'bool', help: 'Print changes only' },
      { name: 'no-headers', type: 'bool', help: 'Leave the header line out' },
      { name: 'show-labels', type: 'bool', help: 'Add a column with the labels' },
      { name: 'show-managed-fields', type: 'bool', help: 'Keep metadata.managedFields in yaml and json' },
      { name: 'ignore-not-found', type: 'bool', help: 'No error for a name that does not exist' },
    ],
    load: async () => (await import('./commands/get.ts')).run,
  },
  {
    name: 'describe',
    summary: 'Show one object in full, with its events',
    usage: ['describe TYPE NAME...', 'describe TYPE/NAME...', 'describe TYPE [-l SELECTOR]'],
    examples: ['cove describe container web', 'cove describe node/n1'],
    flags: [selector, allNamespaces],
    load: async () => (await import('./commands/describe.ts')).run,
  },
  {
    name: 'diff',
    summary: 'Show what apply would change, field by field',
    usage: ['diff -f FILE|DIR|URL|- [options]', 'diff container NAME'],
    details:
      'Asks the server to try without storing. Exits 0 when nothing would change, 1 when something would, 2 on an error. Of a container by its name, lists files as `cove changes` does.',
    examples: ['cove diff -f web.yaml'],
    flags: [filename, recursive],
    load: async () => (await import('./commands/diff.ts')).run,
  },
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
  {
    name: 'delete',
    summary: 'Delete objects and wait until they are gone',
    usage: [
      'delete -f FILE|DIR|URL|- [options]',
      'delete TYPE NAME... [options]',
      'delete TYPE/NAME... [options]',
      'delete TYPE -l SELECTOR|--all [options]',
    ],
    examples: [
      'cove delete -f web.yaml',
      'cove delete container web',
      'cove delete ctr -l app=web --wait=false',
    ],
    flags: [
      filename,
      recursive,
      selector,
      fieldSelector,
      { name: 'all', type: 'bool', help: 'All objects of the type in the namespace' },
      { name: 'wait', type: 'bool', help: 'Wait until they are gone (default true)' },
      { name: 'ignore-not-found', type: 'bool', help: 'No error for what does not exist' },
      {
        name: 'grace-period',
        type: 'text',
        value: 'SECONDS',
        help: 'Time between the stop signal and SIGKILL',
      },
      { name: 'now', type: 'bool', help: 'The same as --grace-period=1' },
      { name: 'force', type: 'bool', help: 'The same as --grace-period=0' },
      {
        name: 'cascade',
        type: 'text',
        bare: 'background',
        oneOf: ['background', 'foreground', 'orphan'],
        help: 'What becomes of what they own: deleted after them (background), before them, or left',
      },
      timeout('How long to wait (default: for ever)'),
      {
        name: 'dry-run',
        type: 'text',
        bare: 'client',
        oneOf: ['none', 'client', 'server'],
        help: 'Say what would be deleted',
      },
      { name: 'output', short: 'o', type: 'text', value: 'name', oneOf: ['name'], help: 'Print names only' },
    ],
    load: async () => (await import('./commands/delete.ts')).run,
  },
  {
    name: 'wait',
    summary: 'Wait until objects are as you need them',
    usage: [
      'wait TYPE/NAME... --for=WHAT [options]',
      'wait TYPE [NAME...] --for=WHAT [-l SELECTOR|--all] [options]',
      'wait NAME...',
    ],
    details:
      'WHAT is condition=TYPE[=STATUS], delete, or jsonpath={PATH}[=VALUE]. Exits 1 when time is up. Without --for, waits until the named containers have ended, as long as it takes, and prints their exit codes.',
    examples: [
      'cove wait container/web --for=condition=Ready',
      'cove wait ctr --all --for=delete --timeout=1m',
      "cove wait ctr/job --for=jsonpath='{.status.phase}'=Succeeded",
    ],
    flags: [
      {
        name: 'for',
        type: 'text',
        value: 'WHAT',
        help: 'condition=TYPE[=STATUS], delete, or jsonpath={PATH}[=VALUE]',
      },
      selector,
      fieldSelector,
      allNamespaces,
      { name: 'all', type: 'bool', help: 'All objects of the type in the namespace' },
      timeout('How long to wait (default 30s; 0 only looks)'),
    ],
    load: async () => (await import('./commands/wait.ts')).run,
  },
  {
    name: 'logs',
    summary: 'Print what a container wrote to its standard streams',
    usage: ['logs NAME [options]', 'logs container/NAME [options]'],
    details:
      'What the container wrote to its standard output and standard error comes out of the same streams here.',
    examples: [
      'cove logs web',
      'cove logs -f --tail 20 web',
      'cove logs -p web',
      'cove logs web --since 5m 2>/dev/null',
    ],
    flags: [
      { name: 'follow', short: 'f', type: 'bool', help: 'Go on with new output until the container ends' },
      { name: 'previous', short: 'p', type: 'bool', help: 'The run that ended last, not the one now' },
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
    flags: [stdin, tty, { name: 'yes', short: 'y', type: 'bool', help: 'Do not ask' }],
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
      { name: 'no-headers', type: 'bool', help: 'Leave the header line out' },
    ],
    load: async () => (await import('./commands/events.ts')).run,
  },
  ...rolloutCommands,
  ...containerCommands,
  ...lookCommands,
  ...serverCommands,
]
