import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import { approvedAnnotation, checkAnnotation } from '#pkg/apis/wellknown.ts'
import { imageObject } from '#test/helpers/world.ts'
import type { RegistryAnswer } from './update.answer.ts'
import { planUpdate, questionOf } from './update.plan.ts'
import { updateNotes } from './update.text.ts'
import { offsetOf } from './update.times.ts'

const start = Date.parse('2026-03-01T12:00:00Z')
const minute = 60_000
const hour = 60 * minute
const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const [a, b, c] = [digest('a'), digest('b'), digest('c')]

interface Parts {
  readonly update?: Record<string, unknown>
  readonly reference?: string
  readonly annotations?: Record<string, string>
  readonly status?: Partial<NonNullable<Image['status']>>
}

function following({ update = {}, reference = 'app:1', annotations = {}, status = {} }: Parts = {}): Image {
  return imageObject(
    'app',
    { reference, update: { policy: 'Digest', ...update } },
    { metadata: { annotations }, status: { reference: `app:1@${a}`, ...status } },
  )
}

const semver = { policy: 'SemVer', range: '^1' }

function answer(
  image: Image,
  found: RegistryAnswer['found'],
  more: Partial<RegistryAnswer> = {},
): RegistryAnswer {
  return {
    question: questionOf(image)?.key ?? '',
    at: start,
    failures: 0,
    ...(found !== undefined && { found }),
    ...more,
  }
}

function decide(image: Image, said: RegistryAnswer | undefined, now = start) {
  const decision = planUpdate({ image, answer: said, now })
  if (decision === undefined) throw new Error('nothing is followed')
  return decision
}

/** As the next pass finds it. */
function after(image: Image, said: RegistryAnswer | undefined, now = start): Image {
  return { ...image, status: { ...decide(image, said, now).status, rejected: image.status?.rejected ?? [] } }
}

test('without spec.update nothing is asked and nothing moves', (t) => {
  t.is(planUpdate({ image: imageObject('app', {}), answer: undefined, now: start }), undefined)
})

test('until something was found there is nothing to follow', (t) => {
  const image = imageObject('app', { update: { policy: 'Digest' } })
  t.is(planUpdate({ image, answer: undefined, now: start }), undefined)
})

test('an Image that was never checked is checked within a minute of being made, and says that it was not', (t) => {
  const image = following()
  const metadata = { ...image.metadata, creationTimestamp: timestamp(start) }
  const { askAt, condition, question, status } = decide({ ...image, metadata }, undefined)
  t.is(askAt, start + offsetOf('uid-Image-app'))
  t.is(question.reference, 'docker.io/library/app:1')
  t.deepEqual([condition.status, condition.reason], ['Unknown', 'NotChecked'])
  t.deepEqual(status, { reference: `app:1@${a}`, nextCheckAt: timestamp(askAt ?? 0) })
})

test('the same digest is nothing new, and the next check is by the schedule with its own offset', (t) => {
  const image = following()
  const { status, condition, askAt } = decide(image, answer(image, { tag: '1', digest: a }))
  const due = start + 15 * minute + offsetOf('uid-Image-app')
  t.true(askAt === due || askAt === due - 15 * minute)
  t.deepEqual(status, {
    reference: `app:1@${a}`,
    checkedAt: timestamp(start),
    nextCheckAt: timestamp(askAt ?? 0),
  })
  t.deepEqual([condition.status, condition.reason], ['True', 'Newest'])
})

test('a tag that moved is taken at once when nothing else is asked for', (t) => {
  const image = following()
  const { status, condition } = decide(image, answer(image, { tag: '1', digest: b }))
  t.is(status.reference, `app:1@${b}`)
  t.is(status.previous, `app:1@${a}`)
  t.is(status.candidate, undefined)
  t.deepEqual([condition.status, condition.reason], ['True', 'Taken'])
  t.deepEqual(
    updateNotes(image, image.status, status).map(({ reason, message }) => [reason, message]),
    [['ImageTaken', `takes app:1@${b} instead of app:1@${a}`]],
  )
})

test('a new image waits for its age, and one that changes again waits anew', (t) => {
  const image = following({ update: { minimumAge: '1h' } })
  const first = decide(image, answer(image, { tag: '1', digest: b }))
  t.deepEqual(first.status.candidate, {
    reference: 'app:1',
    digest: b,
    firstSeen: timestamp(start),
    waitingFor: 'Age',
    takenAt: timestamp(start + hour),
  })
  t.is(first.wakeAt, start + hour)
  t.is(first.condition.reason, 'WaitingForAge')
  t.deepEqual(
    updateNotes(image, image.status, first.status).map(({ reason }) => reason),
    ['NewImage'],
  )
  const seen = after(image, answer(image, { tag: '1', digest: b }))
  const later = answer(image, { tag: '1', digest: b }, { at: start + hour / 2 })
  t.is(decide(seen, later, start + hour - 1).status.candidate?.firstSeen, timestamp(start))
  t.is(decide(seen, later, start + hour).status.reference, `app:1@${b}`)
  const changed = answer(image, { tag: '1', digest: c }, { at: start + hour / 2 })
  const anew = decide(seen, changed, start + hour)
  t.is(anew.status.candidate?.digest, c)
  t.is(anew.wakeAt, start + hour / 2 + hour)
})

test('an agent that begins again takes what another one saw, when its time has come', (t) => {
  const image = following({ update: { minimumAge: '1h' } })
  const seen = after(image, answer(image, { tag: '1', digest: b }))
  t.is(decide(seen, undefined, start + hour - 1).status.reference, `app:1@${a}`)
  t.is(decide(seen, undefined, start + hour).status.reference, `app:1@${b}`)
})

test('a new image waits for the window, of its own time zone', (t) => {
  const window = { schedule: '0 3 * * *', duration: '2h', timeZone: 'Europe/Berlin' }
  const image = following({ update: { window } })
  const { status, wakeAt, condition } = decide(image, answer(image, { tag: '1', digest: b }))
  const opens = Date.parse('2026-03-02T02:00:00Z')
  t.is(wakeAt, opens)
  t.is(status.candidate?.waitingFor, 'Window')
  t.is(status.candidate?.takenAt, timestamp(opens))
  t.is(condition.reason, 'WaitingForWindow')
  const seen = after(image, answer(image, { tag: '1', digest: b }))
  for (const [now, reference] of [
    [opens - 1, a],
    [opens, b],
    [opens + 2 * hour - 1, b],
    [opens + 2 * hour, a],
  ] as const)
    t.is(decide(seen, undefined, now).status.reference, `app:1@${reference}`, timestamp(now))
})

test('the window counts from the age on: it opens before, and the image is taken while it is still open', (t) => {
  const window = { schedule: '0 13 * * *', duration: '2h' }
  const image = following({ update: { window, minimumAge: '90m' } })
  const seen = after(image, answer(image, { tag: '1', digest: b }))
  t.is(seen.status?.candidate?.takenAt, timestamp(start + 90 * minute))
  t.is(decide(seen, undefined, start + 90 * minute).status.reference, `app:1@${b}`)
})

test('a Manual approval is waited for, and is for that digest only', (t) => {
  const update = { approval: 'Manual' }
  const image = following({ update })
  const said = answer(image, { tag: '1', digest: b })
  const { status, wakeAt, condition } = decide(image, said)
  t.is(status.candidate?.waitingFor, 'Approval')
  t.is(status.candidate?.takenAt, undefined)
  t.is(wakeAt, undefined)
  t.regex(condition.message, /waits for `cove image approve app`/)
  t.is(
    decide(following({ update, annotations: { [approvedAnnotation]: c } }), said).status.reference,
    `app:1@${a}`,
  )
  const approved = following({ update, annotations: { [approvedAnnotation]: `${b} 2026-03-01T12:00:00Z` } })
  t.is(decide(approved, said).status.reference, `app:1@${b}`)
})

test('what Containers were rolled back from makes way for what was there before, and is not taken again', (t) => {
  const rejected = [
    { digest: b, reason: 'Unhealthy', message: 'Container default/web', time: timestamp(start) },
  ]
  const image = following({ status: { reference: `app:1@${b}`, previous: `app:1@${a}`, rejected } })
  const said = answer(image, { tag: '1', digest: b })
  const back = decide(image, said)
  t.is(back.status.reference, `app:1@${a}`)
  t.is(back.status.previous, undefined)
  t.is(back.condition.reason, 'Rejected')
  t.deepEqual(
    updateNotes(image, image.status, back.status).map(({ type, reason }) => [type, reason]),
    [['Warning', 'ImageRejected']],
  )
  const now = after(image, said)
  t.is(decide(now, said).status.reference, `app:1@${a}`)
  t.regex(
    decide(now, said).condition.message,
    /given up: Unhealthy: Container default\/web; it stays app:1@sha256:a/,
  )
  t.is(decide(now, answer(now, { tag: '1', digest: c })).status.reference, `app:1@${c}`)
})

test('going back is to what the Container serves with, when another one was taken meanwhile', (t) => {
  const rejected = [
    { digest: c, reason: 'Exited', message: '', time: timestamp(start), back: `app:1@${a}` },
    { digest: b, reason: 'Exited', message: '', time: timestamp(start), back: `app:1@${a}` },
  ]
  const image = following({ status: { reference: `app:1@${c}`, previous: `app:1@${b}`, rejected } })
  t.is(decide(image, undefined).status.reference, `app:1@${a}`)
})

test('there is no going back to another repository, nor to what was rejected too', (t) => {
  const rejected = [a, b].map((each) => ({
    digest: each,
    reason: 'Exited',
    message: '',
    time: timestamp(start),
  }))
  for (const previous of [undefined, `other:1@${c}`, `app:2@${c}`, `app:1@${a}`]) {
    const image = following({
      status: { reference: `app:1@${b}`, ...(previous && { previous }), rejected },
    })
    const { status, condition } = decide(image, undefined)
    t.is(status.reference, `app:1@${b}`)
    t.regex(condition.message, /there is nothing to go back to/)
  }
})

test('an approval after the rejection lifts it, one of before does not', (t) => {
  const rejected = [{ digest: b, reason: 'Exited', message: '', time: timestamp(start), approval: `${b} 1` }]
  const status = { rejected }
  const of = (approval: string) => following({ status, annotations: { [approvedAnnotation]: approval } })
  const said = answer(following(), { tag: '1', digest: b })
  t.is(decide(of(`${b} 1`), said).status.reference, `app:1@${a}`)
  t.is(decide(of(c), said).status.reference, `app:1@${a}`)
  t.is(decide(of(`${b} 2`), said).status.reference, `app:1@${b}`)
})

test('SemVer asks about the repository, takes the version that was found, and never an older one', (t) => {
  const status = { reference: `app:1.2.0@${a}` }
  const image = following({ update: semver, reference: 'app:1.0.0', status })
  t.deepEqual(questionOf(image), {
    key: '["docker.io/library/app","^1",null]',
    reference: 'docker.io/library/app',
    range: '^1',
  })
  const newer = decide(image, answer(image, { tag: '1.3.0', digest: b }))
  t.is(newer.status.reference, `app:1.3.0@${b}`)
  const older = decide(image, answer(image, { tag: '1.1.9', digest: b }))
  t.is(older.status.reference, `app:1.2.0@${a}`)
  t.regex(older.condition.message, /1\.1\.9 is older/)
  const rebuilt = decide(image, answer(image, { tag: '1.2.0', digest: b }))
  t.is(rebuilt.status.reference, `app:1.2.0@${b}`)
  const none = decide(image, answer(image, undefined))
  t.deepEqual([none.condition.status, none.condition.reason], ['False', 'NoVersion'])
})

test('a candidate of another range, tag or policy does not count any more', (t) => {
  const candidate = { reference: 'app:1.3.0', digest: b, firstSeen: timestamp(start - hour) }
  const status = { reference: `app:1.2.0@${a}`, candidate }
  const image = following({ update: { ...semver, range: '~1.2' }, status })
  t.is(decide(image, undefined).status.reference, `app:1.2.0@${a}`)
  t.is(decide(following({ status }), undefined).status.candidate, undefined)
  t.is(decide(following({ update: semver, status }), undefined).status.reference, `app:1.3.0@${b}`)
})

test('a registry that fails leaves all as it is, says why, and is asked again: not before it wants to', (t) => {
  const image = following({ update: { schedule: '0 0 * * *' } })
  const failed = (failures: number, retryAfterSeconds?: number) =>
    decide(
      image,
      answer(image, undefined, {
        failures,
        error: {
          reason: 'RegistryRateLimited',
          message: 'slow down',
          ...(retryAfterSeconds !== undefined && { retryAfterSeconds }),
        },
      }),
    )
  const { status, condition, askAt } = failed(1)
  t.is(status.reference, `app:1@${a}`)
  t.deepEqual([condition.status, condition.reason], ['False', 'RegistryRateLimited'])
  t.regex(condition.message, /^slow down; it stays app:1@.* asked again at 2026-03-01T12:05:00Z$/)
  t.is(askAt, start + 5 * minute)
  t.is(failed(3).askAt, start + 20 * minute)
  t.is(failed(30).askAt, start + hour)
  t.is(failed(1, 7200).askAt, start + 2 * hour + offsetOf('uid-Image-app'))
})

test('what was refused is asked again at once with other credentials', (t) => {
  const image = following()
  const error = { reason: 'RegistryUnauthorized', message: 'no' }
  const said = answer(image, undefined, { failures: 1, error, askedWith: '1' })
  const askAt = (askedWith: string) => planUpdate({ image, answer: said, now: start, askedWith })?.askAt
  t.not(askAt('1'), 0)
  t.is(askAt('2'), 0)
  const fine = answer(image, { tag: '1', digest: a }, { askedWith: '1' })
  t.not(planUpdate({ image, answer: fine, now: start, askedWith: '2' })?.askAt, 0)
})

test('another question is asked at once, and the answer to the old one is not listened to', (t) => {
  const image = following()
  const old = answer(following({ reference: 'app:2' }), { tag: '2', digest: b })
  const { askAt, status } = decide(image, old)
  t.is(askAt, 0)
  t.is(status.reference, `app:1@${a}`)
})

test('a check that a person asks for is made at once, and once', (t) => {
  const annotations = { [checkAnnotation]: 'now' }
  const status = { checkedAt: timestamp(start) }
  const image = following({ annotations, status })
  t.deepEqual([decide(image, undefined).askAt, decide(image, undefined).request], [0, 'now'])
  const said = answer(image, { tag: '1', digest: a }, { request: 'now' })
  const done = decide(image, said)
  t.is(done.request, undefined)
  t.true((done.askAt ?? 0) > start)
  t.is(done.status.checkRequest, 'now')
  const next = { ...image, status: { ...status, ...done.status } }
  t.true((decide(next, undefined).askAt ?? 0) > start)
})

test('an agent that begins again goes on with the schedule and what was said before', (t) => {
  const conditions = [
    {
      type: 'UpToDate',
      status: 'True' as const,
      reason: 'Newest',
      message: 'm',
      lastTransitionTime: timestamp(start),
    },
  ]
  const image = following({ status: { checkedAt: timestamp(start), conditions } })
  const { askAt, condition } = decide(image, undefined, start + 1000)
  t.true((askAt ?? 0) > start)
  t.deepEqual([condition.status, condition.reason, condition.message], ['True', 'Newest', 'm'])
})

test('the next check that the status tells holds until there is an answer, or another schedule', (t) => {
  const status = {
    checkedAt: timestamp(start),
    nextCheckAt: timestamp(start + hour),
    observedGeneration: 1,
  }
  const image = following({ status })
  t.is(decide(image, undefined).askAt, start + hour)
  t.is(decide(image, answer(image, { tag: '1', digest: a }, { at: start + 999 })).askAt, start + hour)
  t.not(decide(image, answer(image, { tag: '1', digest: a }, { at: start + 1000 })).askAt, start + hour)
  const changed = { ...image, metadata: { ...image.metadata, generation: 2 } }
  t.not(decide(changed, undefined).askAt, start + hour)
})

test('a check is never due again for the time at which it was made', (t) => {
  for (let index = 0; index < 200; index++) {
    const image = following({ update: { schedule: '* * * * *' } })
    const own = { ...image, metadata: { ...image.metadata, uid: `uid-${index}` } }
    const due = decide(own, answer(own, { tag: '1', digest: a })).askAt ?? 0
    t.true(due > start && due <= start + minute)
    t.is(decide(own, answer(own, { tag: '1', digest: a }, { at: due })).askAt, due + minute)
  }
})

test('a hundred Images of one schedule spread over the minute', (t) => {
  const offsets = Array.from({ length: 100 }, (_, index) => offsetOf(`uid-${index}`))
  t.true(offsets.every((offset) => offset >= 0 && offset < minute))
  const bySecond = Map.groupBy(offsets, (offset) => Math.floor(offset / 1000))
  t.true(Math.max(...[...bySecond.values()].map(({ length }) => length)) <= 8)
})

test('the first version is taken at once, and soon asked for again when the registry fails', (t) => {
  const update = { ...semver, minimumAge: '1h', approval: 'Manual' }
  const image = imageObject('app', { reference: 'app', update })
  t.is(decide(image, undefined).askAt, 0)
  const { status, condition } = decide(image, answer(image, { tag: '1.2.0', digest: b }))
  t.is(status.reference, `app:1.2.0@${b}`)
  t.is(status.previous, undefined)
  t.is(condition.reason, 'Taken')
  const error = { reason: 'RegistryUnavailable', message: 'no answer' }
  const failed = decide(image, answer(image, undefined, { failures: 1, error }))
  t.is(failed.askAt, start + 10_000)
  t.regex(failed.condition.message, /^no answer; there is no image yet, and the registry is asked again at/)
})

test('after a clock was put back it is asked at once, not when that time comes again', (t) => {
  const checked = { checkedAt: timestamp(start), nextCheckAt: timestamp(start + hour) }
  t.is(decide(following({ status: checked }), undefined, start - 48 * hour).askAt, 0)
  const image = following()
  t.is(decide(image, answer(image, { tag: '1', digest: a }), start - 48 * hour).askAt, 0)
})
