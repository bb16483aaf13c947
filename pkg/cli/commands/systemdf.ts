/** `cove system df`: what lies on the disks of nodes, as `docker system df` adds it up. */
import { decodeNodeDisk, type NodeDisk } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { listOf, parseFormat } from '../format.ts'
import { type DiskRow, diskFields, diskLists, diskRows, diskTitles } from '../images/disk.ts'
import { compileRows } from '../images/formatted.ts'
import { askEach, type NodeAnswer, nodePath, readNodes, tellFailures } from '../images/nodes.ts'
import type { Context } from '../session.ts'
import { formatTable } from '../table.ts'

const command = 'system df'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [extra] = args.positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, command)
  const print = printer(context)
  const session = await context.session()
  const { client, signal } = session
  const nodes = await readNodes(args, session)
  const { answers, failures } = await askEach(nodes, async (node) =>
    decodeNodeDisk(await client.json({ method: 'GET', path: nodePath(node, 'disk') }, signal)),
  )
  const isAnswered = answers.length > 0 || failures.length === 0
  if (isAnswered) await io.stdout.write(await print(answers, nodes.length > 1))
  return await tellFailures(failures, io)
}

type Answers = readonly NodeAnswer<NodeDisk>[]
type Printer = (answers: Answers, several: boolean) => Promise<string> | string

/** Throws UsageError before anybody is asked. */
function printer({ io, args }: Context): Printer {
  const [template, output] = [args.text('format'), args.text('output')]
  if (template !== undefined && (output !== undefined || args.bool('verbose')))
    throw new UsageError('--format, -o and -v exclude each other', command)
  const rowsOf = (answers: Answers) => answers.flatMap(({ node, value }) => diskRows(node, value))
  if (template !== undefined && template !== 'table') {
    const print = compileRows(template, { command, fields: diskFields, titles: diskTitles })
    return (answers) => print(rowsOf(answers))
  }
  const format = parseFormat(output, { showManagedFields: true, command })
  if (output === 'name') throw new UsageError('there is nothing here that has a name', command)
  if (format.kind === 'objects')
    return (answers) =>
      format.print(
        listOf(
          answers.map(({ node, value }) => ({ apiVersion: 'cove.run/v1', kind: 'NodeDisk', node, ...value })),
        ),
      )
  if (!args.bool('verbose')) return (answers, several) => table(rowsOf(answers), several)
  return (answers, several) =>
    answers
      .map(({ node, value }) => `${several ? `Node ${node}\n\n` : ''}${diskLists(value, io.clock.now())}`)
      .join('\n')
}

function table(rows: readonly DiskRow[], several: boolean): string {
  const header = ['TYPE', 'TOTAL', 'ACTIVE', 'SIZE', 'RECLAIMABLE', ...(several ? ['NODE'] : [])]
  const lines = rows.map(({ Type, TotalCount, Active, Size, Reclaimable, Node }) => [
    Type,
    TotalCount,
    Active,
    Size,
    Reclaimable,
    ...(several ? [Node] : []),
  ])
  return formatTable([header, ...lines])
}
