import test from 'ava'
import type { Container } from '#pkg/apis/container.ts'
import type { Image } from '#pkg/apis/image.ts'
import { container, image, imageObject, observed, print, world } from '#test/helpers/world.ts'
import { conditionsOf } from '../conditions.ts'
import { planContainer } from '../container.ts'
import { generationOf } from '../holds.ts'
import { findImage, planImages } from '../image.ts'
import { resolve } from '../resolve.ts'
import type { Decision, World } from '../world.ts'
import { whyStillBefore, withFollowedImages } from './following.ts'
import { withImagesHere } from './imageshere.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const web = () => container('web', { imageFrom: { image: 'app' } })

function found(reference: string | undefined, more: Partial<Image['status']> = {}): Image {
  return imageObject('app', {}, { status: { ...(reference !== undefined && { reference }), ...more } })
}

/** As the agent puts it together. */
function following(objects: readonly (Container | Image)[], parts: Parameters<typeof world>[0] = {}): World {
  const given = world({ objects, ...parts })
  const { containers, images } = given.desired
  return { ...given, desired: { ...given.desired, containers: withFollowedImages(containers, images) } }
}

function planned(given: World) {
  const [subject] = given.desired.containers.values()
  if (subject === undefined) throw new Error('no container')
  return { subject, decision: planContainer(subject, given) }
}

function imageOf({ plan }: Decision): string | undefined {
  return plan.ops.flatMap(({ op }) => (op.type === 'createContainer' ? op.create.image : []))[0]
}

test('a follower is made from what its Image has found', (t) => {
  const { decision } = planned(following([web(), found('app:1')]))
  t.is(decision.waiting, undefined)
  t.is(imageOf(decision), 'app:1')
})

test('nobody pulls for a follower but its Image', (t) => {
  const given = following([web(), found(`app:1@${digest('a')}`)])
  const { decision } = planned(given)
  t.deepEqual(decision.waiting, {
    reason: 'Pulling',
    message: `Image default/app brings app:1@${digest('a')} to the node`,
  })
  t.deepEqual(planImages(given, new Map([['Container/default/web', decision]])), [])
})

test('a follower waits with the reason of its Image where that could not be brought', (t) => {
  const here = { state: 'Failed' as const, reason: 'RegistryUnavailable', message: 'no answer' }
  const { decision } = planned(following([web(), found(`app:1@${digest('a')}`, { nodes: { n1: here } })]))
  t.deepEqual(decision.waiting, {
    reason: 'RegistryUnavailable',
    message: 'Image default/app: no answer',
  })
})

test('a follower waits for an Image that has found nothing, and says what that waits for', (t) => {
  const ready = {
    type: 'Ready',
    status: 'False' as const,
    reason: 'Pulling',
    message: 'pulling app:1',
    lastTransitionTime: '2026-01-01T00:00:00Z',
  }
  t.deepEqual(planned(following([web(), found(undefined, { conditions: [ready] })])).decision.waiting, {
    reason: 'WaitingForImage',
    message: 'Image app has found nothing yet: pulling app:1',
  })
})

test('a follower of an Image that does not exist waits and says so', (t) => {
  t.deepEqual(planned(following([web()])).decision.waiting, {
    reason: 'ImageNotFound',
    message: 'spec.imageFrom: Image default/app does not exist',
  })
})

test('a follower whose Image is gone stays what it is, and its condition tells', (t) => {
  const before = following([web(), found('app:1')])
  const { subject } = planned(before)
  const resolved = resolve({ container: subject, ...before })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const running = observed(subject, resolved.fingerprint)
  const left = { ...web(), status: { image: { reference: 'app:1' } } }
  const given = following([left], { containers: [running] })
  const { subject: now, decision } = planned(given)
  t.is(print(decision.plan), print({ ops: [] }))
  const conditions = conditionsOf({
    container: now,
    decision,
    world: given,
    lastAction: undefined,
    observed: running,
    phase: 'Running',
  })
  const told = conditions.find(({ type }) => type === 'ImageReady')
  t.is(told?.reason, 'ImageNotFound')
  t.is(told?.message, 'spec.imageFrom: Image default/app does not exist; it stays app:1')
})

test('another reference of the Image replaces its followers, the same one under another tag does not', (t) => {
  const [old, next] = [digest('a'), digest('b')]
  const images = [old, next].map((each) => ({
    ...image('app:1', `id-${each}`),
    digests: [`app@${each}`],
  }))
  const before = following([web(), found(`app:1@${old}`)], { images })
  const { subject } = planned(before)
  const resolved = resolve({ container: subject, ...before })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  const running = observed(subject, resolved.fingerprint, { image: `app:1@${old}` })
  const same = planned(following([web(), found(`app:1@${old}`)], { images, containers: [running] }))
  t.is(print(same.decision.plan), print({ ops: [] }))
  const moved = planned(following([web(), found(`app:1@${next}`)], { images, containers: [running] }))
  t.regex(print(moved.decision.plan), /create container web_next/)
  t.regex(print(moved.decision.plan), new RegExp(`spec.image: want app:1@${next}, found app:1@${old}`))
})

test('until another image is on the node, a follower goes on with what it is made from', (t) => {
  const [old, next] = [digest('a'), digest('b')].map((each) => `app:1@${each}`)
  const here = (each: string) => ({ ...image('app:1', `id-${each}`), digests: [`app@${each}`] })
  const [one, both] = [[here(digest('a'))], [here(digest('a')), here(digest('b'))]]
  const made = { ...web(), status: { image: { reference: old ?? '' } } }
  const { desired } = following([made, found(next)])
  const wanted = (images: typeof one, statuses: World['statuses'] = new Map()) =>
    withImagesHere(desired.containers, images, statuses).get('default/web')?.spec.image
  t.is(wanted(one), old)
  t.is(wanted(both), next)
  t.is(wanted([]), next, 'where neither is, the newer one is waited for')
  t.is(
    wanted(one, new Map([[made.metadata.uid ?? '', {}]])),
    next,
    'one that was made from nothing yet waits',
  )
  const { decision } = planned({
    ...following([made, found(next)], { images: one }),
    desired: { ...desired, containers: withImagesHere(desired.containers, one, new Map()) },
  })
  t.is(imageOf(decision), old, 'it is made anew from the old one when it has gone')
  const given = {
    ...following([made, found(next)], { images: one }),
    desired: { ...desired, containers: withImagesHere(desired.containers, one, new Map()) },
  }
  const { subject } = planned(given)
  t.deepEqual(whyStillBefore(subject, given), {
    reason: 'Pulling',
    message: `Image default/app brings ${next} to the node; until it is there, this goes on with ${old}`,
  })
  const [now] = desired.containers.values()
  t.is(now && whyStillBefore(now, given), undefined)
})

test('an image that was made here is followed by its id', (t) => {
  const id = digest('c')
  const local = { ...image('app:1', id), references: [] }
  const { decision } = planned(following([web(), found(id)], { images: [local] }))
  t.is(decision.waiting, undefined)
  t.is(imageOf(decision), id)
  t.is(findImage([local], id), local)
  t.is(findImage([local], digest('d')), undefined)
})

test('what failed with one image does not rest with another one', (t) => {
  const group = 'Container/default/web'
  const [one, same, other] = ['app:1', 'app:1', 'app:2'].map((reference) =>
    generationOf(group, following([web(), found(reference)])),
  )
  t.is(one, same)
  t.not(one, other)
  t.true(Number.isSafeInteger(one))
})

test('what failed for one image of an Image object does not rest for the next one; pushes are not about that', (t) => {
  const [one, same, other] = [digest('a'), digest('a'), digest('b')].map((each) =>
    following([found(`app:1@${each}`)]),
  )
  for (const kind of ['Image', 'Push', 'Ask', 'Digest']) {
    const [first, again, next] = [one, same, other].map(
      (each) => each && generationOf(`${kind}/default/app`, each),
    )
    t.is(first, again)
    t.is(first === next, kind !== 'Image', kind)
  }
})

test('containers that name their image are the very same values', (t) => {
  const given = world({ objects: [container('web')] })
  t.is(withFollowedImages(given.desired.containers, given.desired.images), given.desired.containers)
})
