import test from 'ava'
import type { ImageStatus } from '#pkg/apis/image.ts'
import { imageObject } from '#test/helpers/world.ts'
import { digestToApprove } from './imageobject.ts'

const digest = (text: string) => `sha256:${text.padEnd(64, '0')}`
const candidate = { reference: 'app:1', digest: digest('ab1'), firstSeen: '2026-01-01T00:00:00Z' }
const rejected = ['ab2', 'cd'].map((text) => ({
  digest: digest(text),
  reason: 'Exited',
  message: '',
  time: '2026-01-01T00:00:00Z',
}))
const image = (status: ImageStatus) => imageObject('app', {}, { status })

test('what waits is approved of when nothing is said', (t) => {
  t.is(digestToApprove(image({ candidate }), undefined), candidate.digest)
  t.throws(() => digestToApprove(image({}), undefined), {
    message: 'no new image waits for app: name the digest that may be taken',
  })
})

test('a digest is named in full, or by a beginning that fits one that is known', (t) => {
  const known = image({ candidate, rejected })
  t.is(digestToApprove(known, digest('ef')), digest('ef'))
  t.is(digestToApprove(known, digest('ef').slice('sha256:'.length)), digest('ef'))
  t.is(digestToApprove(known, 'sha256:cd'), digest('cd'))
  t.is(digestToApprove(known, 'ab1'), digest('ab1'))
  t.throws(() => digestToApprove(known, 'ab'), { message: /the beginning of 2 digests/ })
  t.throws(() => digestToApprove(known, 'latest'), { message: /neither a digest nor the beginning/ })
})
