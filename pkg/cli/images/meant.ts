/** Which image of which node a word means, for commands that only look at it. */
import { isReason } from '#pkg/apimachinery/errors.ts'
import { imageMeant } from '#pkg/apis/imagename.ts'
import type { NodeImage } from '#pkg/apis/looks.images.ts'
import { CliError } from '../errors.ts'
import type { Session } from '../session.ts'
import { askEach, imagesOf } from './nodes.ts'

export interface FoundImage {
  readonly node: string
  readonly image: NodeImage
}

export interface NodeImages {
  readonly node: string
  readonly value: readonly NodeImage[]
}

/** What the nodes hold, asked once for all words of a command line; a node that cannot be asked fails the command. */
export async function heldImages(nodes: readonly string[], session: Session): Promise<readonly NodeImages[]> {
  const { answers, failures } = await askEach(nodes, (node) => imagesOf(node, session))
  if (failures.length > 0) throw failures[0]
  return answers
}

/**
 * On the first node that has it. Throws ImageNotFound when none has, and CliError when the word means different images
 * on several nodes. Pure.
 */
export function findImage(word: string, held: readonly NodeImages[]): FoundImage {
  const found = held.flatMap(({ node, value }) => {
    try {
      return [{ node, image: imageMeant(word, value).image }]
    } catch (error) {
      if (isReason(error, 'ImageNotFound') && held.length > 1) return []
      throw error
    }
  })
  const [first] = found
  if (first === undefined) throw new CliError(`No such image on any node: ${word}`)
  const other = found.find(({ image }) => image.id !== first.image.id)
  if (other === undefined) return first
  throw new CliError(
    `${word} is another image on node ${other.node} than on node ${first.node}: name one with --node`,
  )
}
