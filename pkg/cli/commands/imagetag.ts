/** `cove image tag`: gives an image of a node another name. */
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { UsageError } from '../errors.ts'
import { changedNodes, eachInTurn, nodePath } from '../images/nodes.ts'
import type { Context } from '../session.ts'

const command = 'image tag'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [image, reference, more] = args.positionals
  if (image === undefined || reference === undefined || more !== undefined)
    throw new UsageError('exactly two names are expected: IMAGE NAME[:TAG]', command)
  const parsed = parseReference(reference)
  if (!parsed.ok) throw new UsageError(`"${reference}": ${parsed.message}`, command)
  const session = await context.session()
  const { client, signal } = session
  const nodes = await changedNodes(args, session)
  return await eachInTurn(nodes, io, async (node) => {
    const path = nodePath(node, 'images/tag')
    await client.json({ method: 'POST', path, query: { image, reference } }, signal)
  })
}
