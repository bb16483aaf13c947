/** Who is made from what a Build makes: Containers roll to it, go on with the last good one, and other nodes get it. */
import assert from 'node:assert/strict'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import {
  attempt,
  build,
  buildFails,
  createBuild,
  imageOf,
  inspectImage,
  makeBuildScene,
} from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { imageReady, untag } from '#test/helpers/images.ts'
import { startRegistry } from '#test/helpers/registry.ts'

const cove = sharedCove(test)
const text = (...lines: readonly string[]) => `${[`FROM ${baseImage}`, ...lines].join('\n')}\n`
const serving = (version: number) => [`RUN echo ${version} > /version`, 'CMD ["sleep", "86400"]']
const follower = { image: undefined, command: undefined }

test('a Container follows its Build: waits for it, rolls with it, and stays what it is when it fails', async (t) => {
  const scene = await makeBuildScene(cove())
  await scene.run('web', { ...follower, imageFrom: { build: 'web' } })
  await scene.notReady('web', 'WaitingForBuild')
  const first = await build(scene, 'web', serving(1))
  const one = await scene.ready('web')
  t.is((await scene.inspect('web')).Image, first.image.id)
  t.is((await imageReady(scene, 'web')).reference, first.image.id)

  await scene.patch('Build', 'web', { spec: { dockerfileInline: text(...serving(2)) } })
  const second = await attempt(scene, 'web', 2)
  const two = await scene.replaced('web', one)
  t.is(await scene.exec('web', ['cat', '/version']), '2')
  t.is((await scene.inspect('web')).Image, second.image?.id)

  await scene.patch('Build', 'web', { spec: { dockerfileInline: text('RUN exit 3') } })
  t.is((await buildFails(scene, 'web')).exitCode, 3)
  const image = await imageReady(scene, 'web')
  t.is(image.reference, second.image?.id)
  t.is(await scene.ready('web'), two)
  t.is((await inspectImage(scene, imageOf(scene, 'web'))).Id, second.image?.id)
})

test('an image that is built well and does not run well is rolled back from', async (t) => {
  const scene = await makeBuildScene(cove())
  await build(scene, 'web', serving(1))
  const one = await scene.running('web', { ...follower, imageFrom: { build: 'web' }, restartPolicy: 'Never' })
  await scene.patch('Build', 'web', { spec: { dockerfileInline: text('CMD ["/bin/false"]') } })
  const second = await attempt(scene, 'web', 2)
  await scene.until('web', ({ rollout }) => {
    if (rollout?.failed?.image !== second.image?.id) throw new Error('not given up yet')
  })
  const { Id } = await scene.sees('web', { State: { Running: true } })
  t.is(Id, one)
})

test('names that somebody takes away come back, and an image that somebody removes is built again', async (t) => {
  const scene = await makeBuildScene(cove())
  const tags = ['1', 'stable'].map((tag) => `cove-test/${cove().mark}-names:${tag}`)
  const { image } = await build(scene, 'names', serving(1), { tags })
  await imageReady(scene, 'names')
  await untag(scene, tags[1] ?? '')
  await scene.eventually('the name', async () => {
    assert.equal((await inspectImage(scene, tags[1] ?? '')).Id, image.id)
  })
  await scene.call('DELETE', `/images/${image.id}?force=true`)
  const again = await attempt(scene, 'names', 2)
  t.regex(again.cause ?? '', /not on the node any more/)
})

test('each image goes to the registry once, and a build that changes nothing sends nothing', async (t) => {
  const scene = await makeBuildScene(cove())
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const reference = `${registry.address}/${cove().mark}/web:1`
  await createBuild(scene, 'web', serving(1), { push: [{ reference }] })
  const { pushed } = await scene.eventually('the push', async () => {
    const status = await imageReady(scene, 'web')
    if (findCondition(status.conditions, 'Pushed')?.status !== 'True') throw new Error('not pushed')
    return status
  })
  t.is(pushed?.length, 1)
  const answer = await fetch(`http://${registry.address}/v2/${cove().mark}/web/manifests/1`)
  t.is(answer.status, 200)
})

test('when a Build goes, its Image and its names go', async (t) => {
  const scene = await makeBuildScene(cove())
  await build(scene, 'short', serving(1))
  await imageReady(scene, 'short')
  await scene.delete('Build', 'short')
  await scene.gone('Build', 'short')
  await scene.gone('Image', 'short')
  const { status } = await scene.raw.request('GET', `/images/${imageOf(scene, 'short')}/json`)
  t.is(status, 404)
})
