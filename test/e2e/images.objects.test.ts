/** Image objects with a real registry and a real engine: pulled once, kept under their names, pushed, and let go in order. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import {
  createImage,
  engineImage,
  imageFails,
  imageReady,
  pushed,
  tagAs,
  untag,
  untilImage,
} from '#test/helpers/images.ts'
import { freePort, startRegistry, type TestRegistry } from '#test/helpers/registry.ts'
import { makeScene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const running: { registry?: TestRegistry; secured?: TestRegistry } = {}

test.before(async () => {
  running.registry = await startRegistry()
  running.secured = await startRegistry({ password: true })
})

test.after.always(async () => {
  await running.registry?.stop()
  await running.secured?.stop()
})

function registry(): TestRegistry {
  if (running.registry === undefined) throw new Error('no registry')
  return running.registry
}

async function digestAt(reference: string): Promise<string | null> {
  const colon = reference.lastIndexOf(':')
  const [host = '', ...path] = reference.slice(0, colon).split('/')
  const url = `http://${host}/v2/${path.join('/')}/manifests/${reference.slice(colon + 1)}`
  const accept = 'application/vnd.docker.distribution.manifest.v2+json'
  return (await fetch(url, { method: 'HEAD', headers: { accept } })).headers.get('docker-content-digest')
}

async function tagsAt(repository: string): Promise<unknown> {
  const [host = '', ...path] = repository.split('/')
  return (await fetch(`http://${host}/v2/${path.join('/')}/tags/list`)).json()
}

test('an Image is pulled, told of in full, and stays what it was found to be while its tag moves', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'moving:1', ['a', 'b'])
  const digest = await digestAt(image)
  await createImage(scene, 'app', { reference: image, tags: [`${image.slice(0, -2)}:x`] })
  const status = await imageReady(scene, 'app')
  const seen = await engineImage(scene, image)
  t.like(status, { reference: `${image}@${digest}`, id: seen.Id, resolved: image, architecture: 'amd64' })
  t.is(status.digest, `${image.slice(0, -2)}@${digest}`)
  t.is(status.layers?.length, seen.RootFS.Layers.length)
  t.true((status.size ?? 0) > 0)
  t.is(status.nodes?.[cove().nodeName]?.state, 'Ready')
  t.true(status.history?.some(({ createdBy }) => createdBy.includes('made-b')))
  await scene.told('app', `Downloaded newer image for ${image}`)
  await scene.told('app', `digest ${digest}`)
  await untilImage(scene, 'app', ({ names = [] }) =>
    assert.deepEqual(names, [image, `${image.slice(0, -2)}:x`].sort()),
  )
  await pushed(scene, registry(), 'moving:1', ['c'])
  await scene.patch('Image', 'app', { spec: { tags: [`${image.slice(0, -2)}:y`] } })
  await untilImage(scene, 'app', ({ names = [] }) => assert.ok(names.includes(`${image.slice(0, -2)}:y`)))
  t.is((await imageReady(scene, 'app')).reference, `${image}@${digest}`)
})

test('pullPolicy Always asks again when the object changes: the old image stays until the new one is here', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'always:1', ['a'])
  await createImage(scene, 'app', { reference: image, pullPolicy: 'Always' })
  const first = await imageReady(scene, 'app')
  await pushed(scene, registry(), 'always:1', ['b'])
  await scene.patch('Image', 'app', { spec: { tags: [`${image.slice(0, -2)}:more`] } })
  const { status } = await untilImage(scene, 'app', ({ id }) => assert.notEqual(id, first.id))
  t.is(status.digest?.split('@')[1], (await digestAt(image)) ?? '')
  await scene.patch('Image', 'app', { spec: { tags: [] } })
  await imageReady(scene, 'app')
  await scene.told('app', `Image is up to date for ${image}`)
})

test('names and digests that somebody took away come back, and a tag that was moved too', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'kept:1', ['a'])
  const repository = image.slice(0, -2)
  await createImage(scene, 'app', { reference: image, tags: [`${repository}:x`, `${repository}:y`] })
  const { id, digest = '' } = await imageReady(scene, 'app')
  await untilImage(scene, 'app', ({ names = [] }) => assert.equal(names.length, 3))
  await untag(scene, `${repository}:x`)
  await tagAs(scene, baseImage, image)
  await scene.eventually('the names', async () => {
    for (const name of [image, `${repository}:x`, `${repository}:y`])
      assert.equal((await engineImage(scene, name))?.Id, id)
  })
  await scene.told('app', `the name ${image} was given to image`)
  await untag(scene, digest)
  await scene.told('app', `the digest ${digest} was taken from image`)
  t.is((await imageReady(scene, 'app')).id, id)
  await scene.eventually('the digest', async () =>
    assert.ok((await engineImage(scene, image)).RepoDigests.includes(digest)),
  )
})

test('an image that was removed comes back with the same id, layers that are here are not fetched again', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'gone:1', ['a'])
  await createImage(scene, 'app', { reference: image })
  const { id, digest } = await imageReady(scene, 'app')
  await untag(scene, image)
  await scene.eventually('the image', async () => assert.equal((await engineImage(scene, image))?.Id, id))
  t.is((await imageReady(scene, 'app')).digest, digest)
  const messages = await scene.messages('app')
  t.true(
    messages.some((message) => /Downloaded newer image .*; [1-9]\d* of \d+ layers were here/.test(message)),
    messages.join('\n'),
  )
})

test('a digest pins an image; all tags of a repository come with one object', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'pinned:1', ['a'])
  const repository = image.slice(0, -2)
  const reference = `${repository}@${await digestAt(image)}`
  await createImage(scene, 'pinned', { reference })
  t.is((await imageReady(scene, 'pinned')).digest, reference)
  await pushed(scene, registry(), 'pinned:2', ['b'])
  await createImage(scene, 'all', { reference: repository, allTags: true })
  const { names } = await imageReady(scene, 'all')
  t.deepEqual(names, [image])
  t.not((await engineImage(scene, `${repository}:2`))?.Id, undefined)
})

test('one pull serves an Image and the Containers that want the same', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'shared:1', ['a', 'b', 'c'])
  await Promise.all([
    createImage(scene, 'app', { reference: image }),
    ...Array.from({ length: 6 }, (_, index) => scene.run(`web-${index}`, { image })),
  ])
  await imageReady(scene, 'app')
  for (let index = 0; index < 6; index++) await scene.ready(`web-${index}`)
  const { usedBy } = (await untilImage(scene, 'app', ({ usedBy = [] }) => assert.equal(usedBy.length, 6)))
    .status
  t.true(usedBy?.includes(scene.engineName('web-0')))
  // Who shares a pull tells of nothing that it has found.
  const found = async (name: string) =>
    (await scene.messages(name)).filter((message) => message.includes('Downloaded newer image')).length
  t.is((await found('app')) + (await found('web-0')), 1)
})

test('what spec.push says is sent once, its digest told, and the name that was lent is taken back', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('made', ['RUN ["/bin/sh", "-c", "echo p > /p"]'])
  const target = `${registry().address}/${cove().mark}/pushed:3`
  await createImage(scene, 'app', { reference: image, pullPolicy: 'Never', push: [{ reference: target }] })
  const { status } = await untilImage(scene, 'app', ({ pushed: entries }) => assert.equal(entries?.length, 1))
  t.like(status.pushed?.[0], { reference: target, id: status.id, digest: await digestAt(target) })
  t.deepEqual(await tagsAt(target.slice(0, -2)), { name: `${cove().mark}/pushed`, tags: ['3'] })
  t.is(await engineImage(scene, target), undefined)
  await scene.patch('Image', 'app', { spec: { tags: [`${image.slice(0, -2)}:other`] } })
  await untilImage(scene, 'app', ({ names }) => assert.equal(names?.length, 2))
  const pushes = (await scene.messages('app')).filter((message) => message.startsWith('push image'))
  t.is(pushes.length, 1)
})

test('a push that is refused is a condition of its own: the image stays Ready', async (t) => {
  const scene = await makeScene(cove())
  const image = await scene.image('refused')
  const silent = `127.0.0.1:${await freePort()}/${cove().mark}/x:1`
  await createImage(scene, 'silent', { reference: image, pullPolicy: 'Never', push: [{ reference: silent }] })
  t.regex(await imageFails(scene, 'silent', 'RegistryUnavailable', 'Pushed'), /connection refused/)
  await imageReady(scene, 'silent')
  const closed = `${running.secured?.address}/${cove().mark}/x:1`
  await createImage(scene, 'closed', { reference: image, pullPolicy: 'Never', push: [{ reference: closed }] })
  await imageFails(scene, 'closed', 'RegistryUnauthorized', 'Pushed')
})

test('failures are told apart by their reasons', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'there:1')
  const hidden = await running.secured?.push(cove().engine, baseImage, `${cove().mark}/hidden:1`)
  await createImage(scene, 'missing', { reference: `${image.slice(0, -2)}:none` })
  await createImage(scene, 'hidden', { reference: hidden })
  await createImage(scene, 'silent', { reference: `127.0.0.1:${await freePort()}/x/y:1` })
  await createImage(scene, 'never', { reference: `${image.slice(0, -2)}:never`, pullPolicy: 'Never' })
  await imageFails(scene, 'missing', 'ImageNotFound')
  await imageFails(scene, 'hidden', 'RegistryUnauthorized')
  await imageFails(scene, 'silent', 'RegistryUnavailable')
  await imageFails(scene, 'never', 'ErrImageNeverPull')
  await scene.patch('Image', 'missing', { spec: { reference: image } })
  t.is((await imageReady(scene, 'missing')).resolved, image)
})

test('deletion takes the names one by one; what others want stays; the counts are told', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'deleted:1', ['a'])
  const repository = image.slice(0, -2)
  await createImage(scene, 'one', { reference: image, tags: [`${repository}:mine`] })
  await imageReady(scene, 'one')
  await untilImage(scene, 'one', ({ names }) => assert.equal(names?.length, 2))
  await createImage(scene, 'two', { reference: image })
  await imageReady(scene, 'two')
  await scene.delete('Image', 'one')
  await scene.gone('Image', 'one')
  t.is(await engineImage(scene, `${repository}:mine`), undefined)
  t.truthy(await engineImage(scene, image))
  await scene.told('one', 'untagged 1, deleted 0')
  await scene.delete('Image', 'two')
  await scene.gone('Image', 'two')
  t.is(await engineImage(scene, image), undefined)
  const messages = await scene.messages('two')
  t.true(
    messages.some((message) => /untagged [12], deleted [1-9]/.test(message)),
    messages.join('\n'),
  )
})

test('an image that a container uses waits for it, and says whose it is; Orphan leaves it', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'used:1', ['a'])
  await createImage(scene, 'app', { reference: image })
  await imageReady(scene, 'app')
  const { Id } = await scene.call('POST', '/containers/create', {
    Image: image,
    Cmd: ['true'],
    Labels: { 'cove-test/owner': cove().mark },
  })
  await scene.eventually('the user', async () => {
    await untilImage(scene, 'app', ({ usedBy = [] }) => assert.equal(usedBy.length, 1))
  })
  await scene.delete('Image', 'app')
  t.regex(await imageFails(scene, 'app', 'InUse'), /^used by container /)
  t.truthy(await engineImage(scene, image))
  await scene.call('DELETE', `/containers/${Id}`)
  await scene.gone('Image', 'app')
  t.is(await engineImage(scene, image), undefined)
  await createImage(scene, 'stays', { reference: image, deletionPolicy: 'Orphan' })
  await imageReady(scene, 'stays')
  await scene.delete('Image', 'stays')
  await scene.gone('Image', 'stays')
  t.truthy(await engineImage(scene, image))
})

test('cove and kubectl show an Image', async (t) => {
  const scene = await makeScene(cove())
  const image = await pushed(scene, registry(), 'shown:1')
  await createImage(scene, 'app', { reference: image })
  await imageReady(scene, 'app')
  const { stdout } = await cove().cli(['get', 'images', '-n', scene.namespace])
  t.regex(stdout, new RegExp(`app +${image} +Ready +[0-9a-f]{12} `))
})
