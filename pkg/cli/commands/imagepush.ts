/** `cove image push`: an image of a node to the registry that its name begins with, with what `docker push` prints. */
import {
  canonicalReference,
  familiarReference,
  type ImageReference,
  parseReference,
} from '#pkg/apimachinery/reference.ts'
import { CliError, UsageError } from '../errors.ts'
import { loginHeaders } from '../images/login.ts'
import { eachInTurn, imagesOf, nodePath, oneNode } from '../images/nodes.ts'
import { followTransfer, noProgress, transferProgress } from '../images/transfers.ts'
import type { Context, Session } from '../session.ts'

const command = 'image push'

export async function run(context: Context): Promise<number> {
  const { io, args } = context
  const [word, more] = args.positionals
  if (word === undefined || more !== undefined) throw new UsageError('name one image', command)
  const reference = referenceOf(word)
  const allTags = args.bool('all-tags')
  if (allTags && /[:@][^/]*$/.test(word))
    throw new UsageError('a tag cannot be used with --all-tags', command)
  const session = await context.session()
  const node = await oneNode(args, session)
  const names = allTags ? await tagsOf(reference, node, session) : [familiarReference(reference)]
  const headers = await loginHeaders(word, args, session)
  const quiet = args.bool('quiet')
  if (!quiet)
    await io.stdout.write(`The push refers to repository [${canonicalReference(bare(reference))}]\n`)
  return await eachInTurn(names, io, async (name) => {
    const request = {
      method: 'POST',
      path: nodePath(node, 'images/push'),
      query: { reference: name },
      headers,
    }
    const { body } = await session.client.stream(request, session.signal)
    const { digest, manifestBytes } = await followTransfer(
      body,
      quiet ? noProgress : transferProgress(io.stdout),
    )
    const size = manifestBytes === undefined ? '' : ` size: ${manifestBytes}`
    const tag = name.slice(name.lastIndexOf(':') + 1)
    await io.stdout.write(quiet ? `${canonicalOf(name)}\n` : `${tag}: digest: ${digest}${size}\n`)
  })
}

function referenceOf(word: string): ImageReference {
  const parsed = parseReference(word)
  if (!parsed.ok) throw new UsageError(`"${word}": ${parsed.message}`, command)
  if (parsed.reference.digest !== undefined)
    throw new UsageError('a digest cannot be pushed: name the tag that it should have there', command)
  return parsed.reference
}

/** All names that images of the node have in the repository. */
async function tagsOf(reference: ImageReference, node: string, session: Session): Promise<readonly string[]> {
  const wanted = canonicalReference(bare(reference))
  const names = (await imagesOf(node, session)).flatMap(({ references }) => references)
  const found = names.filter((name) => {
    const parsed = parseReference(name)
    return parsed.ok && canonicalReference(bare(parsed.reference)) === wanted
  })
  if (found.length > 0) return found.toSorted()
  throw new CliError(`An image does not exist on node ${node} with the name: ${wanted}`)
}

function bare({ registry, repository }: ImageReference): ImageReference {
  return { registry, repository }
}

function canonicalOf(name: string): string {
  const parsed = parseReference(name)
  return parsed.ok ? canonicalReference(parsed.reference) : name
}
