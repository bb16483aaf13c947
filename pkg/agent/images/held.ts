/** Which image of the engine an Image object is here, if any. Pure. */
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { findImage } from '../image.ts'
import type { World } from '../world.ts'
import { builtImage } from './built.ts'
import { digestIn, namesHere, settledReference } from './names.ts'
import { comesFromRegistry, foundReference, leads, statusOf } from './source.ts'

export type Held =
  /** `digestLost`: the engine has the image, and does not know any more how its registry names it. */
  | {
      readonly state: 'here'
      readonly image: ObservedImage
      readonly reference: string
      readonly digestLost: boolean
    }
  /** It is known what it is. */
  | { readonly state: 'absent'; readonly reference: string }
  | { readonly state: 'unknown' }

export function heldImage(image: Image, world: World): Held {
  const { reference } = image.spec
  const found = foundReference(image, world)
  const built = leads(image, world) ? builtImage(image, world) : undefined
  if (built !== undefined) return heldOfBuild(image, { built, found }, world)
  if (found !== undefined) return locate(image, found, world)
  if (!leads(image, world) || !comesFromRegistry(image.spec)) return { state: 'unknown' }
  if (digestIn(reference) !== undefined) return locate(image, reference, world)
  const name = mayTake(image, world) ? nameToTake(image, world) : reference
  const present = mayTake(image, world) ? findImage(world.observed.images, name) : undefined
  if (present === undefined || !fitsPlatform(image, present, world)) return { state: 'unknown' }
  return { state: 'here', image: present, reference: settledReference(name, present), digestLost: false }
}

/** The image before stays what it is until the new one is seen on the node. */
function heldOfBuild(
  image: Image,
  { built, found }: { readonly built: string; readonly found: string | undefined },
  world: World,
): Held {
  const held = locate(image, built, world)
  const before = held.state === 'here' || found === undefined ? held : locate(image, found, world)
  return before.state === 'here' ? before : held
}

/** Of a repository with all its tags that lacks the one of the reference: the first that there is. */
function nameToTake(image: Image, world: World): string {
  const { reference, allTags } = image.spec
  if (!allTags || findImage(world.observed.images, reference) !== undefined) return reference
  const own = namesHere(image, world).filter((name) => findImage(world.observed.images, name) !== undefined)
  return own.sort()[0] ?? reference
}

/** Whether the registry was asked for the object as it is now, since this agent works for it. */
export function wasAsked({ metadata }: Image, { imageAsks }: Pick<World, 'imageAsks'>): boolean {
  return imageAsks.get(metadata.uid ?? '') === (metadata.generation ?? 0)
}

function locate(image: Image, reference: string, world: World): Held {
  const { images } = world.observed
  const present = findImage(images, reference)
  if (present !== undefined) return { state: 'here', image: present, reference, digestLost: false }
  const id = idBefore(image, reference, world)
  const nameless = images.find((each) => each.id === id)
  if (nameless !== undefined) return { state: 'here', image: nameless, reference, digestLost: true }
  return { state: 'absent', reference }
}

/** Under which id this node had exactly that digest. */
function idBefore(image: Image, reference: string, world: World): string | undefined {
  const status = statusOf(image, world)
  const digest = digestIn(reference)
  const had = (known: Pick<ImageStatus, 'digest' | 'id'> | undefined) =>
    digest !== undefined && known?.digest?.endsWith(`@${digest}`) === true ? known.id : undefined
  if (leads(image, world)) return had(status)
  // From another node it comes without its digest.
  return had(image.status?.nodes?.[world.nodeName]) ?? (image.spec.peers ? had(status) : undefined)
}

/** Whether what has the name here will do, without asking the registry. */
function mayTake(image: Image, world: World): boolean {
  const { update, pullPolicy, allTags } = image.spec
  if (update?.policy === 'SemVer') return false
  return wasAsked(image, world) || (pullPolicy !== 'Always' && !allTags)
}

/** One for another processor is asked for once; what the registry then has is taken as it is. */
function fitsPlatform(image: Image, { id }: ObservedImage, world: World): boolean {
  const { platform } = image.spec
  const details = world.observed.imageDetails.get(id)?.details
  if (platform === undefined || wasAsked(image, world)) return true
  if (details === undefined) return false
  const [os, architecture] = platform.split('/')
  return details.os === os && details.architecture === architecture
}
