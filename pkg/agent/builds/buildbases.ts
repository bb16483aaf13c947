/**
 * Images that a build is made of: the node must have each, and with triggers.base the one that its registry has now. Pure.
 */
import { namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { ObservedImage } from '#pkg/engine/port.ts'
import { canonicalImage, digestOf, findImage, pullKey } from '../image.ts'
import { secretsFor } from '../images/source.ts'
import type { OpOf } from '../ops.ts'
import type { Waiting, World } from '../world.ts'
import { baseStanding } from './dependencies.ts'
import type { BuildFacts } from './port.ts'

/** ms: a pull this young answers spec.pull. */
const freshFor = 600_000

export interface BasePull {
  readonly op: OpOf<'pullImage'>
  readonly cause: string
}

export interface Bases {
  /** By reference, of those that are here. */
  readonly ids: ReadonlyMap<string, string>
  readonly pulls: readonly BasePull[]
  /** For what nobody can pull. */
  readonly waiting?: Waiting
}

export interface BaseWish {
  readonly build: Build
  readonly references: readonly string[]
  readonly facts: Pick<BuildFacts, 'bases'>
  readonly world: World
}

export function weighBases({ build, references, facts, world }: BaseWish): Bases {
  const ids = new Map<string, string>()
  const pulls: BasePull[] = []
  let waiting: Waiting | undefined
  for (const reference of references) {
    const image = findImage(world.observed.images, reference)
    if (image !== undefined) ids.set(reference, image.id)
    const standing = baseStanding(build, reference, world)
    if (standing.state === 'waits') waiting ??= standing.waiting
    // What an object of the node brings is followed as it is here, and pulled by nobody else.
    if (standing.state !== 'free') continue
    const cause = whyPulled({ build, reference, image, facts, world })
    if (cause !== undefined) pulls.push({ op: pullOf(build, reference, world), cause })
  }
  return { ids, pulls, ...(waiting !== undefined && { waiting }) }
}

/** Each base that a registry can be asked about, and has not just been: for spec.pull. */
export function pullsBefore(
  { build, references, world }: BaseWish,
  { since, cause }: { readonly since: number; readonly cause: string },
): BasePull[] {
  return references
    .filter((reference) => mayBePulled(reference, build, world))
    .filter((reference) => {
      const finishedAt = pulledAt(build, reference, world)
      return finishedAt === undefined || finishedAt < since || world.now - finishedAt > freshFor
    })
    .map((reference) => ({ op: pullOf(build, reference, world), cause }))
}

/**
 * Of spec.cacheFrom what the node lacks, and no other object brings; the names that it gives itself count, for what is in a
 * registry under them is from another node or another time.
 */
export function cachePulls(build: Build, world: World): OpOf<'pullImage'>[] {
  const own = new Set(namesOfBuild(build).map(canonicalImage))
  return build.spec.cacheFrom
    .filter((reference) => findImage(world.observed.images, reference) === undefined)
    .filter(
      (reference) =>
        own.has(canonicalImage(reference)) || baseStanding(build, reference, world).state === 'free',
    )
    .map((reference) => pullOf(build, reference, world))
}

export function pullOf({ metadata, spec }: Build, reference: string, { desired }: World): OpOf<'pullImage'> {
  const names = spec.pullSecrets.map(({ name }) => name)
  return {
    type: 'pullImage',
    reference,
    secrets: secretsFor(reference, { metadata, names }, desired),
    ...(spec.platform !== undefined && { platform: spec.platform }),
  }
}

interface Question extends Omit<BaseWish, 'references'> {
  readonly reference: string
  readonly image: ObservedImage | undefined
}

/** Undefined: there is no need to. */
function whyPulled({ build, reference, image, facts, world }: Question): string | undefined {
  if (image === undefined) return `base ${reference} is not on the node`
  const answer = facts.bases.get(canonicalImage(reference))
  const here = digestOf(image, reference)
  // What was loaded or built here has no digest there, and is followed as it is.
  if (!build.spec.triggers.base || answer?.digest === undefined || here === undefined) return undefined
  if (image.digests.some((digest) => digest.endsWith(`@${answer.digest}`))) return undefined
  const pulled = pulledAt(build, reference, world)
  if (pulled !== undefined && pulled >= answer.at) return undefined
  return `base ${reference} moved: its registry has ${answer.digest.slice(0, 19)}`
}

/** When its last pull ended well; ms since the epoch. */
function pulledAt(build: Build, reference: string, world: World): number | undefined {
  const { secrets } = pullOf(build, reference, world)
  return world.pulls.get(pullKey(reference, secrets))?.finishedAt
}

function mayBePulled(reference: string, build: Build, world: World): boolean {
  if (/^sha256:|@sha256:/.test(reference)) return false
  const image = findImage(world.observed.images, reference)
  const isFromRegistry = image === undefined || digestOf(image, reference) !== undefined
  return isFromRegistry && baseStanding(build, reference, world).state === 'free'
}
