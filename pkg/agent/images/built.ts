/**
 * Images that a Build makes: the Build says on the node that makes it which image is the last good one, and the Image of
 * the same node takes that as what its reference means. Pure.
 */
import { findCondition, objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build, BuildStatus } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import { groupOf, type Waiting, type World } from '../world.ts'

type Sight = Pick<World, 'desired' | 'building'>

/** The Build that the Image is the result of, as this node makes it; undefined: of none, or of one of another node. */
export function buildOf({ metadata, spec }: Image, { desired }: Pick<World, 'desired'>): Build | undefined {
  const name = spec.source?.build
  if (name === undefined) return undefined
  return desired.builds.get(objectKey({ namespace: metadata.namespace ?? 'default', name }))
}

/** Newer than what the API's copy may show. */
export function statusOfBuild(
  { metadata, status }: Build,
  { building }: Pick<World, 'building'>,
): BuildStatus {
  return building?.statuses.get(metadata.uid ?? '') ?? status ?? {}
}

/** Id of the last good image of its Build. */
export function builtImage(image: Image, world: Sight): string | undefined {
  const build = buildOf(image, world)
  return build && statusOfBuild(build, world).image?.id
}

/**
 * Whether the engine may just have given its names to an image that the Build has not told of yet: until it does, nobody
 * gives them back to the one before.
 */
export function isBeingBuilt(image: Image, world: Pick<World, 'desired' | 'busy'>): boolean {
  const build = buildOf(image, world)
  return build !== undefined && world.busy.has(groupOf('Build', build.metadata))
}

/** Why there is no image yet. */
export function whyNotBuilt(image: Image, world: World): Waiting {
  const name = image.spec.source?.build ?? ''
  const build = buildOf(image, world)
  if (build === undefined) {
    const message = `spec.source.build: node ${world.nodeName} makes no Build ${name}`
    return { reason: 'WaitingForBuild', message }
  }
  const status = statusOfBuild(build, world)
  return failureOf(build, status) ?? { reason: 'WaitingForBuild', message: `Build ${name} ${nowOf(status)}` }
}

/** What went wrong with its Build since the image that is here; undefined: nothing. */
export function troubleOfBuild(image: Image, world: Sight): string | undefined {
  const build = buildOf(image, world)
  return build && failureOf(build, statusOfBuild(build, world))?.message
}

function failureOf({ metadata }: Build, { phase, failure, conditions }: BuildStatus): Waiting | undefined {
  if (phase !== 'Failed') return undefined
  const told = findCondition(conditions, 'Stalled') ?? findCondition(conditions, 'Ready')
  const message = failure?.message ?? told?.message ?? 'it failed'
  return {
    reason: failure?.reason ?? told?.reason ?? 'BuildFailed',
    message: `Build ${metadata.name}: ${message}`,
  }
}

function nowOf({ phase, steps = [], image, conditions }: BuildStatus): string {
  const step = steps.findLast(({ state }) => state === 'Running')
  if (phase === 'Building' && step !== undefined)
    return `is at step ${step.number} of ${steps.length}: ${step.instruction}`
  if (phase === 'Suspended' || phase === 'Canceled')
    return `is ${phase.toLowerCase()}, and has made no image yet`
  if (image !== undefined)
    return `makes image ${image.id.slice(0, 19)} anew, which is not on the node any more`
  const why = findCondition(conditions, 'Ready')?.message
  return `has made no image yet${why === undefined ? '' : `: ${why}`}`
}
