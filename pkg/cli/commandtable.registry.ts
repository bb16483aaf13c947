/** The part of the command table that is about registries: who may ask them, and what they hold. */
import type { Flag } from './args.ts'
import type { Command } from './command.ts'
import { noHeaders } from './commandtable.flags.ts'

const node: Flag = {
  name: 'node',
  type: 'text',
  value: 'NAME',
  help: 'The node that asks the registry; else one that is ready',
}
const noTrunc: Flag = { name: 'no-trunc', type: 'bool', help: 'Descriptions in full' }
const format: Flag = {
  name: 'format',
  type: 'text',
  value: 'TEMPLATE',
  help: 'Each row through a template; json: each row as JSON',
}
const output: Flag = {
  name: 'output',
  short: 'o',
  type: 'text',
  value: 'FORMAT',
  help: 'yaml, json, name or jsonpath=TEMPLATE',
}

export const registryCommands: readonly Command[] = [
  {
    name: 'login',
    summary: 'Log in to a registry, for a namespace',
    usage: ['login [SERVER] [options]'],
    details:
      'SERVER is a registry as references name it, such as registry.example.com:5000; without it, it is Docker Hub. A node asks the registry whether the password is good. Then it is stored in a Secret of the namespace, login.SERVER of type kubernetes.io/dockerconfigjson, with which nodes pull and push from then on. No file is written. At a terminal, what is missing is asked for.',
    examples: [
      'cove login registry.example.com:5000 -u ci',
      'cove login -u ci --password-stdin < password.txt',
      'cove login registry.example.com -u ci --password-stdin --skip-check < password.txt',
    ],
    flags: [
      { name: 'username', short: 'u', type: 'text', value: 'NAME', help: 'User name' },
      {
        name: 'password',
        short: 'p',
        type: 'text',
        value: 'TEXT',
        help: 'Password; others on this machine can see it: --password-stdin is safer',
      },
      { name: 'password-stdin', type: 'bool', help: 'Take the password from standard input' },
      { name: 'skip-check', type: 'bool', help: 'Store it without asking the registry' },
      node,
    ],
    load: async () => (await import('./commands/login.ts')).run,
  },
  {
    name: 'logout',
    summary: 'Log out of a registry, for a namespace',
    usage: ['logout [SERVER]'],
    details:
      'Deletes the login from the Secret of the namespace, and the Secret with its last login. Images that nodes have stay there.',
    examples: ['cove logout registry.example.com:5000', 'cove logout'],
    flags: [],
    load: async () => (await import('./commands/logout.ts')).run,
  },
  {
    name: 'search',
    summary: 'Look for images on Docker Hub, or in a registry',
    usage: ['search TERM [options]'],
    details:
      'Docker Hub is searched as `docker search` does. No other registry can be searched: with --registry the names of its repositories are looked through, and their tags are shown. Filters, for Docker Hub: stars=N (at least), is-official=true|false. TEMPLATE knows {{.Name}} {{.Description}} {{.StarCount}} {{.IsOfficial}}; with --registry {{.Name}} {{.Tags}}.',
    examples: [
      'cove search nginx --filter stars=100 --limit 5',
      'cove search web --registry registry.example.com:5000',
      "cove search nginx --format '{{.Name}}: {{.StarCount}}'",
    ],
    flags: [
      { name: 'registry', type: 'text', value: 'SERVER', help: 'Look through this registry instead' },
      { name: 'filter', short: 'f', type: 'list', value: 'KEY=VALUE', help: 'Only those that fit' },
      { name: 'limit', type: 'text', value: 'N', help: 'At most so many (default 25)' },
      noTrunc,
      format,
      node,
      noHeaders,
    ],
    load: async () => (await import('./commands/search.ts')).run,
  },
  {
    name: 'registry catalog',
    summary: 'List the repositories of a registry',
    usage: ['registry catalog SERVER [options]'],
    details: 'Many registries, Docker Hub among them, keep them to themselves.',
    examples: [
      'cove registry catalog registry.example.com:5000',
      'cove registry catalog 127.0.0.1:5000 -o json',
    ],
    flags: [output, node],
    load: async () => (await import('./commands/registry.ts')).catalog,
  },
  {
    name: 'registry tags',
    summary: 'List the tags of a repository',
    usage: ['registry tags REPOSITORY [options]'],
    details: 'REPOSITORY is named as in a reference: nginx, registry.example.com:5000/team/app.',
    examples: ['cove registry tags registry.example.com:5000/team/app', 'cove registry tags nginx -o json'],
    flags: [output, node],
    load: async () => (await import('./commands/registry.ts')).tags,
  },
]
