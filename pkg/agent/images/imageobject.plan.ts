/**
 * Image objects on this node: the image is brought here, keeps its names, and goes to where it is to be pushed. The lead
 * finds out what the reference means; every other node holds what the lead has found. The image that is here keeps its
 * names until the new one is here too. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Image } from '#pkg/apis/image.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { emptyPlan, mergePlans, PlanBuilder } from '#pkg/plan/plan.ts'
import { canonicalImage, findImage, wantedImage } from '../image.ts'
import type { AgentOp } from '../ops.ts'
import { type Decision, groupOf, type Waiting, type World } from '../world.ts'
import { isBeingBuilt } from './built.ts'
import { type Held, heldImage, wasAsked } from './held.ts'
import { planImageDeletion } from './imagedeletion.plan.ts'
import { askGroup, digestGroup } from './imagegroups.ts'
import { planPushes } from './imagepush.plan.ts'
import { planMaking } from './imagesource.plan.ts'
import { atDigest, digestIn, namesOf, ownerOfName } from './names.ts'
import { registryRests } from './registryhold.ts'
import { comesFromRegistry, leads, pullSecretsOfImage, statusOf } from './source.ts'
import { hasTransferFailed, planTransfer } from './transfer.plan.ts'

export function planImageObject(image: Image, world: World): Decision {
  if (image.metadata.deletionTimestamp !== undefined) return planImageDeletion(image, world)
  const held = heldImage(image, world)
  if (asksAlways(image, world)) return planAsk(image, held, world)
  if (held.state === 'here') return planHeld(image, held, world)
  if (held.state === 'absent' && isCollected(image, world)) return { plan: emptyPlan() }
  const sent = planSending(image, world)
  if (sent !== undefined) return sent
  if (held.state === 'absent') return planBringing(image, held.reference, world)
  return leads(image, world) ? planObtain(image, world) : waitForLead(image)
}

/** Another node sends it, where one does. */
function planSending(image: Image, world: World): Decision | undefined {
  const transfer = planTransfer(image, world)
  if (transfer === undefined) return undefined
  if ('waiting' in transfer) return { plan: emptyPlan(), waiting: transfer.waiting }
  return { plan: groupOfImage(image).add(transfer.op, transfer.cause).build() }
}

/** Whether the lead asks what the tag means now although it has the image: once for each generation and run. */
function asksAlways(image: Image, world: World): boolean {
  const { pullPolicy, update, reference } = image.spec
  const asks = pullPolicy === 'Always' && update === undefined && digestIn(reference) === undefined
  return asks && leads(image, world) && comesFromRegistry(image.spec) && !wasAsked(image, world)
}

/** What is here stays in order while the registry cannot be asked; its names wait for the answer, but for no other try. */
function planAsk(image: Image, held: Held, world: World): Decision {
  const asking = planObtain(image, world)
  if (held.state !== 'here') return asking
  const group = askGroup(image.metadata)
  const plan = { ops: asking.plan.ops.map((planned) => ({ ...planned, id: `${group}#1`, group })) }
  if (plan.ops.length > 0 && !world.holds.has(group)) return { ...asking, plan }
  const kept = planHeld(image, held, world)
  const times = [asking.wakeAt, kept.wakeAt].filter((time) => time !== undefined)
  return {
    ...kept,
    plan: mergePlans([plan, kept.plan]),
    ...(times.length > 0 && { wakeAt: Math.min(...times) }),
  }
}

function waitForLead({ spec, status }: Image): Decision {
  const lead = spec.nodeName === undefined ? 'no node is the lead yet' : `node ${spec.nodeName} is the lead`
  const why = status?.phase === 'Failed' ? ', which has trouble with it' : ''
  const message = `${lead}${why}: it finds out which image ${spec.reference} is`
  return { plan: emptyPlan(), waiting: { reason: 'WaitingForLead', message } }
}

/** Nobody has found out yet what the image is: the lead does. */
function planObtain(image: Image, world: World): Decision {
  const { reference, update, allTags, pullPolicy } = image.spec
  if (!comesFromRegistry(image.spec)) return planMaking(image, undefined, world)
  if (pullPolicy === 'Never') return { plan: emptyPlan(), waiting: neverPull(reference, world) }
  if (update?.policy === 'SemVer')
    return { plan: emptyPlan(), waiting: { reason: 'WaitingForCheck', message: rangeMessage(image) } }
  if (allTags && wasAsked(image, world)) {
    const message = `the repository of ${reference} has no tags`
    return { plan: emptyPlan(), waiting: { reason: 'ImageNotFound', message } }
  }
  const present = findImage(world.observed.images, reference)
  return planPull(image, { reference, allTags }, { cause: whyAsked(image, present), world })
}

function rangeMessage({ spec }: Image): string {
  return `spec.update.range: the highest version of ${spec.update?.range ?? ''} is not known yet`
}

function whyAsked({ spec }: Image, present: ObservedImage | undefined): string {
  if (spec.allTags) return 'spec.allTags: the tags of the repository are not here'
  if (present === undefined) return `spec.reference: ${spec.reference} is not on the node`
  if (spec.pullPolicy === 'Always') return 'spec.pullPolicy is Always: what the tag means is asked again'
  return `spec.platform is ${spec.platform ?? ''}: the image of the node is for another`
}

/** It is known which image it is, and the node has not got it. */
function planBringing(image: Image, reference: string, world: World): Decision {
  const asked = digestIn(reference)
  if (image.spec.pullPolicy === 'Never') return { plan: emptyPlan(), waiting: neverPull(reference, world) }
  if (asked === undefined) return planMaking(image, reference, world)
  const cause = `status.reference: ${reference} is not on the node`
  const pull = planPull(image, { reference: atDigest(reference) }, { cause, world })
  // What failed was another node: the registry need not wait for the end of that rest.
  return hasTransferFailed(image, world) ? { ...pull, urgent: true } : pull
}

/** It was pruned here, and nothing here needs it yet. */
export function isCollected(image: Image, world: World): boolean {
  if (image.spec.prunePolicy !== 'Collect') return false
  const here = statusOf(image, world).nodes?.[world.nodeName] ?? image.status?.nodes?.[world.nodeName]
  const wasPruned = world.collected?.has(objectKey(image.metadata)) === true || here?.state === 'Collected'
  return wasPruned && !isNeeded(image, world)
}

function isNeeded(image: Image, world: World): boolean {
  const { namespace = 'default', name } = image.metadata
  const names = new Set(namesOf(image.spec).map(canonicalImage))
  return [...world.desired.containers.values()].some(
    (container) =>
      followedImage(container) === objectKey({ namespace, name }) ||
      names.has(canonicalImage(wantedImage(container))),
  )
}

function planPull(
  image: Image,
  wish: { readonly reference: string; readonly allTags?: boolean },
  { cause, world }: { readonly cause: string; readonly world: World },
): Decision {
  const rests = registryRests(wish.reference, world)
  if (rests !== undefined) return { plan: emptyPlan(), ...rests }
  return {
    plan: groupOfImage(image)
      .add(pullOf(image, wish, world), cause)
      .build(),
  }
}

function pullOf(
  image: Image,
  wish: { readonly reference: string; readonly allTags?: boolean },
  { desired }: World,
): AgentOp {
  const { platform } = image.spec
  return {
    type: 'pullImage',
    reference: wish.reference,
    secrets: pullSecretsOfImage(image, wish.reference, desired),
    ...(platform !== undefined && { platform }),
    ...(wish.allTags === true && { allTags: true }),
  }
}

function planHeld(image: Image, held: Extract<Held, { state: 'here' }>, world: World): Decision {
  const names = isBeingBuilt(image, world) ? undefined : planNames(image, held.image, world)
  const digest = held.digestLost ? planDigest(image, held.reference, world) : undefined
  const pushes = leads(image, world) ? planPushes(image, held.image, world) : undefined
  const parts = [names, digest, pushes].filter((part) => part !== undefined)
  const waiting = parts.find((part) => part.waiting !== undefined)?.waiting
  const wakeAt = parts.flatMap((part) => part.wakeAt ?? []).sort((a, b) => a - b)[0]
  return {
    plan: mergePlans(parts.map(({ plan }) => plan)),
    ...(waiting !== undefined && { waiting }),
    ...(wakeAt !== undefined && { wakeAt }),
  }
}

/** Names that somebody took away, or gave to another image, come back: nothing of this asks a registry. */
function planNames(image: Image, held: ObservedImage, world: World): Decision {
  const builder = groupOfImage(image)
  for (const name of namesOf(image.spec)) {
    const current = findImage(world.observed.images, name)
    if (current?.id === held.id || (current === undefined && isSpareName(image, name))) continue
    const owner = current === undefined ? undefined : ownerOfName(image, name, world)
    if (owner !== undefined) return { plan: builder.build(), waiting: nameTaken(name, owner) }
    const cause =
      current === undefined
        ? `the name ${name} is not on the node`
        : `the name ${name} was given to image ${current.id.slice(0, 19)}`
    builder.add({ type: 'tagImage', image: held.id, reference: name }, cause)
  }
  return { plan: builder.build() }
}

/** A repository with all its tags need not have the one that nobody has said. */
function isSpareName({ spec }: Image, name: string): boolean {
  return spec.allTags && !spec.tags.some((tag) => canonicalImage(tag) === canonicalImage(name))
}

function nameTaken(name: string, { metadata }: Image): Waiting {
  const message = `${name} is the name of another image by Image ${metadata.namespace ?? 'default'}/${metadata.name}, which is older`
  return { reason: 'NameConflict', message }
}

function planDigest(image: Image, reference: string, world: World): Decision | undefined {
  if (image.spec.pullPolicy === 'Never') return undefined
  const wish = { reference: atDigest(reference) }
  const rests = registryRests(reference, world)
  if (rests !== undefined) return { plan: emptyPlan(), wakeAt: rests.wakeAt }
  const cause = `the digest ${wish.reference} was taken from image ${reference}`
  // A group of its own: names come back also while the registry is away.
  const builder = new PlanBuilder<AgentOp>(digestGroup(image.metadata))
  return { plan: builder.add(pullOf(image, wish, world), cause).build() }
}

function neverPull(reference: string, { nodeName }: World): Waiting {
  const message = `image ${reference} is not on node ${nodeName}, and spec.pullPolicy is Never`
  return { reason: 'ErrImageNeverPull', message }
}

function groupOfImage(image: Image): PlanBuilder<AgentOp> {
  return new PlanBuilder<AgentOp>(groupOf('Image', image.metadata))
}
