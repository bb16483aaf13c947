/**
 * Builds that are made of what other objects of the node bring: the image of another Build, or of an Image. They wait until
 * that is there, and are built again when it moves. What no object brings is pulled or found as engines do it. Pure.
 */
import { objectKey } from '#pkg/apimachinery/meta.ts'
import { dockerfileInObject, namesOfBuild } from '#pkg/apis/build.said.ts'
import type { Build } from '#pkg/apis/build.ts'
import type { Image } from '#pkg/apis/image.ts'
import { canonicalImage, findImage } from '../image.ts'
import { statusOfBuild } from '../images/built.ts'
import { heldImage } from '../images/held.ts'
import { namesOf } from '../images/names.ts'
import { statusOf } from '../images/source.ts'
import { placedHere } from '../placed.ts'
import { groupOf, type Waiting, type World } from '../world.ts'
import { dockerfileFacts } from './dockerfilefacts.ts'

export type BaseStanding =
  /** No object of this node brings it. */
  | { readonly state: 'free' }
  /** It is on the node, by this id, and is what its object says. `owner`: `Build default/base`. */
  | { readonly state: 'ready'; readonly owner: string; readonly id: string }
  /** To be built when its object has brought it; a `DependencyCycle` never. */
  | { readonly state: 'waits'; readonly owner: string; readonly waiting: Waiting }

/** How an image stands that the Build is made of. */
export function baseStanding(build: Build, reference: string, world: World): BaseStanding {
  const owner = buildCalled(reference, world)
  if (owner !== undefined) return standingOfBuild(build, { owner, reference }, world)
  const image = imageCalled(reference, world)
  return image === undefined ? { state: 'free' } : standingOfImage(image, reference, world)
}

interface Question {
  readonly owner: Build
  readonly reference: string
}

function standingOfBuild(build: Build, { owner, reference }: Question, world: World): BaseStanding {
  const key = objectKey(owner.metadata)
  const waits = (reason: string, message: string): BaseStanding => ({
    state: 'waits',
    owner: `Build ${key}`,
    waiting: { reason, message },
  })
  const circle = circleOf(build, owner, world)
  if (circle !== undefined) return waits('DependencyCycle', circleText(reference, circle))
  if (isMoving(owner, world))
    return waits('WaitingForBuild', `${reference} is what Build ${key} makes, which is being built`)
  const { image, phase } = statusOfBuild(owner, world)
  if (image === undefined) {
    const failed = phase === 'Failed' ? ', and has failed' : ''
    return waits(
      'WaitingForBuild',
      `${reference} is what Build ${key} makes, which has no image yet${failed}`,
    )
  }
  const here = findImage(world.observed.images, reference)
  if (here?.id === image.id) return { state: 'ready', owner: `Build ${key}`, id: image.id }
  const what = here === undefined ? 'is not on the node' : `is the name of image ${here.id.slice(0, 19)}`
  return waits('WaitingForBuild', `${reference} ${what}; Build ${key} has made ${image.id.slice(0, 19)}`)
}

/** Whoever is made of it waits for what comes, instead of being made twice. */
function isMoving(owner: Build, world: World): boolean {
  if (world.busy.has(groupOf('Build', owner.metadata))) return true
  const { phase, observedGeneration, image } = statusOfBuild(owner, world)
  if (owner.spec.suspend || image === undefined) return false
  return phase === 'Preparing' || phase === 'Building' || observedGeneration !== owner.metadata.generation
}

function standingOfImage(image: Image, reference: string, world: World): BaseStanding {
  const key = objectKey(image.metadata)
  const held = heldImage(image, world)
  const here = findImage(world.observed.images, reference)
  if (held.state === 'here' && here?.id === held.image.id)
    return { state: 'ready', owner: `Image ${key}`, id: here.id }
  const { phase, conditions } = statusOf(image, world)
  const why = conditions?.find(({ type }) => type === 'Ready')?.message
  const message = `${reference} is what Image ${key} brings, which is ${phase?.toLowerCase() ?? 'new'}${why === undefined ? '' : `: ${why}`}`
  return { state: 'waits', owner: `Image ${key}`, waiting: { reason: 'WaitingForImage', message } }
}

/** From the one that is asked for to itself again, by the names of their images; undefined: there is none. */
function circleOf(build: Build, owner: Build, world: World): readonly Build[] | undefined {
  const seen = new Set<Build>()
  const walk = (at: Build): readonly Build[] | undefined => {
    if (isSame(at, build)) return [at]
    if (seen.has(at)) return undefined
    seen.add(at)
    for (const next of ownersOf(at, world)) {
      const found = walk(next)
      if (found !== undefined) return [at, ...found]
    }
    return undefined
  }
  return walk(owner)
}

function circleText(reference: string, circle: readonly Build[]): string {
  const names = circle.map(({ metadata }) => objectKey(metadata))
  if (names.length === 1)
    return `${reference} is its own name: each build would be made of the one before, and make the next one`
  const [first] = names.slice(-1)
  return `${reference} leads back to itself: Build ${[first, ...names].join(' is made of Build ')}`
}

function ownersOf(build: Build, world: World): Build[] {
  return basesOf(build, world).flatMap((reference) => buildCalled(reference, world) ?? [])
}

/** As far as it is known: before its first build only of a Dockerfile that is in the object. */
function basesOf(build: Build, world: World): readonly string[] {
  const { spec } = build
  const text = dockerfileInObject(spec)
  const engine = world.building ?? { engineBuilder: 'Classic' }
  const read = text === undefined ? undefined : dockerfileFacts(text, spec, engine)
  if (read?.ok === true) return read.bases
  return (statusOfBuild(build, world).bases ?? []).map(({ reference }) => reference)
}

function buildCalled(reference: string, { desired }: World): Build | undefined {
  const name = canonicalImage(reference)
  return [...desired.builds.values()].find(
    (build) => !isGoing(build) && namesOfBuild(build).some((each) => canonicalImage(each) === name),
  )
}

/** Those of Builds are told of by these. */
function imageCalled(reference: string, world: World): Image | undefined {
  const name = canonicalImage(reference)
  return placedHere(world.desired.images, world).find(
    (image) =>
      !isGoing(image) &&
      image.spec.source?.build === undefined &&
      namesOf(image.spec).some((each) => canonicalImage(each) === name),
  )
}

function isGoing({ metadata }: Build | Image): boolean {
  return metadata.deletionTimestamp !== undefined
}

function isSame(a: Build, b: Build): boolean {
  return objectKey(a.metadata) === objectKey(b.metadata)
}
