/** Flags that several commands take, each with one name and one meaning. */
import type { Flag } from './args.ts'

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

export const filename: Flag = {
  name: 'filename',
  short: 'f',
  type: 'list',
  value: 'FILE|DIR|URL|-',
  help: 'Manifests; may be repeated; - is standard input',
}
export const recursive: Flag = {
  name: 'recursive',
  short: 'R',
  type: 'bool',
  help: 'Take the directories below a directory too',
}
export const selector: Flag = {
  name: 'selector',
  short: 'l',
  type: 'text',
  value: 'SELECTOR',
  help: 'Only objects with these labels: a=b,c!=d,e in (x,y),!f',
}
export const allNamespaces: Flag = {
  name: 'all-namespaces',
  short: 'A',
  type: 'bool',
  help: 'Objects of all namespaces',
}
export const fieldSelector: Flag = {
  name: 'field-selector',
  type: 'text',
  value: 'SELECTOR',
  help: 'Only objects with these fields: status.phase=Running',
}
export const timeout = (help: string): Flag => ({ name: 'timeout', type: 'text', value: 'DURATION', help })
export const dryRun = (help: string): Flag => ({
  name: 'dry-run',
  type: 'text',
  bare: 'client',
  oneOf: ['none', 'client', 'server'],
  help,
})
export const noHeaders: Flag = { name: 'no-headers', type: 'bool', help: 'Leave the header line out' }
export const allOfType: Flag = {
  name: 'all',
  type: 'bool',
  help: 'All objects of the type in the namespace',
}
export const yes: Flag = { name: 'yes', short: 'y', type: 'bool', help: 'Do not ask' }
