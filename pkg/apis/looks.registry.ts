/**
 * What nodes tell of registries when they are asked: the answers of the subresource `registry` of a Node. Who reads one
 * decodes it here: it comes from another machine.
 */
import { amount, array, object, text, texts, truth } from './border.ts'

/** A repository that a search has found. */
export interface FoundRepository {
  readonly name: string
  readonly description: string
  readonly stars: number
  readonly official: boolean
}

/** `tags` of one repository, or `repositories` of one registry. */
export function decodeNames(value: unknown): readonly string[] {
  return texts(object(value)['items'])
}

export function decodeFound(value: unknown): readonly FoundRepository[] {
  return array(object(value)['items']).map((item) => {
    const { name, description, stars, official } = object(item)
    return {
      name: text(name),
      description: text(description),
      stars: amount(stars),
      official: truth(official),
    }
  })
}
