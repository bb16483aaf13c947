/** `cove image save`: images of a node as one archive that any Docker loads, to a file or to whoever reads the output. */
import { CliError, exitCodes, UsageError } from '../errors.ts'
import { mustNotBeTerminal, writeArchive } from '../images/archives.ts'
import { findImage, heldImages, type NodeImages } from '../images/meant.ts'
import { nodePath, readNodes } from '../images/nodes.ts'
import type { Context } from '../session.ts'

const command = 'image save'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const words = args.positionals
  if (words.length === 0) throw new UsageError('name an image', command)
  const file = args.text('output')
  const destination = { ...(file !== undefined && { file }), gzip: args.text('compress') === 'gzip' }
  mustNotBeTerminal(io, destination)
  const session = await context.session()
  const nodes = await readNodes(args, session)
  const node = nodes.length === 1 ? nodes[0] : nodeWithAll(words, await heldImages(nodes, session))
  const request = {
    method: 'GET',
    path: nodePath(node ?? '', 'images/save'),
    query: new URLSearchParams(words.map((word) => ['image', word])),
    headers: { accept: '*/*' },
  }
  const { body } = await session.client.stream(request, session.signal)
  await writeArchive(io, body, destination)
  return exitCodes.ok
}

/** One archive comes from one node. */
function nodeWithAll(words: readonly string[], held: readonly NodeImages[]): string {
  const ids = words.map((word) => findImage(word, held).image.id)
  const found = held.find(({ value }) => ids.every((wanted) => value.some(({ id }) => id === wanted)))
  if (found === undefined) throw new CliError(`no node has all of ${words.join(', ')}: save them one by one`)
  return found.node
}
