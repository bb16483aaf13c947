/** `cove ps`: all that the engines of nodes hold, managed or not, as `docker ps` shows it, and whose it is. */
import { shortID } from '#pkg/apis/container.image.ts'
import { decodeNodeContainers, type NodeContainer } from '#pkg/apis/looks.ts'
import { objectPath } from '#pkg/apis/paths.ts'
import { aboutText, portsText } from '../dockertext.ts'
import { errorText, exitCodes, UsageError } from '../errors.ts'
import { listObjects } from '../follow.ts'
import { ownerText } from '../looking.ts'
import { builtinResource } from '../resources.ts'
import type { Context, Session } from '../session.ts'
import { formatTable, type Row } from '../table.ts'

const header: Row = [
  'CONTAINER ID',
  'IMAGE',
  'COMMAND',
  'CREATED',
  'STATUS',
  'PORTS',
  'NAMES',
  'OWNER',
  'NODE',
  'HEALTH',
]
const shortIDLength = 12
const commandLength = 20

interface Placed extends NodeContainer {
  readonly node: string
}

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [extra] = args.positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, 'ps')
  const session = await context.session()
  const node = args.text('node')
  const answers = await Promise.allSettled(
    (node === undefined ? await nodeNames(session) : [node]).map((name) => containersOf(name, session)),
  )
  const found = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
  const shown = found.filter((container) => isWanted(container, context)).toSorted(newestFirst)
  const text = args.bool('quiet') ? ids(shown, context) : table(shown, context)
  await io.stdout.write(text)
  const failures = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []))
  for (const failure of failures) {
    if (io.signal.aborted) throw failure
    await io.stderr.write(errorText(failure))
  }
  return failures.length === 0 ? exitCodes.ok : exitCodes.error
}

async function nodeNames(session: Session): Promise<string[]> {
  const { objects } = await listObjects({ resource: builtinResource('Node') }, session)
  return objects.map(({ metadata }) => metadata.name)
}

async function containersOf(node: string, { client, signal }: Session): Promise<Placed[]> {
  const path = `${objectPath(builtinResource('Node'), { name: node })}/containers`
  const answer = decodeNodeContainers(await client.json({ method: 'GET', path }, signal))
  return answer.map((container) => ({ ...container, node }))
}

function isWanted({ state, owner }: NodeContainer, { args }: Context): boolean {
  if (args.bool('managed') && owner.type !== 'Container') return false
  return args.bool('all') || ['running', 'paused', 'restarting'].includes(state)
}

function newestFirst(a: Placed, b: Placed): number {
  return Date.parse(b.createdAt) - Date.parse(a.createdAt)
}

function idText(id: string, { args }: Context): string {
  return args.bool('no-trunc') ? id : id.slice(0, shortIDLength)
}

function ids(containers: readonly Placed[], context: Context): string {
  return containers.map(({ id }) => `${idText(id, context)}\n`).join('')
}

function table(containers: readonly Placed[], context: Context): string {
  const { args, io } = context
  const rows = containers.map(
    ({ id, image, command, createdAt, status, ports, name, owner, node, health }) => [
      idText(id, context),
      args.bool('no-trunc') ? image : shortID(image),
      args.bool('no-trunc') ? `"${command}"` : shortCommand(command),
      `${aboutText(io.clock.now() - Date.parse(createdAt))} ago`,
      status,
      portsText(ports),
      name,
      ownerText(owner),
      node,
      health,
    ],
  )
  return formatTable([...(args.bool('no-headers') ? [] : [header]), ...rows])
}

function shortCommand(command: string): string {
  const text = [...command]
  return text.length <= commandLength ? `"${command}"` : `"${text.slice(0, commandLength - 1).join('')}…"`
}
