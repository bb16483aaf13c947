/** Which Images lose what they hold on this node when an image of the engine is pruned: they are not to bring it back. Pure. */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Desired } from '../world.ts'

/** `collected` and the keys of those that have the image, by its id. */
export function withImagesOf(
  collected: ReadonlySet<string>,
  image: string,
  { images }: Pick<Desired, 'images'>,
): ReadonlySet<string> {
  const keys = [...images.values()]
    .filter(({ spec }) => spec.prunePolicy === 'Collect')
    .filter(({ status }) =>
      [status, ...Object.values(status?.nodes ?? {})].some((part) => part?.id === image),
    )
    .map(({ metadata }) => objectKey(metadata))
  return keys.length === 0 ? collected : new Set([...collected, ...keys])
}
