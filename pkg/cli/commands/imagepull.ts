/** `cove image pull`: an image from its registry onto nodes, with what `docker pull` prints. */
import {
  canonicalReference,
  familiarReference,
  type ImageReference,
  parseReference,
} from '#pkg/apimachinery/reference.ts'
import type { TransferDone } from '#pkg/apis/looks.images.ts'
import { UsageError } from '../errors.ts'
import { loginHeaders } from '../images/login.ts'
import { changedNodes, eachInTurn, nodePath } from '../images/nodes.ts'
import { followTransfer, noProgress, transferProgress } from '../images/transfers.ts'
import type { Context } from '../session.ts'

const command = 'image pull'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [word, more] = args.positionals
  if (word === undefined || more !== undefined) throw new UsageError('name one image', command)
  const reference = referenceOf(word, args.bool('all-tags'))
  const quiet = args.bool('quiet')
  const session = await context.session()
  const { client, signal } = session
  const nodes = await changedNodes(args, session)
  const headers = await loginHeaders(word, args, session)
  return await eachInTurn(nodes, io, async (node) => {
    const query = queryOf(word, context)
    const request = { method: 'POST', path: nodePath(node, 'images/pull'), query, headers }
    const { body } = await client.stream(request, signal)
    if (!quiet) await io.stdout.write(`${headOf(reference, args.bool('all-tags'))}\n`)
    const done = await followTransfer(body, quiet ? noProgress : transferProgress(io.stdout))
    const lines = [...(quiet ? [] : endOf(reference, done)), canonicalReference(reference)]
    await io.stdout.write(lines.map((line) => `${line}\n`).join(''))
  })
}

/** With all of its tags a repository has none. */
function referenceOf(word: string, allTags: boolean): ImageReference {
  const parsed = parseReference(word)
  if (!parsed.ok) throw new UsageError(`"${word}": ${parsed.message}`, command)
  if (!allTags) return parsed.reference
  if (/[:@][^/]*$/.test(word)) throw new UsageError('a tag cannot be used with --all-tags', command)
  const { registry, repository } = parsed.reference
  return { registry, repository }
}

function queryOf(reference: string, { args }: Context): Record<string, string> {
  const platform = args.text('platform')
  return {
    reference,
    ...(platform !== undefined && { platform }),
    ...(args.bool('all-tags') && { allTags: 'true' }),
  }
}

function headOf({ tag, digest, repository }: ImageReference, allTags: boolean): string {
  const what = allTags ? 'All tags' : (digest ?? tag ?? 'latest')
  return `${what}: Pulling from ${repository}`
}

function endOf(reference: ImageReference, { digest, changed }: TransferDone): string[] {
  const name = familiarReference(reference)
  const status = changed === false ? `Image is up to date for ${name}` : `Downloaded newer image for ${name}`
  return [...(digest === undefined ? [] : [`Digest: ${digest}`]), `Status: ${status}`]
}
