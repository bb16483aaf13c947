import test from 'ava'
import type { BuildStatus } from '#pkg/apis/build.ts'
import { buildObject, image, imageObject, type WorldParts, world } from '#test/helpers/world.ts'
import type { World } from '../world.ts'
import { baseStanding } from './dependencies.ts'

const id = `sha256:${'a'.repeat(64)}`
const from = (reference: string) => ({ dockerfileInline: `FROM ${reference}\n` })
const web = buildObject('web', { tags: ['web:1'] })
const base = (status: BuildStatus = {}, spec: Record<string, unknown> = from('alpine:3')) =>
  buildObject(
    'base',
    { tags: ['base:1', 'base:latest'], ...spec },
    { status: { observedGeneration: 1, ...status } },
  )

function standing(reference: string, parts: WorldParts, more: Partial<World> = {}) {
  return baseStanding(web, reference, world({ ...parts, objects: [web, ...(parts.objects ?? [])] }, more))
}

test('what no object of the node brings is nobody here to wait for', (t) => {
  t.deepEqual(standing('alpine:3', { objects: [base()] }), { state: 'free' })
  const going = { finalizers: ['node.cove.run/n1'], deletionTimestamp: '2026-01-01T11:00:00Z' }
  t.deepEqual(
    standing('base:1', { objects: [buildObject('base', { tags: ['base:1'] }, { metadata: going })] }),
    {
      state: 'free',
    },
  )
})

test('the image of another Build is waited for until it is on the node under that name', (t) => {
  const owner = 'Build default/base'
  const waits = (message: string) =>
    ({ state: 'waits', owner, waiting: { reason: 'WaitingForBuild', message } }) as const
  t.deepEqual(
    standing('docker.io/library/base:1', { objects: [base()] }),
    waits('docker.io/library/base:1 is what Build default/base makes, which has no image yet'),
  )
  t.deepEqual(
    standing('base:1', { objects: [base({ phase: 'Failed' })] }),
    waits('base:1 is what Build default/base makes, which has no image yet, and has failed'),
  )
  const done = base({ phase: 'Succeeded', image: { id } })
  t.deepEqual(
    standing('base', { objects: [done], images: [image('base:latest', 'sha256:other')] }),
    waits(`base is the name of image sha256:other; Build default/base has made ${id.slice(0, 19)}`),
  )
  t.deepEqual(standing('base', { objects: [done], images: [image('base:latest', id)] }), {
    state: 'ready',
    owner,
    id,
  })
})

test('while the other one is being built, or about to be, nobody is made of the image before', (t) => {
  const images = [image('base:1', id)]
  const done = base({ phase: 'Succeeded', image: { id } })
  t.is(standing('base:1', { objects: [done], images }).state, 'ready')
  const message = 'base:1 is what Build default/base makes, which is being built'
  const busy = { busy: new Set(['Build/default/base']) }
  t.like(standing('base:1', { objects: [done], images }, busy), { waiting: { message } })
  for (const status of [{ phase: 'Preparing' }, { phase: 'Building' }, { observedGeneration: 0 }] as const)
    t.like(standing('base:1', { objects: [base({ image: { id }, ...status })], images }), {
      waiting: { message },
    })
  const failed = base({ phase: 'Failed', image: { id } })
  t.is(standing('base:1', { objects: [failed], images }).state, 'ready')
  const held = base({ observedGeneration: 0, image: { id } }, { suspend: true })
  t.is(standing('base:1', { objects: [held], images }).state, 'ready')
})

test('the image of an Image is waited for as well', (t) => {
  const objects = [imageObject('lib', { reference: 'lib:1' })]
  t.like(standing('lib:1', { objects, images: [] }), {
    state: 'waits',
    waiting: { reason: 'WaitingForImage', message: 'lib:1 is what Image default/lib brings, which is new' },
  })
  t.deepEqual(standing('lib:1', { objects, images: [image('lib:1', id)] }), {
    state: 'ready',
    owner: 'Image default/lib',
    id,
  })
})

test('the Image that a Build keeps is no one else', (t) => {
  const kept = imageObject('base', { reference: 'base:1', source: { build: 'base' } })
  t.like(standing('base:1', { objects: [base(), kept] }), { owner: 'Build default/base' })
})

test('who is made of itself is told so, over however many others', (t) => {
  t.like(standing('web:1', {}), {
    state: 'waits',
    waiting: {
      reason: 'DependencyCycle',
      message: 'web:1 is its own name: each build would be made of the one before, and make the next one',
    },
  })
  const circle = [base({}, from('mid:1')), buildObject('mid', { tags: ['mid:1'], ...from('web:1') })]
  t.like(standing('base:1', { objects: circle }), {
    waiting: {
      reason: 'DependencyCycle',
      message:
        'base:1 leads back to itself: Build default/web is made of Build default/base is made of Build default/mid is made of Build default/web',
    },
  })
})

test('a circle of others is not its own trouble, and is looked at in finite time', (t) => {
  const others = [base({}, from('mid:1')), buildObject('mid', { tags: ['mid:1'], ...from('base:1') })]
  t.like(standing('base:1', { objects: others }), { waiting: { reason: 'WaitingForBuild' } })
})
