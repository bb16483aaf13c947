/** `cove image load`: the images of an archive, as `docker save` and `cove image save` write it, onto nodes. */
import { CliError, UsageError } from '../errors.ts'
import { sourceOf } from '../images/archives.ts'
import { changedNodes, eachInTurn, nodePath } from '../images/nodes.ts'
import { followTransfer, noProgress, transferProgress } from '../images/transfers.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [extra] = args.positionals
  if (extra !== undefined)
    throw new UsageError(`unexpected argument "${extra}": the file is named with -i`, 'image load')
  const source = await sourceOf(args.text('input') ?? '-', io)
  const session = await context.session()
  const nodes = await changedNodes(args, session)
  if (nodes.length > 1 && source.word === '-')
    throw new CliError('standard input can be read once: name a file with -i')
  const progress = args.bool('quiet') ? noProgress : transferProgress(io.stdout)
  return await eachInTurn(nodes, io, async (node) => {
    const headers = { 'content-type': 'application/x-tar' }
    const request = { method: 'POST', path: nodePath(node, 'images/load'), headers, input: source.read() }
    const { body } = await session.client.stream(request, session.signal)
    const { references = [], ids = [] } = await followTransfer(body, progress)
    for (const reference of references) await io.stdout.write(`Loaded image: ${reference}\n`)
    for (const id of ids) await io.stdout.write(`Loaded image ID: ${id}\n`)
  })
}
