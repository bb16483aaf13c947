/** Where the lead sends an Image: once for each image and destination, beside everything else that is done for it. Pure. */
import type { Image, ImageSpec } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { canonicalImage, findImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import type { Decision, World } from '../world.ts'
import { pushGroup } from './imagegroups.ts'
import { nameOf, namesOf, wantedByOthers } from './names.ts'
import { registryRests } from './registryhold.ts'
import { pullSecretsOfImage, secretsFor, statusOf } from './source.ts'

/** What of spec.push has not got there yet. */
export function unpushed(image: Image, id: string, world: World): ImageSpec['push'] {
  const pushed = statusOf(image, world).pushed ?? []
  return image.spec.push.filter(
    ({ reference }) => !pushed.some((each) => each.reference === reference && each.id === id),
  )
}

export function planPushes(image: Image, held: ObservedImage, world: World): Decision {
  const builder = new PlanBuilder<AgentOp>(pushGroup(image.metadata))
  const waits: number[] = []
  for (const push of unpushed(image, held.id, world)) {
    if (nameInUse(image, { reference: push.reference, id: held.id }, world) !== undefined) continue
    const rests = registryRests(push.reference, world)
    if (rests === undefined) builder.add(pushOf(image, push, { held, world }), whyPushed(image, push, world))
    else waits.push(rests.wakeAt)
  }
  return { plan: builder.build(), ...(waits.length > 0 && { wakeAt: Math.min(...waits) }) }
}

/**
 * Why the image cannot be called so, not even while it is pushed: somebody on the node wants another image by that name, and
 * a container made meanwhile would be made from this one. Undefined: it can.
 */
export function nameInUse(
  image: Image,
  { reference, id }: { readonly reference: string; readonly id: string },
  world: World,
): string | undefined {
  const name = nameOf(reference) ?? reference
  const named = findImage(world.observed.images, name)
  const isOwn = namesOf(image.spec).some((each) => canonicalImage(each) === canonicalImage(name))
  if (isOwn || named === undefined || named.id === id) return undefined
  if (!wantedByOthers(image, world).has(canonicalImage(name))) return undefined
  return `${name} is what others on node ${world.nodeName} call image ${named.id.slice(0, 19)}, and an engine pushes by name alone: give their objects the digest, or push from another node`
}

function pushOf(
  image: Image,
  { reference, secret }: ImageSpec['push'][number],
  { held, world }: { readonly held: ObservedImage; readonly world: World },
): AgentOp {
  const name = nameOf(reference) ?? reference
  const named = findImage(world.observed.images, name)
  const own = namesOf(image.spec).some((each) => canonicalImage(each) === canonicalImage(name))
  const secrets =
    secret === undefined
      ? pullSecretsOfImage(image, name, world.desired)
      : secretsFor(name, { metadata: image.metadata, names: [secret] }, world.desired)
  return {
    type: 'pushImage',
    image: held.id,
    reference: name,
    secrets,
    keepsName: own || named?.id === held.id || wantedByOthers(image, world).has(canonicalImage(name)),
    ...(named !== undefined && named.id !== held.id && { named: named.id }),
  }
}

function whyPushed(image: Image, { reference }: ImageSpec['push'][number], world: World): string {
  const before = statusOf(image, world).pushed?.find((each) => each.reference === reference)
  return before === undefined
    ? `spec.push: ${reference} is not pushed yet`
    : `spec.push: what is at ${reference} is image ${before.id.slice(0, 19)}`
}
