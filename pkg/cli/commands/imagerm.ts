/** `cove image rm`: takes names from images, and the images that have none left; one argument after the other. */
import { decodeRemoved } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { changedNodes, eachInTurn, nodePath } from '../images/nodes.ts'
import type { Context } from '../session.ts'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const words = args.positionals
  if (words.length === 0) throw new UsageError('name an image', 'image rm')
  const session = await context.session()
  const { client, signal } = session
  const nodes = await changedNodes(args, session)
  const targets = nodes.flatMap((node) => words.map((image) => ({ node, image })))
  return await eachInTurn(targets, io, async ({ node, image }) => {
    const query = { image, ...(args.bool('force') && { force: 'true' }) }
    const path = nodePath(node, 'images')
    const { untagged, deleted } = decodeRemoved(await client.json({ method: 'DELETE', path, query }, signal))
    const lines = [...untagged.map((name) => `Untagged: ${name}`), ...deleted.map((id) => `Deleted: ${id}`)]
    await io.stdout.write(lines.map((line) => `${line}\n`).join(''))
  })
}
