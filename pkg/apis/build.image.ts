/**
 * The Image that the control plane keeps for a Build: what it is like, and how the two know each other. One file for the
 * controller, which writes it, and for the node, which builds only for the Image of its own. Pure.
 */
import { apiVersionOf, objectKey } from '#pkg/apimachinery/meta.ts'
import { namesOfBuild } from './build.said.ts'
import { type Build, buildKind } from './build.ts'
import type { Image, ImageSpec } from './image.ts'

/** The part of an Image that its Build decides; the rest is whoever's who writes it. */
export type BuiltImageSpec = Required<
  Pick<ImageSpec, 'reference' | 'source' | 'tags' | 'push' | 'prunePolicy' | 'deletionPolicy' | 'nodeName'>
>

/** Undefined while the Build has no node, which is to lead the Image. */
export function imageSpecOfBuild(build: Build): BuiltImageSpec | undefined {
  const { nodeName, push, prunePolicy, deletionPolicy } = build.spec
  const [reference = '', ...tags] = namesOfBuild(build)
  if (nodeName === undefined) return undefined
  const source = { build: build.metadata.name }
  return { reference, source, tags, push, prunePolicy, deletionPolicy, nodeName }
}

/** As its owner: the Image goes with the Build. */
export function ownerOfBuiltImage({ metadata: { name, uid = '' } }: Build) {
  const { kind } = buildKind
  const apiVersion = apiVersionOf(buildKind)
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }
}

/** Whether the Build keeps that Image. */
export function isImageOfBuild(build: Pick<Build, 'metadata'>, image: Pick<Image, 'metadata'>): boolean {
  const { uid } = build.metadata
  const owner = image.metadata.ownerReferences?.find(({ controller }) => controller === true)
  return uid !== undefined && owner?.uid === uid && owner.kind === buildKind.kind
}

/**
 * Why nothing is built: the Image of its name is somebody else's. Undefined: nobody's, or its own. `image`: the one of
 * the Build's namespace and name.
 */
export function whyImageIsTaken(
  build: Pick<Build, 'metadata'>,
  image: Pick<Image, 'metadata'> | undefined,
): string | undefined {
  if (image === undefined || isImageOfBuild(build, image)) return undefined
  const { metadata } = image
  const what = `Image ${objectKey(metadata)}`
  const owner = metadata.ownerReferences?.find(({ controller }) => controller === true)
  if (metadata.deletionTimestamp !== undefined)
    return `waits until ${what}, which is not of this Build, has gone`
  const whose =
    owner === undefined ? 'nobody made it for this Build' : `it belongs to ${owner.kind} ${owner.name}`
  return `${what} has the name that the image of this Build is kept under, and ${whose}: delete it, or name the Build otherwise`
}
