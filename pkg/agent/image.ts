/**
 * Images that the Containers of this node need: pulled when absent, or when the policy says so, and named again
 * when somebody took the name away. One pull serves every Container that wants the image. Pure.
 */
import { canonicalReference, type ImageReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { currentContainer, wantsToExist } from './container.look.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, groupOf, type Waiting, type World } from './world.ts'

/** A pull this young answers the policy Always for everybody who asks. */
const freshFor = 60_000

/** `nginx` and `docker.io/library/nginx:latest` are the same wish. */
export function canonicalImage(reference: string): string {
  const parsed = parseReference(reference)
  return parsed.ok ? canonicalReference(parsed.reference) : reference
}

export function findImage(images: readonly ObservedImage[], reference: string): ObservedImage | undefined {
  const parsed = parseReference(reference)
  if (!parsed.ok) return undefined
  const wanted = canonicalReference(parsed.reference)
  const names = (image: ObservedImage) =>
    parsed.reference.digest === undefined ? image.references : image.digests
  return images.find((image) => names(image).some((name) => sameImage(name, wanted, parsed.reference)))
}

/** `repository@sha256:...` of the image as the registry of the reference names it. */
export function digestOf(image: ObservedImage, reference: string): string | undefined {
  const parsed = parseReference(reference)
  if (!parsed.ok) return undefined
  const { registry, repository } = parsed.reference
  return image.digests.find((digest) => {
    const candidate = parseReference(digest)
    return (
      candidate.ok &&
      candidate.reference.registry === registry &&
      candidate.reference.repository === repository
    )
  })
}

/** Whether the Container may be made from what is on the node; otherwise what it waits for. */
export function imageReadiness(
  container: Container,
  world: World,
): { image: ObservedImage } | { waiting: Waiting } {
  const { image: reference, imagePullPolicy } = container.spec
  const image = findImage(world.observed.images, reference)
  if (image !== undefined && (imagePullPolicy !== 'Always' || isFresh(world, reference))) return { image }
  if (imagePullPolicy === 'Never') {
    const message = `image ${reference} is not on node ${world.nodeName}, and spec.imagePullPolicy is Never`
    return { waiting: { reason: 'ErrImageNeverPull', message } }
  }
  const hold = world.holds.get(imageGroup(reference))
  if (hold !== undefined) return { waiting: { reason: hold.reason, message: hold.message } }
  return { waiting: { reason: 'Pulling', message: `pulling image ${reference}` } }
}

export function imageGroup(reference: string): string {
  return `Image/${canonicalImage(reference)}`
}

/** `decisions` are those on the Containers, by group: they say who waits for an image. */
export function planImages(world: World, decisions: ReadonlyMap<string, Decision>): Decision[] {
  const byReference = Map.groupBy(world.desired.containers.values(), ({ spec }) => canonicalImage(spec.image))
  return [...byReference.values()].map((containers) => planImage(containers, world, decisions))
}

function planImage(
  containers: readonly Container[],
  world: World,
  decisions: ReadonlyMap<string, Decision>,
): Decision {
  const [first] = containers
  const builder = new PlanBuilder<AgentOp>(imageGroup(first?.spec.image ?? ''))
  const reference = first?.spec.image ?? ''
  const present = findImage(world.observed.images, reference)
  // A container that was made from another reference says nothing about this one.
  const made = containers
    .flatMap((container) => currentContainer(container, world) ?? [])
    .filter((current) => canonicalImage(current.image) === canonicalImage(reference))
  const held = world.observed.images.find((image) => made.some(({ imageID }) => imageID === image.id))
  if (present === undefined && held !== undefined && parsedTag(reference)) {
    const cause = `spec.image: the name ${reference} was taken from the image that runs`
    return { plan: builder.add({ type: 'tagImage', image: held.id, reference }, cause).build() }
  }
  const wanting = containers.find(
    (container) =>
      mayPull(container) &&
      (decisions.get(groupOf('Container', container.metadata))?.wantsPull ??
        (present === undefined && currentContainer(container, world) === undefined)),
  )
  if (wanting === undefined) return { plan: builder.build() }
  const cause =
    present === undefined
      ? `spec.image: ${reference} is not on the node`
      : `spec.imagePullPolicy is Always, and Container ${wanting.metadata.name} is about to be made`
  return { plan: builder.add({ type: 'pullImage', reference }, cause).build() }
}

function mayPull(container: Container): boolean {
  return container.spec.imagePullPolicy !== 'Never' && wantsToExist(container)
}

function isFresh(world: World, reference: string): boolean {
  const finishedAt = world.pulls.get(canonicalImage(reference))?.finishedAt
  return finishedAt !== undefined && world.now - finishedAt < freshFor
}

function parsedTag(reference: string): boolean {
  const parsed = parseReference(reference)
  return parsed.ok && parsed.reference.digest === undefined
}

/** A digest names the image whatever tag stands before it. */
function sameImage(name: string, wanted: string, reference: ImageReference): boolean {
  const parsed = parseReference(name)
  if (!parsed.ok) return false
  if (reference.digest === undefined) return canonicalReference(parsed.reference) === wanted
  const { registry, repository, digest } = parsed.reference
  return registry === reference.registry && repository === reference.repository && digest === reference.digest
}
