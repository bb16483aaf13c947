/** What the control plane does for Builds, on a real engine: their Images, their names, their logs and their end. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { build, built, createBuild, makeBuildScene, untilBuild } from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import type { Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)

async function hasImage(scene: Scene, reference: string): Promise<boolean> {
  const { status } = await scene.raw.request('GET', `/images/${encodeURIComponent(reference)}/json`)
  return status === 200
}

test('a Build has its Image, which is ready with what it made, and both go together', async (t) => {
  const scene = await makeBuildScene(cove())
  const status = await build(scene, 'web', ['RUN echo 1 > /v'])
  const ready = await scene.eventually('the Image', async () => {
    const image = await scene.get('Image', 'web')
    assert.equal(findCondition(image.status?.conditions, 'Ready')?.status, 'True')
    return image
  })
  t.is(ready.status.id, status.image.id)
  t.is(ready.spec.source.build, 'web')
  t.is(ready.spec.reference, `localhost/${scene.namespace}/web:latest`)
  const { metadata } = await scene.get('Build', 'web')
  t.like(ready.metadata.ownerReferences?.[0], { kind: 'Build', uid: metadata.uid, controller: true })
  const tag = `cove-test/${scene.cove.mark}-${scene.namespace}-web:2`
  await scene.patch('Build', 'web', { spec: { tags: [tag] } })
  await scene.eventually('the new name', async () => assert.ok(await hasImage(scene, tag)))
  await scene.delete('Build', 'web')
  await scene.gone('Build', 'web')
  await scene.gone('Image', 'web')
  t.false(await hasImage(scene, tag))
})

test('where an Image of its name is somebody else’s nothing is built, until it has gone', async (t) => {
  const scene = await makeBuildScene(cove())
  await scene.create('Image', 'web', { spec: { reference: 'nowhere.invalid/other:1', pullPolicy: 'Never' } })
  await createBuild(scene, 'web', ['RUN echo 2 > /v'])
  const { status } = await untilBuild(scene, 'web', ({ conditions }) =>
    assert.equal(findCondition(conditions, 'Ready')?.reason, 'ImageTaken'),
  )
  t.is(status.attempt ?? 0, 0)
  await scene.told('web', 'nobody made it for this Build')
  await scene.delete('Image', 'web')
  t.is((await built(scene, 'web')).attempt, 1)
})

test('a second Build of one tag is refused, and told whose it is', async (t) => {
  const scene = await makeBuildScene(cove())
  const tags = [`cove-test/${scene.cove.mark}-${scene.namespace}-one:1`]
  await build(scene, 'first', [], { tags })
  const error = await t.throwsAsync(createBuild(scene, 'second', [], { tags }))
  t.regex(error?.message ?? '', new RegExp(`is a name of Build ${scene.namespace}/first`))
})

test('steps join a Network of the namespace by its name there', async (t) => {
  const scene = await makeBuildScene(cove())
  const octets = `10.${200 + randomInt(50)}.${randomInt(250)}`
  await scene.create('Network', 'inner', { spec: { ipam: [{ subnet: `${octets}.0/24` }] } })
  await build(scene, 'web', [`RUN ip addr | grep ${octets}`], { network: 'inner' })
  await createBuild(scene, 'lost', ['RUN true'], { network: 'nothing' })
  await untilBuild(scene, 'lost', ({ conditions }) =>
    assert.equal(findCondition(conditions, 'Ready')?.reason, 'NetworkNotFound'),
  )
  t.pass()
})
