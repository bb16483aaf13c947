/** `--network` and what goes with it as fields of a Container. Pure. */
import type { Args } from '../args.ts'
import { UsageError } from '../errors.ts'
import { pair, present, wrong } from './words.ts'

interface Attachment {
  readonly name: string
  readonly aliases?: readonly string[]
}

export function networkFields(args: Args): Record<string, unknown> {
  const given = [...args.list('network'), ...args.list('net')].map(attachment)
  const aliases = [...args.list('network-alias'), ...args.list('net-alias')]
  const modes = given.flatMap(({ name }) => modeOf(name) ?? [])
  if (modes.length > 0 && given.length > 1)
    throw new UsageError(`--network ${modes[0]} goes with no other network`, 'run')
  if (aliases.length > 0 && (given.length !== 1 || modes.length > 0))
    throw new UsageError(
      '--network-alias needs the one --network whose name it is; of several: --network name=NAME,alias=ALIAS',
      'run',
    )
  return present({
    networkMode: modes[0],
    networks: modes.length > 0 ? [] : given.map((one) => withAliases(one, aliases)),
    extraHosts: args.list('add-host').map((host) => host.replace(/^([^:=]+)=/, '$1:')),
    dns: present({
      servers: args.list('dns'),
      searches: args.list('dns-search'),
      options: [...args.list('dns-option'), ...args.list('dns-opt')],
    }),
    links: args.list('link').map(link),
  })
}

function modeOf(name: string): string | undefined {
  if (name === 'default') return 'bridge'
  return ['host', 'none', 'bridge'].includes(name) || name.startsWith('container:') ? name : undefined
}

/** `front`, or `name=front,alias=www`. */
function attachment(text: string): Attachment {
  if (!text.includes('=')) return { name: text }
  const entries = text.split(',').map((part) => pair(part))
  const other = entries.find(([key]) => key !== 'name' && key !== 'alias')
  if (other !== undefined) throw wrong('network', text, `there is no "${other[0]}": name and alias are`)
  const valuesOf = (wanted: string) =>
    entries.flatMap(([key, value]) => (key === wanted && value !== undefined ? [value] : []))
  const [name] = valuesOf('name')
  if (name === undefined) throw wrong('network', text, 'name=NAME is missing')
  return { name, aliases: valuesOf('alias') }
}

function withAliases({ name, aliases = [] }: Attachment, more: readonly string[]): Attachment {
  const all = [...aliases, ...more]
  return { name, ...(all.length > 0 && { aliases: all }) }
}

function link(text: string): Record<string, string> {
  const [container, alias] = pair(text, ':')
  return { container, ...(alias !== undefined && { alias }) }
}
