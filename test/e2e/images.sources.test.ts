/** Images that no registry has: out of archives, of files, of what a container has written. And archives that are no good. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import {
  createImage,
  engineImage,
  exported,
  imageFails,
  imageReady,
  saved,
  serveFiles,
  tagAs,
  untag,
  untilImage,
} from '#test/helpers/images.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const noSignal = new AbortController().signal

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** An image of its own, and what docker save writes of it; the engine has it no more. */
async function archived(scene: Scene, name: string) {
  const built = await scene.image(name, [
    `RUN ["/bin/sh", "-c", "echo ${scene.namespace} > /it"]`,
    'CMD ["cat", "/it"]',
  ])
  const { Id, RootFS } = await engineImage(scene, built)
  const archive = await saved(scene, built)
  await untag(scene, built)
  assert.equal(await engineImage(scene, built), undefined)
  return { reference: built, archive, id: Id, layers: RootFS.Layers }
}

test('an archive is loaded with id, history and settings, and again when the image is removed', async (t) => {
  const scene = await makeScene(cove())
  const { reference, archive, id, layers } = await archived(scene, 'saved')
  const files = await serveFiles({ '/a.tgz': { body: gzipSync(archive) }, '/here': { redirect: '/a.tgz' } })
  t.teardown(files.close)
  await createImage(scene, 'app', { reference, source: { archive: { url: `${files.base}/here` } } })
  const status = await imageReady(scene, 'app')
  t.like(status, { id, reference: id, layers })
  t.true((status.history?.length ?? 0) >= 4)
  t.deepEqual((await engineImage(scene, reference)).Config.Cmd, ['cat', '/it'])
  t.deepEqual(files.asked, ['/here', '/a.tgz'])
  await untag(scene, reference)
  await scene.eventually('the image', async () => assert.equal((await engineImage(scene, reference))?.Id, id))
  await scene.told('app', `image ${id.slice(0, 19)} is not on the node any more`)
})

test('an archive with a digest to keep is verified before anything of it is loaded', async (t) => {
  const scene = await makeScene(cove())
  const { reference, archive } = await archived(scene, 'digest')
  const files = await serveFiles({ '/a.tar': { body: archive } })
  t.teardown(files.close)
  const url = `${files.base}/a.tar`
  const wrong = 'f'.repeat(64)
  await createImage(scene, 'app', { reference, source: { archive: { url, sha256: wrong } } })
  t.regex(
    await imageFails(scene, 'app', 'InvalidSpec'),
    new RegExp(`the sha256 of ${url} is ${sha256(archive)}, not ${wrong}`),
  )
  t.is(await engineImage(scene, reference), undefined)
  await scene.patch('Image', 'app', { spec: { source: { archive: { url, sha256: sha256(archive) } } } })
  await imageReady(scene, 'app')
})

test('no bad archive takes the name from the image that is there', async (t) => {
  const scene = await makeScene(cove())
  const { reference, archive } = await archived(scene, 'bad')
  await tagAs(scene, baseImage, reference)
  const { Id: before } = await engineImage(scene, baseImage)
  const files = await serveFiles({
    '/cut.tar': { body: archive, cutAt: Math.floor(archive.length / 2) },
    '/text.tar': { body: Buffer.from('this is no archive') },
    '/loop': { redirect: '/loop' },
    '/elsewhere': { redirect: 'file:///etc/passwd' },
    '/broken': { status: 500 },
    '/whole.tar': { body: archive },
  })
  t.teardown(files.close)
  const fails = async (name: string, path: string, reason: string, words: RegExp) => {
    await createImage(scene, name, { reference, source: { archive: { url: `${files.base}${path}` } } })
    t.regex(await imageFails(scene, name, reason), words)
    t.is((await engineImage(scene, reference))?.Id, before)
    // What is not deleted would wait for the name of the others.
    await scene.patch('Image', name, { spec: { deletionPolicy: 'Orphan' } })
    await scene.delete('Image', name)
    await scene.gone('Image', name)
  }
  await fails('cut', '/cut.tar', 'SourceUnavailable', /cannot be fetched/)
  await fails('text', '/text.tar', 'InvalidSpec', /./)
  await fails('loop', '/loop', 'SourceUnavailable', /redirects more than 5 times/)
  await fails('elsewhere', '/elsewhere', 'SourceUnavailable', /no web address/)
  await fails('broken', '/broken', 'SourceUnavailable', /answers 500/)
  await createImage(scene, 'other', {
    reference: `cove-test/${cove().mark}-none:1`,
    source: { archive: { url: `${files.base}/whole.tar` } },
  })
  t.regex(await imageFails(scene, 'other', 'InvalidSpec'), new RegExp(`it holds ${reference}`))
})

test('files are imported as one layer, with settings of their own and a history of one line', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('web')
  await scene.exec('web', ['sh', '-c', 'echo kept > /kept'])
  const archive = await exported(scene, scene.engineName('web'))
  const files = await serveFiles({ '/rootfs.tar.gz': { body: gzipSync(archive) } })
  t.teardown(files.close)
  const url = `${files.base}/rootfs.tar.gz`
  const reference = `cove-test/${cove().mark}-imported:1`
  const changes = ['CMD ["/bin/cat","/kept"]', 'ENV PATH=/bin', 'WORKDIR /bin']
  await createImage(scene, 'app', { reference, source: { rootfs: { url, changes } } })
  const { layers, history, id } = await imageReady(scene, 'app')
  t.is(layers?.length, 1)
  t.deepEqual(
    history?.map(({ comment }) => comment),
    [`Imported from ${url}`],
  )
  const { Id, Config } = await engineImage(scene, reference)
  t.is(Id, id)
  t.like(Config, { Cmd: ['/bin/cat', '/kept'], WorkingDir: '/bin' })
  await scene.run('from', { image: reference, command: undefined, restartPolicy: 'Never' })
  await scene.until('from', { phase: 'Succeeded' })
})

test('an upload is loaded from the server', async (t) => {
  const scene = await makeScene(cove())
  const { reference, archive, id } = await archived(scene, 'upload')
  const upload = `sha256:${sha256(archive)}`
  const path = `/apis/cove.run/v1/namespaces/${scene.namespace}/uploads/${upload}`
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(archive.length) }
  const input = Readable.from([archive])
  await cove().client.stream({ method: 'PUT', path, headers, input }, noSignal)
  await createImage(scene, 'app', { reference, source: { archive: { upload } } })
  t.is((await imageReady(scene, 'app')).id, id)
})

test('a container is committed once, with what it has written and not what is mounted', async (t) => {
  const scene = await makeScene(cove())
  await scene.create('Volume', 'data', { spec: { reclaimPolicy: 'Delete' } })
  await scene.running('web', { mounts: [{ volume: 'data', mountPath: '/data' }] })
  await scene.exec('web', ['sh', '-c', 'mkdir /www; echo x > /www/x; echo y > /data/y'])
  const reference = `cove-test/${cove().mark}-committed:2`
  const commit = { container: 'web', author: 'a', message: 'with /www/x', changes: ['ENV A=1'] }
  await createImage(scene, 'app', { reference, source: { commit } })
  const { id = '', layers, history } = await imageReady(scene, 'app')
  const base = await engineImage(scene, baseImage)
  const made = await engineImage(scene, reference)
  t.is(layers?.length, base.RootFS.Layers.length + 1)
  t.like(made, { Id: id, Author: 'a', Comment: 'with /www/x' })
  t.true(made.Config.Env.includes('A=1'))
  t.is(history?.[0]?.comment, 'with /www/x')
  await scene.told('app', 'what is mounted at /data is not in it')
  const byHand = await scene.stranger(`${cove().mark}-by-hand`, {
    Image: reference,
    Entrypoint: [],
    StopSignal: 'SIGKILL',
  })
  await scene.running('from', { image: reference })
  t.is(await scene.exec('from', ['cat', '/www/x']), 'x')
  t.is((await scene.call('GET', `/containers/${byHand}/json`)).State.Running, true, 'it is no double of web')
  t.is(await scene.exec('from', ['ls', '/data']), '')
  await scene.patch('Image', 'app', { spec: { tags: [`cove-test/${cove().mark}-committed:3`] } })
  await untilImage(scene, 'app', ({ names }) => assert.equal(names?.length, 2))
  t.is((await imageReady(scene, 'app')).id, id)
  await scene.patch('Image', 'app', { spec: { source: { commit: { message: 'again' } } } })
  await untilImage(scene, 'app', (status) => assert.notEqual(status.id, id))
})

test('a commit waits for a container of its node', async (t) => {
  const scene = await makeScene(cove())
  const reference = `cove-test/${cove().mark}-waiting:1`
  await createImage(scene, 'app', { reference, source: { commit: { container: 'later' } } })
  await scene.running('later')
  t.regex((await imageReady(scene, 'app')).id ?? '', /^sha256:/)
})
