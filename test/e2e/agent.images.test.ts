/** Why an image cannot be had: three reasons that ask for three different acts; a corrected object is tried at once. */
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { freePort, startRegistry, type TestRegistry } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const registries: { open?: TestRegistry; secured?: TestRegistry } = {}

test.before(async () => {
  registries.open = await startRegistry()
  registries.secured = await startRegistry({ password: true })
})

test.after.always(async () => {
  await registries.open?.stop()
  await registries.secured?.stop()
})

test('a missing image, a closed registry and a silent one are three reasons; the right image is taken at once', async (t) => {
  const scene = await makeScene(cove())
  const repository = `${cove().mark}/app`
  const { open, secured } = registries
  const wanted = await open?.push(cove().engine, baseImage, `${repository}:1`)
  const images = {
    ImageNotFound: `${open?.address}/${repository}:missing`,
    RegistryUnauthorized: await secured?.push(cove().engine, baseImage, `${repository}:1`),
    RegistryUnavailable: `127.0.0.1:${await freePort()}/${repository}:1`,
  }
  const name = (reason: string) => reason.toLowerCase()
  for (const [reason, image] of Object.entries(images)) await scene.run(name(reason), { image })
  for (const reason of Object.keys(images)) {
    await scene.notReady(name(reason), reason)
    await scene.patchSpec(name(reason), { image: wanted })
    await scene.ready(name(reason))
    const { status } = await scene.until(name(reason), {})
    t.regex(status?.image?.digest ?? '', /^127\.0\.0\.1:.*@sha256:/)
  }
})

test('an image that appears on the node is used, whatever the registry says', async (t) => {
  const scene = await makeScene(cove())
  const image = `127.0.0.1:${await freePort()}/${cove().mark}/late:1`
  await scene.run('web', { image })
  await scene.notReady('web', 'RegistryUnavailable')
  const [repository, tag] = [image.slice(0, -2), image.slice(-1)]
  await scene.call('POST', `/images/${baseImage}/tag?repo=${repository}&tag=${tag}`)
  t.truthy(await scene.ready('web'))
})

test('an image that is never to be pulled is not pulled', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { image: `cove-test/${cove().mark}-none:1`, imagePullPolicy: 'Never' })
  t.regex(await scene.notReady('web', 'ErrImageNeverPull'), /spec.imagePullPolicy is Never/)
})
