/** `cove image import`: one image of a tar archive of files, onto nodes. */
import { isPlainObject } from '#pkg/apimachinery/hash.ts'
import { parseReference } from '#pkg/apimachinery/reference.ts'
import { CliError, UsageError } from '../errors.ts'
import { sourceOf } from '../images/archives.ts'
import { changedNodes, eachInTurn, nodePath } from '../images/nodes.ts'
import type { Context } from '../session.ts'

const command = 'image import'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [word, reference, more] = args.positionals
  if (word === undefined || more !== undefined)
    throw new UsageError('expected are FILE|URL|- and perhaps a name for the image', command)
  const query = queryOf(context, word, reference)
  const source = await sourceOf(word, io)
  const session = await context.session()
  const nodes = await changedNodes(args, session)
  if (nodes.length > 1 && word === '-') throw new CliError('standard input can be read once: name a file')
  return await eachInTurn(nodes, io, async (node) => {
    const headers = { 'content-type': 'application/x-tar' }
    const path = nodePath(node, 'images/import')
    const request = { method: 'POST', path, query, headers, input: source.read() }
    const made = await session.client.json(request, session.signal)
    await io.stdout.write(`${String(isPlainObject(made) ? made['id'] : '')}\n`)
  })
}

function queryOf({ args }: Context, word: string, reference: string | undefined): URLSearchParams {
  const query = new URLSearchParams(args.list('change').map((change) => ['change', change]))
  if (reference !== undefined) {
    const parsed = parseReference(reference)
    if (!parsed.ok) throw new UsageError(`"${reference}": ${parsed.message}`, command)
    query.set('reference', reference)
  }
  // What the engine is sent has no address any more.
  const message = args.text('message') ?? (/^https?:/.test(word) ? `Imported from ${word}` : undefined)
  if (message !== undefined) query.set('message', message)
  const platform = args.text('platform')
  if (platform !== undefined) query.set('platform', platform)
  return query
}
