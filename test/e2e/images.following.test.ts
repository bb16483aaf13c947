/** Images that follow their registry, and Containers that follow them: a real engine and a real registry. */
import assert from 'node:assert/strict'
import test from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import type { ImageStatus } from '#pkg/apis/image.ts'
import { approvedAnnotation, checkAnnotation } from '#pkg/apis/wellknown.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { createImage, imageReady, untilImage } from '#test/helpers/images.ts'
import { freePort, startRegistry, type TestRegistry } from '#test/helpers/registry.ts'
import { type Fields, makeScene, type Scene } from '#test/helpers/scene.ts'

const cove = sharedCove(test)
let registry: TestRegistry

test.before(async () => {
  registry = await startRegistry()
})

test.after.always(async () => {
  await registry?.stop()
})

const good = 'CMD ["sleep", "86400"]'
/** Nobody asks by itself while a test runs. */
const rarely = { schedule: '0 0 1 1 *' }
/** Runs what the image says, and is tried for a moment. */
const follower = { image: undefined, command: undefined, update: { monitor: '1s', healthTimeout: '10s' } }

let versions = 0

/** The same registry by another name: whoever pushes gives an image a name that Cove would take back from it. */
function followed(reference: string): string {
  return reference.replace('127.0.0.1', 'localhost')
}

/** A new image under the tag, in the registry only. */
async function publish(scene: Scene, tag: string, lines: readonly string[] = [good]): Promise<string> {
  const version = `v${++versions}`
  const built = await scene.image(version, [`LABEL version=${version}`, ...lines])
  return followed(await registry.push(cove().engine, built, `${cove().mark}/${scene.namespace}/app:${tag}`))
}

async function check(scene: Scene, name = 'app'): Promise<ImageStatus> {
  const request = `check ${++versions}`
  await scene.patch('Image', name, { metadata: { annotations: { [checkAnnotation]: request } } })
  const { status } = await untilImage(scene, name, { checkRequest: request })
  return status
}

function conditionOf(status: ImageStatus): string {
  const found = findCondition(status.conditions, 'UpToDate')
  return `${found?.status} ${found?.reason}`
}

const digestOf = (reference: string | undefined) => reference?.split('@')[1] ?? 'none'

async function follows(scene: Scene, names: readonly string[], spec: Fields = {}): Promise<void> {
  for (const name of names) await scene.run(name, { ...follower, imageFrom: { image: 'app' }, ...spec })
  for (const name of names) await scene.ready(name)
}

/** The digests that the engine says the containers run. */
async function digestsOf(scene: Scene, names: readonly string[]): Promise<string[]> {
  const found = await Promise.all(names.map((name) => scene.inspect(name)))
  return found.map((container) => digestOf(container?.Config.Image))
}

test('a republished tag is found by a check, and all that follow are replaced by one digest', async (t) => {
  const scene = await makeScene(cove())
  const reference = await publish(scene, '1')
  await createImage(scene, 'app', { reference, update: { policy: 'Digest', ...rarely } })
  const first = await imageReady(scene, 'app')
  t.regex(first.reference ?? '', /:1@sha256:/)
  const names = ['one', 'two']
  await follows(scene, names)
  t.deepEqual(
    await digestsOf(scene, names),
    names.map(() => digestOf(first.reference)),
  )
  t.is(conditionOf(await check(scene)), 'True Newest')

  await publish(scene, '1')
  await check(scene)
  const { status } = await untilImage(scene, 'app', ({ reference: now }) =>
    assert.notEqual(now, first.reference),
  )
  t.is(status.previous, first.reference)
  for (const name of names)
    await scene.until(name, ({ image, rollout }) => {
      assert.equal(image?.reference, status.reference)
      assert.equal(rollout?.phase, 'Complete')
    })
  t.deepEqual(
    await digestsOf(scene, names),
    names.map(() => digestOf(status.reference)),
  )
  await scene.told('app', `takes ${status.reference} instead of ${first.reference}`)
  for (const name of names)
    t.is((await scene.messages(name)).filter((message) => message.includes('rollback')).length, 0)
})

test('a bad new image is gone back from and not tried again; a newer one is taken', async (t) => {
  const scene = await makeScene(cove())
  const reference = await publish(scene, '1')
  await createImage(scene, 'app', { reference, update: { policy: 'Digest', ...rarely } })
  const first = await imageReady(scene, 'app')
  await follows(scene, ['one', 'two'])

  await publish(scene, '1', ['CMD ["sh", "-c", "echo broken; exit 3"]'])
  await check(scene)
  const { status: back } = await untilImage(scene, 'app', ({ reference: now, rejected = [] }) => {
    assert.equal(rejected.length, 1)
    assert.equal(now, first.reference)
  })
  const bad = back.rejected?.[0]
  t.is(bad?.reason, 'Exited')
  t.regex(bad?.message ?? '', /^Container .*: it ended with exit code 3/)
  t.is(bad?.back, first.reference)
  for (const name of ['one', 'two']) {
    await scene.ready(name)
    await scene.until(name, ({ image }) => assert.equal(image?.reference, first.reference))
  }
  await scene.told('app', `back to ${first.reference}`)

  const again = await check(scene)
  t.is(conditionOf(again), 'False Rejected')
  t.is(again.reference, first.reference)
  t.is(again.candidate, undefined)

  await publish(scene, '1')
  await check(scene)
  const { status: newer } = await untilImage(scene, 'app', ({ reference: now }) =>
    assert.notEqual(now, first.reference),
  )
  t.not(digestOf(newer.reference), bad?.digest)
  for (const name of ['one', 'two'])
    await scene.until(name, ({ image, rollout }) => {
      assert.equal(image?.reference, newer.reference)
      assert.equal(rollout?.phase, 'Complete')
    })
})

test('versions: the highest of the range among the tags that the filter lets through', async (t) => {
  const scene = await makeScene(cove())
  for (const tag of ['1.2.9-slim', '1.2.10-slim', '1.3.0-slim', '1.2.99']) await publish(scene, tag)
  const reference = followed(`${registry.address}/${cove().mark}/${scene.namespace}/app`)
  const update = { policy: 'SemVer', range: '~1.2', filter: '*-slim', ...rarely }
  await createImage(scene, 'app', { reference, update })
  const first = await imageReady(scene, 'app')
  t.regex(first.reference ?? '', /:1\.2\.10-slim@sha256:/)
  await follows(scene, ['web'])
  await publish(scene, '1.2.11-slim')
  await check(scene)
  await scene.until('web', ({ image }) => assert.match(image?.reference ?? '', /:1\.2\.11-slim@sha256:/))
  await scene.ready('web')
})

test('a new image waits for approval, and for its age', async (t) => {
  const scene = await makeScene(cove())
  const reference = await publish(scene, '1')
  const update = { policy: 'Digest', approval: 'Manual', ...rarely }
  await createImage(scene, 'app', { reference, update })
  const first = await imageReady(scene, 'app')
  await publish(scene, '1')
  const waiting = await check(scene)
  t.is(conditionOf(waiting), 'False WaitingForApproval')
  t.is(waiting.reference, first.reference)
  const { digest = '' } = waiting.candidate ?? {}
  await scene.patch('Image', 'app', { spec: { update: { minimumAge: '1h' } } })
  await scene.patch('Image', 'app', { metadata: { annotations: { [approvedAnnotation]: digest } } })
  await untilImage(scene, 'app', (status) => assert.equal(conditionOf(status), 'False WaitingForAge'))
  await scene.patch('Image', 'app', { spec: { update: { minimumAge: '0s' } } })
  await untilImage(scene, 'app', (status) => assert.equal(digestOf(status.reference), digest))
})

test('while the registry is away all runs on, and the condition says why', async (t) => {
  const scene = await makeScene(cove())
  const own = await startRegistry()
  const built = await scene.image('away', [good])
  const name = `${cove().mark}/${scene.namespace}/app:1`
  const reference = followed(await own.push(cove().engine, built, name))
  await createImage(scene, 'app', { reference, update: { policy: 'Digest', ...rarely } })
  const first = await imageReady(scene, 'app')
  await follows(scene, ['web'])
  await own.stop()
  const status = await check(scene)
  t.is(conditionOf(status), 'False RegistryUnavailable')
  t.is(status.reference, first.reference)
  t.truthy(status.nextCheckAt)
  t.is(findCondition(status.conditions, 'Ready')?.status, 'True')
  await scene.ready('web')
})

test('a Container says what its Image waits for, and stays what it is when that is deleted', async (t) => {
  const scene = await makeScene(cove())
  await scene.run('web', { ...follower, imageFrom: { image: 'app' } })
  t.regex(await scene.notReady('web', 'ImageNotFound'), /Image .*\/app does not exist/)
  const nowhere = `127.0.0.1:${await freePort()}/app:1`
  await createImage(scene, 'app', { reference: nowhere })
  t.regex(await scene.notReady('web', 'WaitingForImage'), /Image app has found nothing yet: /)
  await scene.patch('Image', 'app', { spec: { reference: await publish(scene, '1') } })
  const id = await scene.ready('web')
  await scene.delete('Image', 'app')
  await scene.until('web', ({ conditions }) =>
    assert.equal(findCondition(conditions, 'ImageReady')?.reason, 'ImageNotFound'),
  )
  t.is(await scene.ready('web'), id)
})

test('cove asks the registry now, lets a new image be taken, and says what runs by tag and digest', async (t) => {
  const scene = await makeScene(cove())
  const cli = async (...words: string[]) => {
    const [verb = '', ...rest] = words
    const { code, stdout, stderr } = await cove().cli([verb, ...rest, '-n', scene.namespace])
    t.is(code, 0, stderr)
    return stdout
  }
  const reference = await publish(scene, '1')
  await createImage(scene, 'app', { reference, update: { policy: 'Digest', approval: 'Manual', ...rarely } })
  const first = await imageReady(scene, 'app')
  await follows(scene, ['web'])
  t.regex(
    await cli('image', 'check', 'app'),
    /^image.cove.run\/app Newest: the registry has nothing newer than /,
  )
  await publish(scene, '1')
  t.regex(await cli('image', 'check', 'app'), /^image.cove.run\/app WaitingForApproval: /)
  t.regex(await cli('why', 'image/app'), /UpToDate is False .*WaitingForApproval/)
  t.regex(
    await cli('image', 'approve', 'app'),
    /^image.cove.run\/app approved: sha256:[0-9a-f]{64} may be taken/,
  )
  const { status } = await untilImage(scene, 'app', ({ reference: now }) =>
    assert.notEqual(now, first.reference),
  )
  await scene.until('web', ({ image }) => assert.equal(image?.reference, status.reference))
  await scene.ready('web')
  const why = await cli('why', 'web')
  t.true(why.includes('Image that of Image app'), why)
  t.true(why.includes(status.reference ?? 'none'), why)
  t.regex(await cli('describe', 'container', 'web'), new RegExp(digestOf(status.reference)))
  const { items } = JSON.parse(await cove().kubectl.ok(['get', 'pods', '-n', scene.namespace, '-o', 'json']))
  t.is(items[0].spec.containers[0].image, status.reference)
})
