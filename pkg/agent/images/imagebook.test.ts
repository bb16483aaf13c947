import test from 'ava'
import { timestamp } from '#pkg/apimachinery/meta.ts'
import type { Image } from '#pkg/apis/image.ts'
import { PlanBuilder } from '#pkg/plan/plan.ts'
import { imageObject, now } from '#test/helpers/world.ts'
import type { AgentOp } from '../ops.ts'
import { ImageBook, type OpAnswer } from './imagebook.ts'
import { sourceFingerprint } from './source.ts'

const digest = `sha256:${'1'.repeat(64)}`
const id = `sha256:${'a'.repeat(64)}`

function noted(image: Image, op: AgentOp, answer: OpAnswer, outcome: 'done' | 'skipped' = 'done') {
  const book = new ImageBook()
  const [planned] = new PlanBuilder<AgentOp>('Image/default/app').add(op, 'so').build().ops
  if (planned !== undefined) book.note(image, { planned, outcome }, answer, now)
  const { uid = '' } = image.metadata
  return { status: book.statuses().get(uid), asked: book.asks().get(uid), book }
}

test('what the tag of a pull meant is what is used from then on', (t) => {
  const image = imageObject('app', { reference: 'reg.test/app:1' })
  const pull: AgentOp = { type: 'pullImage', reference: 'reg.test/app:1', secrets: [] }
  const { status, asked, book } = noted(image, pull, { digest })
  t.deepEqual(status, { source: sourceFingerprint(image.spec), reference: `reg.test/app:1@${digest}` })
  t.is(asked, 1)
  t.is(noted(image, pull, {}, 'skipped').asked, undefined)
  t.is(noted(image, { ...pull, reference: `reg.test/app@${digest}` }, { digest }).asked, undefined)
  book.keep(new Set())
  t.is(book.statuses().size + book.asks().size, 0)
})

test('an engine that says no digest, or of many tags: the next look finds out', (t) => {
  const image = imageObject('app', { reference: 'reg.test/app:1' })
  const pull: AgentOp = { type: 'pullImage', reference: 'reg.test/app:1', secrets: [] }
  t.deepEqual(noted(image, pull, {}).status, { source: '' })
  const all = imageObject('app', { reference: 'reg.test/app', allTags: true })
  t.deepEqual(noted(all, { ...pull, reference: 'reg.test/app', allTags: true }, { digest }).status, {
    source: '',
  })
})

test('what was made goes by its id, with what it was made from', (t) => {
  const image = imageObject('app', { reference: 'app:1', source: { archive: { url: 'http://a.test/a' } } })
  const load: AgentOp = { type: 'loadImage', reference: 'app:1', from: { url: 'http://a.test/a' }, made: 'f' }
  t.deepEqual(noted(image, load, { id }).status, { source: 'f', reference: id, id })
})

test('of each destination the last push is known', (t) => {
  const bare = imageObject('app', { reference: 'app:1', push: [{ reference: 'reg.test/app:1' }] })
  const before = { reference: 'reg.test/app:1', id: 'old', digest: 'old', time: timestamp(0) }
  const other = { ...before, reference: 'reg.test/other:1' }
  const image: Image = { ...bare, status: { phase: 'Ready', pushed: [before, other] } }
  const push: AgentOp = {
    type: 'pushImage',
    image: id,
    reference: 'reg.test/app:1',
    secrets: [],
    keepsName: true,
  }
  t.deepEqual(noted(image, push, { digest }).status, {
    phase: 'Ready',
    pushed: [other, { reference: 'reg.test/app:1', id, digest, time: timestamp(now) }],
  })
})
