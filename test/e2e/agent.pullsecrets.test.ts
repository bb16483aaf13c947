/** Images of a registry with a password: whose credentials are asked with, and what is told of them. */
import assert from 'node:assert/strict'
import test from 'ava'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { startRegistry, type TestRegistry, testAccount } from '#test/helpers/registry.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
const running: { registry?: TestRegistry } = {}

test.before(async () => {
  running.registry = await startRegistry({ password: true })
})

test.after.always(() => running.registry?.stop())

const wrong = { username: 'cove', password: 'guessed-wrongly' }

/** A private image of the test's own, and a Secret by which it can be had, or not. */
async function withImage(name: string) {
  const scene = await makeScene(cove())
  const { registry } = running
  assert.ok(registry)
  const image = await registry.push(cove().engine, baseImage, `${cove().mark}/${name}:1`)
  return { scene, image, address: registry.address }
}

function config(address: string, { username, password }: typeof wrong | typeof testAccount): string {
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  return JSON.stringify({ auths: { [address]: { auth } } })
}

async function createSecret(scene: Scene, name: string, text: string): Promise<void> {
  const type = 'kubernetes.io/dockerconfigjson'
  await scene.create('Secret', name, { type, stringData: { '.dockerconfigjson': text } })
}

test('a private image is had with the Secret of the Container, and not without', async (t) => {
  const { scene, image, address } = await withImage('had')
  await scene.run('web', { image })
  const message = await scene.notReady('web', 'RegistryUnauthorized')
  t.regex(message, new RegExp(`no Secret that spec names holds credentials for ${address}`))
  await createSecret(scene, 'login', config(address, testAccount))
  await scene.patchSpec('web', { imagePullSecrets: [{ name: 'login' }] })
  t.truthy(await scene.ready('web'))
})

test('wrong credentials are named by their Secret, and a corrected Secret is tried at once', async (t) => {
  const { scene, image, address } = await withImage('corrected')
  await createSecret(scene, 'login', config(address, wrong))
  await scene.run('web', { image, imagePullSecrets: [{ name: 'login' }] })
  const message = await scene.notReady('web', 'RegistryUnauthorized')
  t.regex(message, new RegExp(`asked with the credentials of Secret ${scene.namespace}/login`))
  await scene.patch('Secret', 'login', {
    stringData: { '.dockerconfigjson': config(address, testAccount) },
  })
  t.truthy(await scene.ready('web'))
})

test('an image that is not there is told apart from credentials that are not good', async (t) => {
  const { scene, image, address } = await withImage('there')
  await createSecret(scene, 'login', config(address, testAccount))
  const imagePullSecrets = [{ name: 'login' }]
  await scene.run('web', { image: image.replace(/:1$/, ':missing'), imagePullSecrets })
  await scene.notReady('web', 'ImageNotFound')
  await scene.patchSpec('web', { image })
  t.truthy(await scene.ready('web'))
})

test('of several Secrets the one that is good is found, and one that is of no use is told', async (t) => {
  const { scene, image, address } = await withImage('several')
  await createSecret(scene, 'first', config(address, wrong))
  await createSecret(scene, 'second', config(address, testAccount))
  const imagePullSecrets = ['gone', 'first', 'second'].map((name) => ({ name }))
  await scene.running('web', { image, imagePullSecrets })
  await scene.told(
    'web',
    `Unable to retrieve some image pull secrets (${scene.namespace}/gone); attempting to pull the image may not succeed.`,
  )
  t.pass()
})

test('what is changed in the Secret does nothing to what runs, and no password is told anywhere', async (t) => {
  const { scene, image, address } = await withImage('untold')
  const secret = 'such-a-secret-password'
  await createSecret(scene, 'login', config(address, { ...wrong, password: secret }))
  await scene.run('bad', { image, imagePullSecrets: [{ name: 'login' }] })
  await scene.notReady('bad', 'RegistryUnauthorized')
  await createSecret(scene, 'good', config(address, testAccount))
  const id = await scene.running('web', { image, imagePullSecrets: [{ name: 'good' }] })
  await scene.patch('Secret', 'good', { stringData: { '.dockerconfigjson': config(address, wrong) } })
  await scene.patchSpec('web', { terminationGracePeriodSeconds: 1 })
  t.is(await scene.ready('web'), id)
  const told = [
    JSON.stringify(await scene.get('Container', 'bad')),
    ...(await scene.messages('bad')),
    cove().log(),
  ].join('\n')
  for (const text of [secret, Buffer.from(`cove:${secret}`).toString('base64')]) t.false(told.includes(text))
})

test('who has no right to an image does not get it by the pull of somebody who has, when it asks always', async (t) => {
  const { scene, image, address } = await withImage('always')
  await createSecret(scene, 'login', config(address, testAccount))
  await scene.running('web', {
    image,
    imagePullPolicy: 'Always',
    imagePullSecrets: [{ name: 'login' }],
  })
  await scene.run('other', { image, imagePullPolicy: 'Always' })
  await scene.notReady('other', 'RegistryUnauthorized')
  t.is(await scene.inspect('other'), undefined)
})
