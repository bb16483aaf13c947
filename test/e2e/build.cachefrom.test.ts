/** Images whose layers are cache: brought from their registry where the node lacks them, and missed where they are nowhere. */
import assert from 'node:assert/strict'
import test from 'ava'
import { build, built, createBuild, makeBuildScene, untilBuild } from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { engineImage, untilImage } from '#test/helpers/images.ts'
import { startRegistry } from '#test/helpers/registry.ts'

const cove = sharedCove(test)

test('layers come from an image of a registry that the node lacks; one that is nowhere is a warning', async (t) => {
  const scene = await makeBuildScene(cove())
  const registry = await startRegistry()
  t.teardown(() => registry.stop())
  const reference = `${registry.address}/${scene.namespace}/cache:1`
  const nowhere = `${registry.address}/${scene.namespace}/nowhere:1`
  const lines = [`RUN date +%N > /when; : ${scene.namespace}`, 'RUN cp /when /then']
  const plain = { builder: 'Classic' }
  await build(scene, 'first', lines, { ...plain, tags: [reference], push: [{ reference }] })
  await untilImage(scene, 'first', ({ pushed }) => assert.equal(pushed?.length, 1))
  await scene.delete('Build', 'first')
  await scene.gone('Build', 'first')
  await scene.gone('Image', 'first')
  t.is(await engineImage(scene, reference), undefined)

  const status = await build(scene, 'second', lines, { ...plain, cacheFrom: [nowhere, reference] })
  t.deepEqual(
    status.steps?.map(({ state }) => state),
    ['Done', 'Cached', 'Cached'],
  )
  t.true(
    status.warnings?.some(({ message }) => message.startsWith(`spec.cacheFrom: ${nowhere} is not pulled`)),
  )
})

test('a build with BuildKit goes on without a cache that cannot be brought', async (t) => {
  const scene = await makeBuildScene(cove())
  const cacheFrom = [`127.0.0.1:1/${scene.namespace}/nowhere:1`]
  await createBuild(scene, 'kit', ['RUN true'], { builder: 'BuildKit', cacheFrom })
  const { warnings } = await built(scene, 'kit')
  t.true(warnings?.some(({ message }) => message.includes('none of its layers is taken')))
  await untilBuild(scene, 'kit', ({ attempt }) => assert.equal(attempt, 1))
})
