import test from 'ava'
import type { ContainerStatus } from '#pkg/apis/container.ts'
import { mostRejections, type Rejection } from '#pkg/apis/image.rejected.ts'
import type { Image } from '#pkg/apis/image.ts'
import { approvedAnnotation } from '#pkg/apis/wellknown.ts'
import { container, imageObject } from '#test/helpers/world.ts'
import { type Follower, planRejections } from './images.plan.ts'

const digest = (letter: string) => `sha256:${letter.repeat(64)}`
const [a, b] = [digest('a'), digest('b')]
const time = '2026-01-01T12:00:00Z'

type Failed = NonNullable<NonNullable<ContainerStatus['rollout']>['failed']>

function rolledBack(failed: Partial<Failed> = {}, serves: string | undefined = `app:1@${a}`): Follower {
  const made = container('web', { imageFrom: { image: 'app' } })
  const status: ContainerStatus = {
    ...(serves !== undefined && { image: { reference: serves } }),
    rollout: {
      phase: 'RolledBack',
      failed: {
        fingerprint: 'f',
        generation: 1,
        reason: 'Exited',
        message: 'it ended with exit code 1',
        time,
        image: `app:1@${b}`,
        log: [],
        probes: [],
        ...failed,
      },
    },
  }
  return { ...made, status }
}

function followed(rejected: readonly Rejection[] = [], annotations: Record<string, string> = {}): Image {
  const spec = { update: { policy: 'Digest' } }
  return imageObject('app', spec, { metadata: { annotations }, status: { rejected: [...rejected] } })
}

const rejection: Rejection = {
  digest: b,
  reference: 'app:1',
  reason: 'Exited',
  message: 'Container default/web: it ended with exit code 1',
  time,
  back: `app:1@${a}`,
}

test('a digest that a Container was rolled back from is rejected, with why, and with what serves since', (t) => {
  t.deepEqual(planRejections(followed(), [rolledBack()]), [rejection])
})

test('it is told once, however many Containers fail with it and however often that is seen', (t) => {
  const later = rolledBack({ time: '2026-01-01T12:05:00Z' })
  t.deepEqual(planRejections(followed(), [rolledBack(), later, rolledBack()]), [rejection])
  t.is(planRejections(followed([rejection]), [rolledBack(), later]), undefined)
})

test('what failed for another reason than its image says nothing about the image', (t) => {
  const none: readonly (readonly [string, Follower])[] = [
    ['nothing failed', { ...rolledBack(), status: {} }],
    ['the same image serves', rolledBack({}, `app:1@${b}`)],
    ['nothing serves', rolledBack({}, '')],
    ['what serves has no digest', rolledBack({}, 'app:1')],
    ['it was of another repository', rolledBack({ image: `other:1@${b}` })],
    ['it is not told which image it was', rolledBack({ image: '' })],
    ['the spec has changed since', rolledBack({ generation: 0 })],
  ]
  for (const [why, follower] of none) t.is(planRejections(followed(), [follower]), undefined, why)
})

test('an Image that follows nothing, or goes, is let alone', (t) => {
  t.is(planRejections(imageObject('app'), [rolledBack()]), undefined)
  const going = followed()
  const metadata = { ...going.metadata, deletionTimestamp: time }
  t.is(planRejections({ ...going, metadata }, [rolledBack()]), undefined)
})

test('what an approval lifted is rejected anew by a new failure only', (t) => {
  const approved = { [approvedAnnotation]: `${b} 2026-01-01T13:00:00Z` }
  t.is(planRejections(followed([rejection], approved), [rolledBack()]), undefined)
  const again = '2026-01-01T14:00:00Z'
  t.deepEqual(planRejections(followed([rejection], approved), [rolledBack({ time: again })]), [
    { ...rejection, time: again, approval: approved[approvedAnnotation] ?? '' },
  ])
})

test('the last twenty are remembered', (t) => {
  const many = Array.from({ length: 20 }, (_, index) => ({ ...rejection, digest: `sha256:${index}` }))
  const after = planRejections(followed(many), [rolledBack()])
  t.is(after?.length, 20)
  t.deepEqual(after?.at(-1), rejection)
  t.is(after?.[0]?.digest, 'sha256:1')
})

test('of more than an Image tells the oldest are left out, once', (t) => {
  const failures = Array.from({ length: mostRejections + 5 }, (_, index) => {
    const image = `app:1@sha256:${index.toString(16).padStart(64, 'c')}`
    return rolledBack({ image, time: `2026-01-01T12:00:${String(index).padStart(2, '0')}Z` })
  })
  const told = planRejections(followed(), failures) ?? []
  t.is(told.length, mostRejections)
  t.is(told.at(-1)?.time, '2026-01-01T12:00:24Z')
  t.is(planRejections(followed(told), failures), undefined)
  t.is(planRejections(followed(told), failures.toReversed()), undefined)
})
