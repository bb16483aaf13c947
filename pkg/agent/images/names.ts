/** What images are called: by an Image object, by others of the node, by the registry. Pure. */
import {
  canonicalReference,
  familiarReference,
  type ImageReference,
  parseReference,
} from '#pkg/apimachinery/reference.ts'
import type { Image, ImageSpec } from '#pkg/apis/image.ts'
import type { ObservedContainer, ObservedImage } from '#pkg/engine/port.ts'
import { canonicalImage, digestOf, findImage, wantedImage } from '../image.ts'
import { placedHere } from '../placed.ts'
import type { World } from '../world.ts'

/** `app:1` of `app:1@sha256:...`; undefined for what has no tag, and for ids. */
export function nameOf(reference: string): string | undefined {
  const parsed = parseReference(reference)
  if (!parsed.ok || parsed.reference.tag === undefined) return undefined
  const { registry, repository, tag } = parsed.reference
  return familiarReference({ registry, repository, tag })
}

/** `sha256:...` of a reference that says one. */
export function digestIn(reference: string): string | undefined {
  const parsed = parseReference(reference)
  return parsed.ok ? parsed.reference.digest : undefined
}

/** `app@sha256:...`: what a registry is asked for when no tag may decide. */
export function atDigest(reference: string): string {
  const parsed = parseReference(reference)
  if (!parsed.ok || parsed.reference.digest === undefined) return reference
  const { registry, repository, digest } = parsed.reference
  return familiarReference({ registry, repository, digest })
}

export function withDigest(reference: string, digest: string): string {
  const parsed = parseReference(reference)
  return parsed.ok ? familiarReference({ ...parsed.reference, digest }) : reference
}

/** `repo:tag@sha256:...` of an image that has the name; one that no registry has named goes by its id. */
export function settledReference(name: string, image: ObservedImage): string {
  const digest = digestOf(image, name)?.split('@')[1]
  return digest === undefined ? image.id : withDigest(name, digest)
}

/** Names that the object keeps on its nodes, in short, each once. */
export function namesOf({ reference, tags }: Pick<ImageSpec, 'reference' | 'tags'>): string[] {
  return [...new Set([reference, ...tags].flatMap((name) => nameOf(name) ?? []))]
}

/** As `namesOf`; of one that takes all tags, all names of the repository that the node has. */
export function namesHere({ spec }: Image, { observed }: Pick<World, 'observed'>): string[] {
  if (!spec.allTags) return namesOf(spec)
  const own = repositoryOf(spec.reference)
  const names = observed.images.flatMap(({ references }) => references)
  return [...new Set([...namesOf(spec), ...names.filter((name) => repositoryOf(name) === own)])]
}

export function repositoryOf(reference: string): string {
  const parsed = parseReference(reference)
  if (!parsed.ok) return reference
  const { registry, repository }: ImageReference = parsed.reference
  return canonicalReference({ registry, repository })
}

/** Canonical references that other objects of this node want: what must not be taken away for the sake of this one. */
export function wantedByOthers(image: Image, world: World): ReadonlySet<string> {
  const images = othersHere(image, world).flatMap(({ spec, status }) => [
    spec.reference,
    ...namesOf(spec),
    ...(status?.reference === undefined ? [] : [status.reference, atDigest(status.reference)]),
  ])
  const containers = [...world.desired.containers.values()]
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(wantedImage)
  return new Set([...images, ...containers].filter((name) => name !== '').map(canonicalImage))
}

/** An older Image of this node that gives the name to another image: names cannot be shared. */
export function ownerOfName(image: Image, name: string, world: World): Image | undefined {
  const current = findImage(world.observed.images, name)
  return othersHere(image, world).find(
    (other) =>
      isOlder(other, image) &&
      namesOf(other.spec).includes(name) &&
      other.status?.reference !== undefined &&
      findImage(world.observed.images, other.status.reference)?.id === current?.id,
  )
}

function othersHere(image: Image, world: World): Image[] {
  return placedHere(world.desired.images, world).filter(
    ({ metadata }) => metadata.uid !== image.metadata.uid && metadata.deletionTimestamp === undefined,
  )
}

function isOlder(a: Image, b: Image): boolean {
  const at = ({ metadata }: Image) => metadata.creationTimestamp ?? ''
  return at(a) === at(b) ? (a.metadata.uid ?? '') < (b.metadata.uid ?? '') : at(a) < at(b)
}

/** Containers that were made from the image, whoever made them, by name. */
export function madeFrom({ id }: Pick<ObservedImage, 'id'>, { observed }: Pick<World, 'observed'>): string[] {
  return observed.containers
    .filter(({ imageID }: ObservedContainer) => imageID === id)
    .map(({ name }) => name)
    .sort()
}
