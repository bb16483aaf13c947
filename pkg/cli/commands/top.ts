/** `cove top`: what containers and nodes use now, and the processes of one container with the ids its host knows. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import type { KubeObject } from '#pkg/apimachinery/meta.ts'
import { decodeProcesses } from '#pkg/apis/looks.ts'
import type { Args } from '../args.ts'
import { findContainer } from '../containername.ts'
import { exitCodes, UsageError } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { look } from '../looking.ts'
import {
  type Metrics,
  readContainerMetrics,
  readMetrics,
  sorted,
  statsHeader,
  statsRow,
  topRow,
} from '../metrics.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { formatTable, type Row } from '../table.ts'

const containerWords: readonly string[] = ['container', 'containers', 'ctr', 'pod', 'pods', 'po']
const nodeWords: readonly string[] = ['node', 'nodes', 'no']

export async function run(context: Context): Promise<number> {
  const [first, ...more] = context.args.positionals
  if (first === undefined)
    throw new UsageError('say what of: containers, nodes, or the name of a container', 'top')
  const [type = '', named] = first.split('/')
  const names = named === undefined ? more : [named, ...more]
  if (containerWords.includes(type)) return topContainers(context, names)
  if (nodeWords.includes(type)) return topNodes(context, names)
  return topContainers(context, context.args.positionals)
}

async function topContainers(context: Context, names: readonly string[]): Promise<number> {
  const [name, more] = names
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'top')
  const session = await context.session()
  return name === undefined ? listContainers(context, session) : oneContainer(context, session, name)
}

async function listContainers({ io, args }: Context, session: Session): Promise<number> {
  const { everywhere, metrics } = await readContainerMetrics(args, session)
  if (metrics.length === 0) {
    await io.stderr.write(
      everywhere ? 'No containers run.\n' : `No containers run in ${session.namespace} namespace.\n`,
    )
    return exitCodes.ok
  }
  const where = (one: Metrics) => (everywhere ? [one.namespace, one.name] : [one.name])
  const header = [...(everywhere ? ['NAMESPACE'] : []), 'NAME', 'CPU(cores)', 'MEMORY(bytes)']
  const rows = sorted(metrics, args.text('sort-by')).map((one) => [...where(one), ...topRow(one)])
  await io.stdout.write(formatTable([...headers(args, header), ...rows]))
  return exitCodes.ok
}

function headers(args: Args, header: Row): Row[] {
  return args.bool('no-headers') ? [] : [header]
}

/** What it uses, and its processes. */
async function oneContainer({ io, args }: Context, open: Session, word: string): Promise<number> {
  const container = await findContainer(word, open)
  const { name, session } = container
  const [[usage], table] = await Promise.all([
    readMetrics({ of: 'pods', namespace: session.namespace, name }, session),
    look(container, 'top').then(decodeProcesses),
  ])
  const used = usage === undefined ? [] : [[name, ...statsRow(usage)]]
  await io.stdout.write(formatTable([...headers(args, ['NAME', ...statsHeader]), ...used]))
  await io.stdout.write(`\n${formatTable([...headers(args, table.titles), ...table.processes])}`)
  return exitCodes.ok
}

async function topNodes({ io, args, session: open }: Context, names: readonly string[]): Promise<number> {
  const [name, more] = names
  if (more !== undefined) throw new UsageError(`unexpected argument "${more}"`, 'top')
  const session = await open()
  const labelSelector = args.text('selector')
  const selection = labelSelector === undefined ? {} : { labelSelector }
  const [metrics, nodes] = await Promise.all([
    readMetrics({ of: 'nodes', ...(name === undefined ? selection : { name }) }, session),
    listObjects({ resource: builtinResource('Node'), ...selection }, session),
  ])
  const capacity = new Map(nodes.objects.map((node) => [node.metadata.name, capacityOf(node)]))
  const header = ['NAME', 'CPU(cores)', 'CPU(%)', 'MEMORY(bytes)', 'MEMORY(%)']
  const rows = sorted(metrics, args.text('sort-by')).map((one) => {
    const [cpu = '', memory = ''] = topRow(one)
    const { cpu: cores, memory: bytes } = capacity.get(one.name) ?? { cpu: 0, memory: 0 }
    return [one.name, cpu, share(one.cpu, cores), memory, share(one.memory, bytes)]
  })
  await io.stdout.write(formatTable([...headers(args, header), ...rows]))
  return exitCodes.ok
}

/** What of it can be used, 0 where it is not told. Read without the kind's schema, whose loading takes longer than the rest. */
function capacityOf({ status }: KubeObject): { readonly cpu: number; readonly memory: number } {
  const told = isPlainObject(status) ? (status['allocatable'] ?? status['capacity']) : undefined
  const { cpu, memory } = isPlainObject(told) ? told : {}
  return { cpu: typeof cpu === 'number' ? cpu : 0, memory: typeof memory === 'number' ? memory : 0 }
}

function share(used: number, all: number): string {
  return all === 0 ? '<unknown>' : `${Math.round((used / all) * 100)}%`
}
