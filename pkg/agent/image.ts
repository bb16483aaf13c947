/**
 * Images that the Containers of this node need: pulled when absent, or when the policy says so, and named again
 * when somebody took the name away. One pull serves every Container that wants the image. Pure.
 */
import { fingerprint } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import {
  canonicalReference,
  familiarReference,
  type ImageReference,
  parseReference,
} from '#pkg/apimachinery/reference.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { currentContainer } from './container.cast.ts'
import { wantsToExist } from './container.look.ts'
import { credentialVersions, withLogin } from './images/credentials.ts'
import { whyNotHere } from './images/following.ts'
import { registryRests } from './images/registryhold.ts'
import type { AgentOp } from './ops.ts'
import { type Decision, type Desired, groupOf, type Pull, type Waiting, type World } from './world.ts'

/** A pull this young answers the policy Always for everybody who asks. */
const freshFor = 60_000

/** Its reference. What follows an Image has got one before anything is planned; until then it is empty. */
export function wantedImage({ spec }: Pick<Container, 'spec'>): string {
  return spec.image ?? ''
}

/** What engines call an image that has no name, or whose name says nothing: its id. */
const imageId = /^sha256:[0-9a-f]{64}$/

/** `nginx` and `docker.io/library/nginx:latest` are the same wish; an id is one of its own. */
export function canonicalImage(reference: string): string {
  if (imageId.test(reference)) return reference
  const parsed = parseReference(reference)
  return parsed.ok ? canonicalReference(parsed.reference) : reference
}

/** By name, digest or id. */
export function findImage(images: readonly ObservedImage[], reference: string): ObservedImage | undefined {
  if (imageId.test(reference)) return images.find(({ id }) => id === reference)
  const parsed = parseReference(reference)
  if (!parsed.ok) return undefined
  const { registry, repository, tag, digest } = parsed.reference
  const names = (image: ObservedImage) => (digest === undefined ? image.references : image.digests)
  // As engines list them: found without reading every name.
  const short = familiarReference({
    registry,
    repository,
    ...(digest !== undefined ? { digest } : tag !== undefined && { tag }),
  })
  const listed = images.find((image) => names(image).includes(short))
  if (listed !== undefined) return listed
  const wanted = canonicalReference(parsed.reference)
  return images.find((image) => names(image).some((name) => sameImage(name, wanted, parsed.reference)))
}

/** `repository@sha256:...` of the image as the registry of the reference names it. */
export function digestOf(image: ObservedImage, reference: string): string | undefined {
  if (imageId.test(reference)) return undefined
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
  const { imagePullPolicy } = container.spec
  const reference = wantedImage(container)
  const image = findImage(world.observed.images, reference)
  if (followedImage(container) !== undefined)
    return image === undefined ? { waiting: whyNotHere(container, world) } : { image }
  if (image !== undefined && (imagePullPolicy !== 'Always' || isFresh(world, container))) return { image }
  if (imagePullPolicy === 'Never') {
    const message = `image ${reference} is not on node ${world.nodeName}, and spec.imagePullPolicy is Never`
    return { waiting: { reason: 'ErrImageNeverPull', message } }
  }
  const group = imageGroup(container, world.desired)
  const hold = world.holds.get(group)
  const rests = world.busy.has(group) ? undefined : registryRests(reference, world)?.waiting
  // Its own failure says more, but not when a registry that wants to be asked less may be asked again.
  if (rests?.reason === 'RegistryRateLimited') return { waiting: rests }
  if (hold !== undefined) return { waiting: { reason: hold.reason, message: hold.message } }
  if (rests !== undefined) return { waiting: rests }
  return { waiting: { reason: 'Pulling', message: `pulling image ${reference}` } }
}

/**
 * The ops that bring its image. Who asks with other Secrets may get another answer, so that is another pull; what follows
 * an Image leaves it to that.
 */
export function imageGroup(container: Container, stored: Pick<Desired, 'secrets'>): string {
  const followed = followedImage(container)
  if (followed !== undefined) return `Image/${followed}`
  return `Pull/${pullKey(wantedImage(container), pullSecretsOf(container, stored))}`
}

/** The pull of its image with its Secrets, if there was one. */
export function pullOf(container: Container, { pulls, desired }: World): Pull | undefined {
  return pulls.get(pullKey(wantedImage(container), pullSecretsOf(container, desired)))
}

/** What pulls are known by: the image and the keys of the Secrets it is asked for with. */
export function pullKey(reference: string, secrets: readonly string[]): string {
  const image = canonicalImage(reference)
  return secrets.length === 0 ? image : `${image} with ${secrets.join(', ')}`
}

/** Keys of the Secrets that its image is pulled with: those that it names, and the login of its namespace. */
function pullSecretsOf({ metadata, spec }: Container, { secrets }: Pick<Desired, 'secrets'>): string[] {
  const { namespace = 'default' } = metadata
  const named = (spec.imagePullSecrets ?? []).map(({ name }) => objectKey({ namespace, name }))
  return withLogin(wantedImage({ spec }), { namespace, secrets: named }, (key) => secrets.get(key))
}

/** Changes with the Secrets that a pull of the group is made with: what failed with other ones is tried again. */
export function pullGeneration(group: string, desired: Desired): number {
  const asking = [...desired.containers.values()].find((each) => imageGroup(each, desired) === group)
  const versions = asking && credentialVersions(wantedImage(asking), pullSecretsOf(asking, desired), desired)
  if (versions === undefined || versions.length === 0) return 0
  return numberOf(versions, 12)
}

/** A number of so many hexadecimal digits that is another one for another value. */
export function numberOf(value: unknown, digits: number): number {
  const hex = fingerprint(value).replace(/[^0-9a-f]/g, '')
  return Number.parseInt(hex.slice(0, digits), 16)
}

/** `decisions` are those on the Containers, by group: they say who waits for an image. */
export function planImages(world: World, decisions: ReadonlyMap<string, Decision>): Decision[] {
  const own = [...world.desired.containers.values()].filter((each) => followedImage(each) === undefined)
  const byGroup = Map.groupBy(own, (each) => imageGroup(each, world.desired))
  return [...byGroup].map(([group, containers]) => planImage(group, containers, world, decisions))
}

function planImage(
  group: string,
  containers: readonly Container[],
  world: World,
  decisions: ReadonlyMap<string, Decision>,
): Decision {
  const [first] = containers
  const builder = new PlanBuilder<AgentOp>(group)
  const reference = first === undefined ? '' : wantedImage(first)
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
  return {
    plan: builder
      .add({ type: 'pullImage', reference, secrets: pullSecretsOf(wanting, world.desired) }, cause)
      .build(),
  }
}

function mayPull(container: Container): boolean {
  return container.spec.imagePullPolicy !== 'Never' && wantsToExist(container)
}

function isFresh(world: World, container: Container): boolean {
  const finishedAt = pullOf(container, world)?.finishedAt
  return finishedAt !== undefined && Math.abs(world.now - finishedAt) < freshFor
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
