/** `cove system prune` and its siblings: what nothing needs goes from a node; what goes, what stays, and why. */
import { decodeNodePrune, type NodePrune } from '#pkg/apis/looks.prune.ts'
import { asking } from '../asking.ts'
import { decimalText } from '../dockertext.ts'
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { changedNodes, nodePath } from '../images/nodes.ts'
import { type AskedPrune, askedPrune, type PruneScope } from '../images/prunespec.ts'
import type { Context, Session } from '../session.ts'
import { formatTable, type Row } from '../table.ts'

type Run = (context: Context) => Promise<number>

export const pruneSystem: Run = (context) => run(context, 'system')
export const pruneImages: Run = (context) => run(context, 'image')
export const pruneContainers: Run = (context) => run(context, 'container')
export const pruneNetworks: Run = (context) => run(context, 'network')
export const pruneVolumes: Run = (context) => run(context, 'volume')
export const pruneBuilder: Run = (context) => run(context, 'builder')

async function run(context: Context, scope: PruneScope): Promise<number> {
  const { args, io } = context
  const [extra] = args.positionals
  if (extra !== undefined) throw new UsageError(`unexpected argument "${extra}"`, `${scope} prune`)
  const session = await context.session()
  const asked = askedPrune(scope, args, session.clock.now())
  const nodes = await changedNodes(args, session)
  const dryRun = args.bool('dry-run')
  if (!dryRun) await mustAgree(context, asked, nodes)
  let failed = 0
  for (const node of nodes) {
    const done = await ask(node, { asked, dryRun }, session)
    failed += done.failed.length
    await io.stdout.write(textOf(done, dryRun, nodes.length > 1 ? node : undefined))
  }
  return failed === 0 ? exitCodes.ok : exitCodes.error
}

async function ask(
  node: string,
  { asked, dryRun }: { readonly asked: AskedPrune; readonly dryRun: boolean },
  { client, signal }: Session,
): Promise<NodePrune> {
  const path = nodePath(node, 'prune')
  const query = { dryRun: String(dryRun) }
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(asked.spec)
  return decodeNodePrune(await client.json({ method: 'POST', path, query, headers, body }, signal))
}

async function mustAgree(context: Context, { words }: AskedPrune, nodes: readonly string[]): Promise<void> {
  const { args, io } = context
  if (args.bool('force')) return
  if (!io.terminal.isTTY)
    throw new CliError('nothing was removed: say --force where nobody can be asked, or --dry-run to see')
  const lines = words.map((line) => `  - ${line}\n`).join('')
  await io.stderr.write(`WARNING! This will remove from ${nodes.join(', ')}:\n${lines}`)
  if (!(await asking(io)('Are you sure you want to continue?'))) throw new CliError('nothing was removed')
}

function textOf(done: NodePrune, dryRun: boolean, node: string | undefined): string {
  const { removed, kept, failed, reclaimedBytes } = done
  const gone = removed.map(({ what, bytes, why }): Row => [what, decimalText(bytes), why])
  const stuck = failed.map(({ what, why }): Row => [what, why])
  const stays = kept.map(({ what, why }): Row => [what, why])
  const part = (title: string, rows: readonly Row[]) =>
    rows.length === 0 ? '' : `${title}:\n${formatTable(rows)}\n`
  const more = dryRun || kept.length === 0 ? '' : `${kept.length} more stay: --dry-run says why\n`
  return [
    node === undefined ? '' : `Node ${node}\n`,
    part(dryRun ? 'Would go' : 'Removed', gone),
    part('Could not be removed', stuck),
    dryRun ? part('Stays', stays) : more,
    `Total reclaimed space: ${decimalText(reclaimedBytes)}${dryRun ? ' (about, nothing was removed)' : ''}\n`,
  ].join('')
}
