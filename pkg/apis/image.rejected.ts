/**
 * What may be taken of what an Image's registry has: never what Containers were rolled back from, unless a person approves
 * of it again. Pure.
 */
import { canonicalReference, parseReference } from '#pkg/apimachinery/reference.ts'
import type { Image, ImageStatus } from './image.ts'
import { approvedAnnotation } from './wellknown.ts'

export type Rejection = NonNullable<ImageStatus['rejected']>[number]

/** As many as the schema holds. */
export const mostRejections = 20

/** Which bytes are meant: the digest of a reference such as `app:1@sha256:...`, or an id as it stands. */
export function bytesIn(reference: string | undefined): string | undefined {
  if (reference === undefined) return undefined
  if (reference.startsWith('sha256:')) return reference
  const parsed = parseReference(reference)
  return parsed.ok ? parsed.reference.digest : undefined
}

/** `127.0.0.1:5000/team/app` of a reference; undefined for an id. */
export function repositoryIn(reference: string | undefined): string | undefined {
  const parsed = parseReference(reference ?? '')
  if (!parsed.ok || reference?.startsWith('sha256:')) return undefined
  const { registry, repository } = parsed.reference
  return canonicalReference({ registry, repository })
}

/** The digest that a person says may be taken; a time may follow it. */
export function approvedDigest({ metadata }: Pick<Image, 'metadata'>): string | undefined {
  return metadata.annotations?.[approvedAnnotation]?.trim().split(/\s+/)[0]
}

/** Why the digest is not to be taken; undefined when it may be. An approval that was not there before lifts it. */
export function rejectionOf(
  image: Pick<Image, 'metadata' | 'status'>,
  digest: string | undefined,
): Rejection | undefined {
  const found = image.status?.rejected?.findLast((each) => each.digest === digest)
  const isLifted =
    approvedDigest(image) === digest && image.metadata.annotations?.[approvedAnnotation] !== found?.approval
  return isLifted ? undefined : found
}
