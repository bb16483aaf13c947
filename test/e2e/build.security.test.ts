/** Builds of namespaces that share a node, on the real engine: what the one leaves there the other one does not find. */
import test from 'ava'
import { build, buildFails, createBuild, imageOf, makeBuildScene, shell } from '#test/helpers/builds.ts'
import { sharedCove } from '#test/helpers/cove.ts'

const cove = sharedCove(test)

test("a cache mount is one namespace's own, by the same name and whatever it says", async (t) => {
  const [one, other] = [await makeBuildScene(cove()), await makeBuildScene(cove())]
  const id = `cove-${one.namespace}`
  const mount = `RUN --mount=type=cache,id=${id},target=/c`
  await build(one, 'first', [`${mount} echo theirs > /c/secret`])
  await build(one, 'again', [`${mount} cat /c/secret > /found`])
  t.is(await shell(one, imageOf(one, 'again'), 'cat /found'), 'theirs')
  const spec = { args: { BUILDKIT_CACHE_MOUNT_NS: one.namespace } }
  await build(other, 'spy', [`${mount} ls /c > /found`], spec)
  t.is(await shell(other, imageOf(other, 'spy'), 'cat /found'), '')
})

test('an image that has something fetched by whoever is built on it is not built on', async (t) => {
  const scene = await makeBuildScene(cove())
  const onbuild = 'ONBUILD ADD http://127.0.0.1:1/ /x'
  await build(scene, 'base', [onbuild])
  await createBuild(scene, 'web', [`FROM localhost/${scene.namespace}/base:latest`, 'RUN true'])
  const failure = await buildFails(scene, 'web')
  t.regex(failure.message, /has ONBUILD ADD http:\/\/127\.0\.0\.1:1\/ \/x/)
})
