/** What followers are made from while what they are to be made from is still on its way. Pure. */
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { findImage } from '../image.ts'
import type { World } from '../world.ts'

/**
 * A follower whose Image has taken another image goes on with what it is made from until that is on the node: a registry
 * that stands still in the middle of it keeps nobody from being started again. `statuses` are newer than the API's.
 */
export function withImagesHere(
  containers: ReadonlyMap<string, Container>,
  images: readonly ObservedImage[],
  statuses: World['statuses'],
): ReadonlyMap<string, Container> {
  const kept = [...containers].flatMap(([key, container]) => {
    if (followedImage(container) === undefined) return []
    const before = (statuses.get(container.metadata.uid ?? '') ?? container.status)?.image?.reference
    const { image } = container.spec
    if (before === undefined || image === undefined || before === image) return []
    if (findImage(images, image) !== undefined || findImage(images, before) === undefined) return []
    return [[key, { ...container, spec: { ...container.spec, image: before } }] as const]
  })
  return kept.length === 0 ? containers : new Map([...containers, ...kept])
}
