/**
 * What the end of an Image object does on this node: its names go, one by one and never by force, unless somebody else here
 * wants them; the image goes with its last name. What a container uses stays until that is gone. Pure.
 */
import type { Image } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { emptyPlan, PlanBuilder } from '#pkg/plan/plan.ts'
import { canonicalImage, findImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import { type Decision, groupOf, type World } from '../world.ts'
import { heldImage } from './held.ts'
import { atDigest, digestIn, madeFrom, namesHere, wantedByOthers } from './names.ts'
import { comesFromRegistry } from './source.ts'

interface Going {
  readonly image: ObservedImage
  readonly names: readonly string[]
}

export function planImageDeletion(image: Image, world: World): Decision {
  const builder = new PlanBuilder<AgentOp>(groupOf('Image', image.metadata))
  const { namespace = 'default', name } = image.metadata
  const going = image.spec.deletionPolicy === 'Orphan' ? [] : namesGoing(image, world)
  const used = going.filter(isLast).flatMap((each) => madeFrom(each.image, world))
  if (used.length > 0) {
    const message = `used by ${used.map((user) => `container ${user}`).join(', ')}`
    return { plan: emptyPlan(), waiting: { reason: 'InUse', message } }
  }
  for (const { names } of going)
    for (const reference of names)
      builder.add({ type: 'untagImage', reference }, 'metadata.deletionTimestamp is set')
  const cause =
    image.spec.deletionPolicy === 'Orphan'
      ? 'spec.deletionPolicy is Orphan: all stays as it is'
      : 'nothing of it is left on the node'
  builder.add({ type: 'releaseObject', kind: 'Image', object: { namespace, name } }, cause)
  return { plan: builder.build() }
}

/** By image: what the object called its own here, without what others want as well. */
function namesGoing(image: Image, world: World): Going[] {
  const held = heldImage(image, world)
  const here = held.state === 'here' ? held : undefined
  // Of a repository with all its tags the one that is known by its digest may have been the first to go.
  if (here === undefined && !(image.spec.allTags && held.state === 'absent')) return []
  const others = wantedByOthers(image, world)
  const own = namesHere(image, world).flatMap((name) => {
    const found = findImage(world.observed.images, name)
    const isOurs = found !== undefined && (found.id === here?.image.id || image.spec.allTags)
    return isOurs && canComeBack(image, here, found) && !others.has(canonicalImage(name))
      ? [{ image: found, name }]
      : []
  })
  const byImage = Map.groupBy(own, (each) => each.image)
  const going = [...byImage].map(([each, names]) => ({ image: each, names: names.map(({ name }) => name) }))
  return going.length > 0 || here === undefined ? going : digestGoing(here, others)
}

/**
 * An object that takes its image from a registry may have found one there that no registry knows, which somebody made on the
 * node: who names it in an object and deletes that would destroy it. The engine forgets digests with the last name of their
 * repository, which may have been the first to go.
 */
function canComeBack(
  { spec }: Image,
  here: { readonly image: ObservedImage; readonly reference: string } | undefined,
  found: ObservedImage,
): boolean {
  const wasPulled = found.id === here?.image.id && digestIn(here.reference) !== undefined
  return !comesFromRegistry(spec) || found.digests.length > 0 || wasPulled
}

/** Of what has no tag at all: its digest is its last name. */
function digestGoing(
  { image, reference }: { readonly image: ObservedImage; readonly reference: string },
  others: ReadonlySet<string>,
): Going[] {
  if (digestIn(reference) === undefined || image.references.length > 0) return []
  const name = atDigest(reference)
  const stays = others.has(canonicalImage(name)) || findImage([image], name) === undefined
  return stays ? [] : [{ image, names: [name] }]
}

function isLast({ image, names }: Going): boolean {
  const going = new Set(names.map(canonicalImage))
  return image.references.every((name) => going.has(canonicalImage(name)))
}
