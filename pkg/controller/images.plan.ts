/**
 * Which digests an Image that follows its registry must not take again: those that a Container was rolled back from. A
 * container that failed without another image before it says nothing about the image. Pure.
 */
import { sameJson } from '#pkg/apimachinery/hash.ts'
import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Container } from '#pkg/apis/container.ts'
import {
  bytesIn,
  mostRejections,
  type Rejection,
  rejectionOf,
  repositoryIn,
} from '#pkg/apis/image.rejected.ts'
import type { Image } from '#pkg/apis/image.ts'
import { approvedAnnotation } from '#pkg/apis/wellknown.ts'

/** What is read of a Container. */
export type Follower = Pick<Container, 'metadata' | 'status'> & { spec: Pick<Container['spec'], 'imageFrom'> }

/** All that is rejected, when that is more than the Image says; undefined: nothing is new. */
export function planRejections(
  image: Image,
  followers: readonly Follower[],
): readonly Rejection[] | undefined {
  if (image.spec.update === undefined || image.metadata.deletionTimestamp !== undefined) return undefined
  const before = image.status?.rejected ?? []
  const after = followers.reduce<readonly Rejection[]>((rejected, follower) => {
    const rejection = failureOf(follower, image)
    return rejection !== undefined && isNews(rejection, image, rejected)
      ? [...rejected.filter(({ digest }) => digest !== rejection.digest), rejection]
      : rejected
  }, before)
  if (after === before) return undefined
  const kept = after.toSorted(byTime).slice(-mostRejections)
  // Of more than are told the oldest are left out again and again.
  return sameJson(kept, before) ? undefined : kept
}

function byTime(a: Rejection, b: Rejection): number {
  return Date.parse(a.time) - Date.parse(b.time)
}

/** Of one that serves with another image since. */
function failureOf({ metadata, status }: Follower, image: Image): Rejection | undefined {
  const { failed } = status?.rollout ?? {}
  const back = status?.image?.reference
  const digest = bytesIn(failed?.image)
  if (failed === undefined || digest === undefined || failed.generation !== metadata.generation)
    return undefined
  if (repositoryIn(failed.image) !== repositoryIn(image.spec.reference)) return undefined
  if (back === undefined || bytesIn(back) === undefined || bytesIn(back) === digest) return undefined
  const { reason, message, time } = failed
  const approval = image.metadata.annotations?.[approvedAnnotation]
  return {
    digest,
    reference: failed.image?.split('@')[0] ?? image.spec.reference,
    reason,
    message: `Container ${objectKey(metadata)}: ${message}`,
    time,
    ...(approval !== undefined && { approval }),
    back,
  }
}

/** One that an approval has lifted counts again when a Container fails with it again. */
function isNews(rejection: Rejection, image: Image, rejected: readonly Rejection[]): boolean {
  const known = rejected.findLast(({ digest }) => digest === rejection.digest)
  if (known === undefined) return true
  const inForce = rejectionOf({ ...image, status: { rejected: [...rejected] } }, rejection.digest)
  return inForce === undefined && Date.parse(rejection.time) > Date.parse(known.time)
}
