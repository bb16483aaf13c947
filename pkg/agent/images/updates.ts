/**
 * Images that follow their registry, as a pass sees them: what is decided on each, what of that its status says, and what is
 * to be asked. Of the Images that this node leads. Pure.
 */
import { setCondition } from '#pkg/apimachinery/meta.ts'
import type { Image, ImageStatus } from '#pkg/apis/image.ts'
import { placedHere } from '../placed.ts'
import type { World } from '../world.ts'
import { credentialVersions } from './credentials.ts'
import { foundReference, leads, pullSecretsOfImage, sourceFingerprint, statusOf } from './source.ts'
import { planUpdate, type UpdateDecision } from './update.plan.ts'

/** By uid of the Image. */
export type Updates = ReadonlyMap<string, UpdateDecision>

export function planUpdates(world: World): Updates {
  const followed = placedHere(world.desired.images, world).filter(
    (image) => leads(image, world) && image.metadata.deletionTimestamp === undefined,
  )
  return new Map(
    followed.flatMap((image) => {
      const { uid = '' } = image.metadata
      const answer = world.registryAnswers.get(uid)
      const askedWith = credentialsStamp(image, world)
      const decision = planUpdate({ image: asFollowed(image, world), answer, now: world.now, askedWith })
      return decision === undefined ? [] : [[uid, decision] as const]
    }),
  )
}

/** Changes with what the registry is asked with. */
export function credentialsStamp(image: Image, { desired }: Pick<World, 'desired'>): string {
  const { reference } = image.spec
  return credentialVersions(reference, pullSecretsOfImage(image, reference, desired), desired).join(' ')
}

/** With the newest of what this node says of it, and what the server says of rejections. */
function asFollowed(image: Image, world: World): Image {
  const { reference: _reference, candidate, previous, ...rest } = statusOf(image, world)
  const reference = foundReference(image, world)
  const rejected = image.status?.rejected
  const found = reference !== undefined && {
    reference,
    ...(candidate !== undefined && { candidate }),
    ...(previous !== undefined && { previous }),
  }
  return { ...image, status: { ...rest, ...found, ...(rejected !== undefined && { rejected }) } }
}

/** The status that the lead says, with what is decided about following. */
export function withUpdate(
  image: Image,
  status: ImageStatus,
  { updates, now }: { readonly updates: Updates; readonly now: number },
): ImageStatus {
  const decision = updates.get(image.metadata.uid ?? '')
  const { candidate: _candidate, nextCheckAt: _next, ...rest } = status
  const conditions = status.conditions ?? []
  if (decision === undefined)
    return { ...rest, conditions: conditions.filter(({ type }) => type !== 'UpToDate') }
  const { previous: _previous, ...others } = rest
  const observedGeneration = image.metadata.generation ?? 0
  return {
    ...others,
    ...decision.status,
    ...(decision.status.reference !== undefined && { source: sourceFingerprint(image.spec) }),
    conditions: setCondition(conditions, { ...decision.condition, observedGeneration }, now),
  }
}

/** The earliest time at which time alone changes a decision. */
export function wakeOf(updates: Updates): number | undefined {
  const times = [...updates.values()].flatMap(({ wakeAt }) => wakeAt ?? [])
  return times.length === 0 ? undefined : Math.min(...times)
}
