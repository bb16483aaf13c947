/** `cove stats`: what containers use, again and again: a table that is redrawn on a terminal, lines elsewhere. */
import { sleep } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { findContainers, type NamedContainer, withoutType } from '../containername.ts'
import { exitCodes, isInterrupt } from '../errors.ts'
import {
  type Metrics,
  noStats,
  readContainerMetrics,
  readMetrics,
  sorted,
  statsHeader,
  statsRow,
} from '../metrics.ts'
import type { Context, Session } from '../session.ts'
import { type Row, TableWriter } from '../table.ts'

const everyMs = 1000
const clearScreen = '\u001b[H\u001b[J'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const session = await context.session()
  const words = withoutType(args.positionals)
  const containers = words.length === 0 ? undefined : await findContainers(words, session)
  const read = () => (containers === undefined ? readAll(context, session) : readNamed(containers))
  const header = [...(args.bool('all-namespaces') ? ['NAMESPACE'] : []), 'NAME', ...statsHeader]
  if (args.bool('no-stream')) {
    await io.stdout.write(new TableWriter().format([header, ...(await read())]))
    return exitCodes.ok
  }
  try {
    await repeat(context, header, read)
  } catch (error) {
    // Ctrl-C is how looking on is ended.
    if (!isInterrupt(error, io.signal)) throw error
  }
  return exitCodes.ok
}

async function repeat({ io }: Context, header: Row, read: () => Promise<Row[]>): Promise<never> {
  const { isTTY } = io.stdout
  let lines = new TableWriter()
  for (let isFirst = true; ; isFirst = false) {
    const rows = await read()
    if (isTTY) lines = new TableWriter()
    const text = lines.format(isTTY || isFirst ? [header, ...rows] : rows)
    await io.stdout.write(`${isTTY ? clearScreen : ''}${text}`)
    await sleep(io.clock, everyMs, io.signal)
  }
}

async function readAll({ args }: Context, session: Session): Promise<Row[]> {
  const { everywhere, metrics } = await readContainerMetrics(args, session)
  const where = ({ namespace, name }: Metrics) => (everywhere ? [namespace, name] : [name])
  return sorted(metrics, undefined).map((one) => [...where(one), ...statsRow(one)])
}

/** In the order in which they were named; of one that does not run nothing is known. */
function readNamed(containers: readonly NamedContainer[]): Promise<Row[]> {
  return Promise.all(
    containers.map(async ({ name, session }) => {
      try {
        const [metrics] = await readMetrics({ of: 'pods', namespace: session.namespace, name }, session)
        return [name, ...(metrics === undefined ? noStats : statsRow(metrics))]
      } catch (error) {
        if (isReason(error, 'BadRequest')) return [name, ...noStats]
        throw error
      }
    }),
  )
}
