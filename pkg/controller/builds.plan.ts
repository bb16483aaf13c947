/** What makes the Image of a Build what the Build says. One of that name that the Build does not own is let alone. Pure. */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { apiVersionOf } from '#pkg/apimachinery/meta.ts'
import {
  type BuiltImageSpec,
  imageSpecOfBuild,
  ownerOfBuiltImage,
  whyImageIsTaken,
} from '#pkg/apis/build.image.ts'
import type { Build } from '#pkg/apis/build.ts'
import { type Image, imageKind } from '#pkg/apis/image.ts'

/** An Image as it is sent: the server puts in what is not said. */
export interface NewImage {
  readonly apiVersion: string
  readonly kind: 'Image'
  readonly metadata: Image['metadata']
  readonly spec: BuiltImageSpec
}

export type BuiltImageChange =
  | { readonly type: 'create'; readonly image: NewImage }
  | { readonly type: 'change'; readonly spec: Readonly<Record<string, unknown>> }
  /** Told, and nothing else. */
  | { readonly type: 'taken'; readonly message: string }

/** `image`: the one of its name, whoever's. Undefined: all is as it should be. */
export function planBuiltImage(build: Build, image: Image | undefined): BuiltImageChange | undefined {
  const { name, namespace, deletionTimestamp } = build.metadata
  if (deletionTimestamp !== undefined) return undefined
  const message = whyImageIsTaken(build, image)
  if (message !== undefined) return { type: 'taken', message }
  const wanted = imageSpecOfBuild(build)
  if (wanted === undefined || image?.metadata.deletionTimestamp !== undefined) return undefined
  if (image !== undefined) return changeOf(image, wanted)
  const metadata = {
    name,
    ...(namespace !== undefined && { namespace }),
    ownerReferences: [ownerOfBuiltImage(build)],
  }
  return {
    type: 'create',
    image: { apiVersion: apiVersionOf(imageKind), kind: 'Image', metadata, spec: wanted },
  }
}

function changeOf({ spec }: Image, wanted: BuiltImageSpec): BuiltImageChange | undefined {
  const has = new Map<string, unknown>(Object.entries(spec))
  const differing = Object.entries(wanted).filter(([field, value]) => !sameJson(has.get(field), value))
  // A merge patch keeps what it does not name: another source goes by its name.
  const others = Object.keys(spec.source ?? {}).filter((way) => way !== 'build')
  const gone = Object.fromEntries(others.map((way) => [way, null]))
  const change = {
    ...Object.fromEntries(differing),
    ...(others.length > 0 && { source: { ...wanted.source, ...gone } }),
  }
  return Object.keys(change).length === 0 ? undefined : { type: 'change', spec: change }
}
