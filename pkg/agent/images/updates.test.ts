import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import { image, imageObject, now, world } from '#test/helpers/world.ts'
import { planNode } from '../node.plan.ts'
import type { World } from '../world.ts'
import { reportImage } from './imagestatus.plan.ts'
import { sourceFingerprint } from './source.ts'
import type { RegistryAnswer } from './update.answer.ts'
import { questionOf } from './update.plan.ts'
import { planUpdates, wakeOf, withUpdate } from './updates.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const [a, b] = [digest('a'), digest('b')]

function following(spec: Record<string, unknown> = {}, more: Parameters<typeof imageObject>[2] = {}): Image {
  return imageObject('app', { update: { policy: 'Digest' }, ...spec }, more)
}

const here = { ...image('app:1', a), digests: [`app@${a}`] }

function worldOf(object: Image, more: Partial<World> = {}): World {
  return world({ objects: [object], images: [here] }, more)
}

function report(object: Image, given: World) {
  const decision = planNode(given).decisions.get('Image/default/app')
  if (decision === undefined) throw new Error('nothing was decided')
  return withUpdate(object, reportImage(object, decision, given), { updates: planUpdates(given), now })
}

function answered(object: Image, found: RegistryAnswer['found']): Partial<World> {
  const question = questionOf(object)?.key ?? ''
  const answer = { question, at: now, failures: 0, ...(found !== undefined && { found }) }
  return { registryAnswers: new Map([['uid-Image-app', answer]]) }
}

/** As the lead said it last. */
function reported(object: Image, more: Partial<World> = {}): Partial<World> {
  return { imageStatuses: new Map([['uid-Image-app', report(object, worldOf(object))]]), ...more }
}

test('what is taken goes into the status of the lead, and is what the next plan brings', (t) => {
  const object = following()
  const before = worldOf(object, reported(object))
  t.is(report(object, before).reference, `app:1@${a}`)
  const told = worldOf(object, reported(object, answered(object, { tag: '1', digest: b })))
  const status = report(object, told)
  t.is(status.reference, `app:1@${b}`)
  t.is(status.previous, `app:1@${a}`)
  t.is(status.source, sourceFingerprint(object.spec))
  const next = worldOf(object, { imageStatuses: new Map([['uid-Image-app', status]]) })
  const pull = planNode(next).plan.ops.map(({ op }) => op)
  t.deepEqual(
    pull.map((op) => (op.type === 'pullImage' ? op.reference : op.type)),
    [`app@${b}`],
  )
})

test('of versions the first reference comes of the check alone', (t) => {
  const object = following({ reference: 'app', update: { policy: 'SemVer', range: '^1' } })
  const before = worldOf(object)
  t.is(report(object, before).reference, undefined)
  t.deepEqual(planNode(before).plan.ops, [])
  const status = report(object, worldOf(object, answered(object, { tag: '1.2.0', digest: b })))
  t.is(status.reference, `app:1.2.0@${b}`)
})

test('what was found for another reference is nothing to follow, nor to go back to', (t) => {
  const object = following()
  const other = following({ reference: 'app:2' })
  const given = worldOf(other, reported(object))
  t.deepEqual([...planUpdates(given)], [])
})

test('rejections count as the server tells them, whatever was reported last', (t) => {
  const object = following()
  const taken = report(object, worldOf(object, reported(object, answered(object, { tag: '1', digest: b }))))
  const rejected = [{ digest: b, reason: 'Exited', message: '', time: timestamp(now) }]
  const told = following({}, { status: { rejected } })
  const given = worldOf(told, { imageStatuses: new Map([['uid-Image-app', taken]]) })
  t.is(planUpdates(given).get('uid-Image-app')?.status.reference, `app:1@${a}`)
})

test('a node that does not lead decides nothing, nor does anybody of what goes', (t) => {
  t.is(planUpdates(worldOf(following({ nodeName: 'n2' }))).size, 0)
  const metadata = { deletionTimestamp: timestamp(now) }
  t.is(planUpdates(worldOf(following({}, { metadata }))).size, 0)
})

test('an Image that follows no longer says nothing of it any more', (t) => {
  const object = following({ update: { policy: 'Digest', minimumAge: '1h' } })
  const waiting = report(object, worldOf(object, reported(object, answered(object, { tag: '1', digest: b }))))
  t.truthy(waiting.candidate)
  const updates = planUpdates(worldOf(object, reported(object, answered(object, { tag: '1', digest: b }))))
  t.is(wakeOf(updates), now + 3_600_000)
  const left = imageObject('app')
  const status = report(left, worldOf(left, { imageStatuses: new Map([['uid-Image-app', waiting]]) }))
  t.is(status.candidate, undefined)
  t.is(status.nextCheckAt, undefined)
  t.false(status.conditions?.some(({ type }) => type === 'UpToDate'))
})

test('nothing that follows wakes nobody', (t) => {
  t.is(wakeOf(new Map()), undefined)
})
