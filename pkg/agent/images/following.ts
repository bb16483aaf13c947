/**
 * Containers that are made from what an Image has found: they get its reference where what is desired is put together,
 * so that nobody who plans needs to know where it came from. Another reference is another wish, and replaces the container
 * as a change of the spec does. Pulling it is the business of the Image. Pure.
 */
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { Desired, Waiting, World } from '../world.ts'

type Images = Desired['images']

/** Every follower with its reference in spec.image, as far as there is one. */
export function withFollowedImages(
  containers: ReadonlyMap<string, Container>,
  images: Images,
): ReadonlyMap<string, Container> {
  if (![...containers.values()].some((container) => followedImage(container) !== undefined)) return containers
  return new Map([...containers].map(([key, container]) => [key, withFollowedImage(container, images)]))
}

/** One whose Image has gone, or says nothing, stays what it is. */
function withFollowedImage(container: Container, images: Images): Container {
  const key = followedImage(container)
  if (key === undefined) return container
  const image = images.get(key)?.status?.reference ?? container.status?.image?.reference
  return image ? { ...container, spec: { ...container.spec, image } } : container
}

/** Why the Image that it follows says nothing; undefined when it does, or when none is followed. */
export function whyNoReference(
  container: Container,
  { desired }: Pick<World, 'desired'>,
): Waiting | undefined {
  const key = followedImage(container)
  if (key === undefined) return undefined
  const image = desired.images.get(key)
  if (image === undefined) return missing(container, key)
  if (image.status?.reference !== undefined) return undefined
  const why = findCondition(image.status?.conditions, 'Ready')?.message ?? 'no node works for it yet'
  return {
    reason: 'WaitingForImage',
    message: `Image ${image.metadata.name} has found nothing yet: ${why}`,
  }
}

/** Who makes a Build's Image is the control plane, once there is a Build. */
function missing({ spec }: Container, key: string): Waiting {
  const build = spec.imageFrom?.build
  if (build === undefined)
    return { reason: 'ImageNotFound', message: `spec.imageFrom: Image ${key} does not exist` }
  const message = `spec.imageFrom: Build ${key} does not exist, or has only just been made`
  return { reason: 'WaitingForBuild', message }
}

/** What a follower waits for whose image is not on the node. */
export function whyNotHere(container: Container, world: World): Waiting {
  const nothing = whyNoReference(container, world)
  if (nothing !== undefined) return nothing
  const key = followedImage(container) ?? ''
  const hold = world.holds.get(`Image/${key}`)
  if (hold !== undefined) return { reason: hold.reason, message: `Image ${key}: ${hold.message}` }
  const here = world.desired.images.get(key)?.status?.nodes?.[world.nodeName]
  if (here?.state === 'Failed')
    return {
      reason: here.reason ?? 'ImageFailed',
      message: `Image ${key}: ${here.message ?? 'it is not on the node'}`,
    }
  return { reason: 'Pulling', message: `Image ${key} brings ${container.spec.image ?? 'it'} to the node` }
}

/** What a follower is still to be made from, while it goes on with what it has; undefined: nothing. */
export function whyStillBefore(container: Container, world: World): Waiting | undefined {
  const key = followedImage(container)
  const image = key === undefined ? undefined : world.desired.images.get(key)?.status?.reference
  const { spec } = container
  if (image === undefined || spec.image === undefined || image === spec.image) return undefined
  const { reason, message } = whyNotHere({ ...container, spec: { ...spec, image } }, world)
  return { reason, message: `${message}; until it is there, this goes on with ${spec.image}` }
}
