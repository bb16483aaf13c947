/** Who rests after a failure, and until when. Pure. */

import { objectKey } from '#pkg/apimachinery/meta.ts'
import type { Build } from '#pkg/apis/build.ts'
import { followedImage } from '#pkg/apis/container.references.ts'
import type { Container } from '#pkg/apis/container.ts'
import { referencesOfImage } from '#pkg/apis/image.references.ts'
import type { Image } from '#pkg/apis/image.ts'
import { engineName } from '#pkg/apis/wellknown.ts'
import { generationOfBuild, isBuildWanted } from './builds/build.plan.ts'
import { wantsToExist } from './container.look.ts'
import { imageGroup, numberOf, pullGeneration, wantedImage } from './image.ts'
import { imageOfGroup } from './images/imagegroups.ts'
import { statusOf } from './images/source.ts'
import { type AgentOp, describeOp } from './ops.ts'
import { type Decision, type Desired, groupOf, type Hold, type World } from './world.ts'

/** What is to be; of Builds that is known only with all of the world. */
type Wishes = Pick<World, 'desired' | 'imageStatuses'> & Partial<World>

/** ms. */
const longestRest = 24 * 3_600_000

/** A group rests after a failure until its time comes or its object changes. */
export function isHeld(group: string, world: Wishes & Pick<World, 'holds' | 'now'>): boolean {
  const hold = world.holds.get(group)
  if (hold === undefined || hold.generation !== generationOf(group, world)) return false
  // Nobody waits for the time of a clock that was put back.
  return world.now < hold.until && hold.until - world.now <= longestRest
}

/** Whether a decision has to wait for the end of its group's rest: what is urgent does not, unless it is what failed. */
export function rests(group: string, decision: Decision, world: World): boolean {
  if (!isHeld(group, world)) return false
  const hold = world.holds.get(group)
  return decision.urgent !== true || decision.plan.ops.some(({ op }) => isSame(op, hold, world))
}

/** A container is called by its name before it is known, and by its id afterwards. */
function isSame(op: AgentOp, hold: Hold | undefined, { observed }: World): boolean {
  if (describeOp(op) === hold?.action) return true
  const failed = hold?.op
  if (failed?.type !== op.type || !('container' in failed) || !('container' in op)) return false
  const idOf = (container: string) => observed.containerNames.get(container) ?? container
  return idOf(failed.container) === idOf(op.container)
}

/**
 * Whether ops under way still are what is wanted: those of an object that has changed since are not, nor is the pull of
 * an image that nobody asks for any more.
 */
export function isWanted(group: string, generation: number, world: Wishes): boolean {
  const { containers } = world.desired
  if (group.startsWith('Pull/'))
    return [...containers.values()].some(
      (each) => wantsToExist(each) && imageGroup(each, world.desired) === group,
    )
  const build = buildOfGroup(group, world)
  if (build !== undefined) return !isWhole(world) || isBuildWanted(build, generation, world)
  if (!group.startsWith('Container/') && imageOfGroup(group) === undefined) return true
  return generationOf(group, world) === generation
}

/**
 * The generation of the object behind a group, which is another number with another image that it follows, or that an Image
 * brings; of a pull, what stands for the Secrets it is made with.
 */
export function generationOf(group: string, world: Wishes): number {
  const { desired } = world
  const [kind, ...rest] = group.split('/')
  if (kind === 'Pull') return pullGeneration(group, desired)
  if (kind === 'EngineConfig') return desired.node?.metadata.generation ?? 0
  const build = buildOfGroup(group, world)
  if (build !== undefined)
    return isWhole(world) ? generationOfBuild(build, world) : (build.metadata.generation ?? 0)
  const key = rest.join('/')
  const container = kind === 'Container' ? desired.containers.get(key) : undefined
  if (container !== undefined) return generationOfContainer(container)
  const image = desired.images.get(imageOfGroup(group) ?? '')
  if (image !== undefined) return generationOfImage(image, kind === 'Image', world)
  const objects = { Volume: desired.volumes, Network: desired.networks }
  return objects[kind as keyof typeof objects]?.get(key)?.metadata.generation ?? 0
}

function buildOfGroup(group: string, { desired }: Wishes): Build | undefined {
  return group.startsWith('Build/') ? desired.builds.get(group.slice('Build/'.length)) : undefined
}

function isWhole(world: Wishes): world is World {
  return world.observed !== undefined && world.now !== undefined
}

/** Another number also when it is to go, with other credentials, and, for what brings it, when it is another image. */
function generationOfImage(image: Image, brings: boolean, world: Wishes): number {
  const { generation = 0, deletionTimestamp } = image.metadata
  const versions = referencesOfImage(image).map(
    ({ kind: _, ...meta }) => world.desired.secrets.get(objectKey(meta))?.metadata.resourceVersion ?? '',
  )
  const { reference } = brings ? statusOf(image, world) : {}
  return generation * 2 ** 24 + numberOf([deletionTimestamp !== undefined, versions, reference ?? ''], 6)
}

function generationOfContainer(container: Container): number {
  const { generation = 0 } = container.metadata
  return followedImage(container) === undefined
    ? generation
    : generation * 2 ** 24 + numberOf(wantedImage(container), 6)
}

/** Engine names of the objects whose containers ops are under way for. */
export function namesAtWork(
  busy: ReadonlySet<string>,
  { containers }: Pick<Desired, 'containers'>,
): ReadonlySet<string> {
  const metas = [...containers.values()].map(({ metadata }) => metadata)
  return new Set(metas.filter((metadata) => busy.has(groupOf('Container', metadata))).map(engineName))
}
