/**
 * Bad input through the whole product: what is wrong is in a condition with a reason, soon, and in what the CLI says; nothing
 * half gets a name; what runs goes on running, from the image that it has.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { findCondition } from '#pkg/apimachinery/meta.ts'
import { checkAnnotation } from '#pkg/apis/wellknown.ts'
import { type Misdeed, startSpoiledRegistry, wholeMisdeeds } from '#test/helpers/badregistry.ts'
import { sharedCove } from '#test/helpers/cove.ts'
import { baseImage } from '#test/helpers/engine.ts'
import { editArchive, layerPaths } from '#test/helpers/imagearchive.ts'
import {
  createImage,
  engineImage,
  exported,
  imageFails,
  imageReady,
  pushed,
  saved,
  tagAs,
  untag,
  untilImage,
} from '#test/helpers/images.ts'
import { startRegistry, type TestRegistry } from '#test/helpers/registry.ts'
import { makeScene, type Scene } from '#test/helpers/scene.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const cove = sharedCove(test, { agentWords: ['--image-pull-progress-deadline', '3s'] })
const running: { registry?: TestRegistry } = {}

test.before(async () => {
  running.registry = await startRegistry()
})

test.after.always(async () => {
  await running.registry?.stop()
})

function good(): TestRegistry {
  if (running.registry === undefined) throw new Error('no registry')
  return running.registry
}

interface Expected {
  readonly reason: string
  readonly words: RegExp
}

const nonsense = { reason: 'RegistryUnavailable', words: /does not speak as a registry/ }
const unauthorized = { reason: 'RegistryUnauthorized', words: /see `cove login`/ }
const damaged = { reason: 'RegistryUnavailable', words: /nothing of it is used/ }

const registries: Readonly<Record<Misdeed, Expected>> = {
  garbage: nonsense,
  loop: nonsense,
  busy: { reason: 'RegistryRateLimited', words: /slow down/ },
  denied: unauthorized,
  forbidden: unauthorized,
  missing: { reason: 'ImageNotFound', words: /manifest unknown/ },
  broken: { reason: 'RegistryUnavailable', words: /500/ },
  reset: { reason: 'RegistryUnavailable', words: /EOF|reset/ },
  lying: damaged,
  hanging: { reason: 'RegistryUnavailable', words: /nothing came for 3s/ },
  silent: { reason: 'RegistryUnavailable', words: /nothing came for 3s/ },
  forged: nonsense,
  'without sense in its tokens': nonsense,
  'not content with its own tokens': unauthorized,
}

for (const misdeed of Object.keys(wholeMisdeeds) as Misdeed[]) {
  test(`a registry becomes ${misdeed}: who asks is told, and what runs goes on`, async (t) => {
    t.timeout(120_000)
    const scene = await makeScene(cove())
    const registry = await startSpoiledRegistry(t, good().address)
    const own = await pushed(scene, good(), `${misdeed.replaceAll(' ', '-')}/app:1`, ['a'])
    const image = own.replace(good().address, registry.address)
    const tagged = (name: string) => image.replace('app:1', `${name}:1`)
    const update = { policy: 'Digest', schedule: '0 0 1 1 *' }
    await createImage(scene, 'app', { reference: image, update })
    await createImage(scene, 'always', { reference: image, pullPolicy: 'Always' })
    const { id } = await imageReady(scene, 'app')
    await imageReady(scene, 'always')
    const web = await scene.running('web', { image: undefined, imageFrom: { image: 'app' } })
    registry.spoil(misdeed)

    const { reason, words } = registries[misdeed]
    await scene.patch('Image', 'app', { metadata: { annotations: { [checkAnnotation]: 'now' } } })
    await scene.patch('Image', 'always', { spec: { tags: [tagged('also')] } })
    await createImage(scene, 'fresh', { reference: tagged('fresh') })
    await scene.run('plain', { image: tagged('plain') })
    const { code, stderr } = await cove().cli(['image', 'pull', tagged('cli')])
    t.is(code, 1)
    t.regex(stderr, new RegExp(`Error from server \\(${reason}\\)`))
    t.regex(stderr, words)
    t.regex(await imageFails(scene, 'fresh', reason), words)
    await scene.until('plain', ({ conditions }) => {
      const ready = findCondition(conditions, 'Ready')
      assert.equal(ready?.reason, reason)
      assert.match(ready?.message ?? '', words)
    })
    for (const name of ['fresh', 'plain', 'cli'])
      t.is(await engineImage(scene, tagged(name)), undefined, name)

    await scene.call('POST', `/containers/${web}/kill`)
    await scene.until('web', ({ restartCount }) => assert.ok((restartCount ?? 0) > 0))
    await scene.sees(web, { State: { Status: 'running' } })
    t.is((await engineImage(scene, image))?.Id, id)
    const { status } = await untilImage(scene, 'always', ({ names }) =>
      assert.deepEqual(names, [tagged('also'), image].sort()),
    )
    t.is(findCondition(status.conditions, 'Ready')?.status, 'True')
  })
}

test('a registry that is good again is believed again', async (t) => {
  const scene = await makeScene(cove())
  const registry = await startSpoiledRegistry(t, good().address)
  const image = (await pushed(scene, good(), 'again:1', ['a'])).replace(good().address, registry.address)
  registry.spoil('garbage')
  await createImage(scene, 'app', { reference: image })
  await imageFails(scene, 'app', 'RegistryUnavailable')
  registry.spoil(undefined)
  t.is((await imageReady(scene, 'app')).resolved, image)
})

const words = [
  'UPPER:1',
  'app:',
  'app:a b',
  'app@sha256:12',
  `app@md5:${'a'.repeat(32)}`,
  `app@sha256:${'A'.repeat(64)}`,
  '../app',
  'http://reg.example/app',
  'reg.example:port/app',
  `app:${'x'.repeat(129)}`,
  'a'.repeat(64),
  'app\u0000',
  '',
]

test('what is no reference or digest is refused at the door, with the field that it is in', async (t) => {
  const scene = await makeScene(cove())
  for (const [index, reference] of words.entries()) {
    const say = JSON.stringify(reference)
    const image = await t.throwsAsync(createImage(scene, `i${index}`, { reference }), undefined, say)
    t.regex(image?.message ?? '', /spec\.reference/, say)
    const container = await t.throwsAsync(scene.run(`c${index}`, { image: reference }), undefined, say)
    t.regex(container?.message ?? '', /spec\.image/, say)
    const spec = { reference: 'app:1', tags: [reference] }
    t.regex((await t.throwsAsync(createImage(scene, `t${index}`, spec)))?.message ?? '', /spec\.tags/, say)
    if (reference === '' || reference.includes('\0')) continue
    const { code, stderr } = await cove().cli(['image', 'pull', reference])
    t.true(code === 1 || code === 2, `${say}: ${code}`)
    t.regex(stderr, /^error: /m, say)
  }
})

interface Archives {
  readonly reference: string
  readonly bad: Readonly<Record<string, { readonly bytes: Uint8Array; readonly words: RegExp }>>
}

async function archives(scene: Scene): Promise<Archives> {
  const reference = await scene.image('it', [`RUN ["/bin/sh", "-c", "echo ${scene.namespace} > /it"]`])
  const whole = await saved(scene, reference)
  await untag(scene, reference)
  const last = (await layerPaths(whole)).at(-1)
  const spoil = (data: Buffer) => Buffer.concat([data.subarray(0, 600), Buffer.from('!'), data.subarray(601)])
  await scene.running('files')
  const files = await exported(scene, scene.engineName('files'))
  const half = (bytes: Uint8Array) => bytes.subarray(0, Math.floor(bytes.length / 2))
  return {
    reference,
    bad: {
      truncated: { bytes: half(whole), words: /breaks off/ },
      'truncated and compressed': { bytes: half(gzipSync(whole)), words: /breaks off/ },
      'no archive': { bytes: Buffer.from('<html>not found</html>'.repeat(100)), words: /no tar archive/ },
      empty: { bytes: new Uint8Array(), words: /empty/ },
      'of zeros': { bytes: new Uint8Array(10_240), words: /holds no image/ },
      'of another layer': {
        bytes: await editArchive(whole, (name, data) => (name === last ? spoil(data) : data)),
        words: /holds a layer that is not what it says/,
      },
      'without a layer': {
        bytes: await editArchive(whole, (name, data) => (name === last ? undefined : data)),
        words: /lacks a part/,
      },
      'with a list that is none': {
        bytes: await editArchive(whole, (name, data) => (name === 'manifest.json' ? Buffer.from('x') : data)),
        words: /cannot be read/,
      },
      'of a container': { bytes: files, words: /docker export|source\.rootfs/ },
    },
  }
}

test('no bad archive gets the name, from whichever way it comes', async (t) => {
  t.timeout(180_000)
  const scene = await makeScene(cove())
  const { reference, bad } = await archives(scene)
  const dir = await makeTempDir(t, 'archives')
  await tagAs(scene, baseImage, reference)
  const before = (await engineImage(scene, reference)).Id
  const { base } = await serve(t, (request, response) => {
    const name = decodeURIComponent((request.url ?? '/').slice(1))
    response.end(bad[name]?.bytes)
  })
  const failed: string[] = []
  for (const [name, { bytes, words: expected }] of Object.entries(bad)) {
    const file = join(dir, 'archive')
    await writeFile(file, bytes)
    const loaded = await cove().cli(['image', 'load', '-i', file])
    if (loaded.code !== 1 || !expected.test(loaded.stderr)) failed.push(`${name} loaded: ${loaded.stderr}`)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const upload = `sha256:${sha256}`
    const ways = {
      url: { url: `${base}/${encodeURIComponent(name)}` },
      'verified url': { url: `${base}/${encodeURIComponent(name)}`, sha256 },
      ...(bytes.length > 0 && { upload: { upload } }),
    }
    if (bytes.length > 0) await put(scene, upload, bytes)
    for (const [way, archive] of Object.entries(ways)) {
      const object = `${name} ${way}`.replaceAll(' ', '-')
      await createImage(scene, object, { reference, source: { archive }, deletionPolicy: 'Orphan' })
      const message = await imageFails(scene, object, 'InvalidSpec').catch(String)
      if (!expected.test(message)) failed.push(`${object}: ${message}`)
      assert.equal((await engineImage(scene, reference))?.Id, before, object)
      await scene.delete('Image', object)
      await scene.gone('Image', object)
    }
  }
  t.deepEqual(failed, [])
})

interface Server {
  readonly answer: (response: ServerResponse, path: string) => unknown
  readonly words: RegExp
  readonly reason?: string
}

const half = (response: ServerResponse) => {
  response.writeHead(200, { 'content-length': 1_000_000 })
  response.write(Buffer.alloc(1000), () => response.destroy())
}

const servers: Readonly<Record<string, Server>> = {
  garbage: {
    answer: (response) => response.end('<html>welcome</html>'.repeat(100)),
    words: /no tar archive/,
    reason: 'InvalidSpec',
  },
  'redirects in a loop': {
    answer: (response, path) => response.writeHead(302, { location: path }).end(),
    words: /redirects more than 5 times/,
  },
  'redirects to a file': {
    answer: (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
    words: /no web address/,
  },
  resets: { answer: (response) => response.destroy(), words: /cannot be fetched: socket hang up/ },
  'breaks off': { answer: half, words: /cannot be fetched: aborted/ },
  'is no HTTP': { answer: (response) => response.socket?.end('hello\r\n\r\n'), words: /cannot be fetched/ },
  'wants a password': { answer: (response) => response.writeHead(401).end(), words: /answers 401/ },
  'forbids it': { answer: (response) => response.writeHead(403).end(), words: /answers 403/ },
  'has nothing': { answer: (response) => response.writeHead(404).end(), words: /answers 404/ },
  'wants to be left alone': {
    answer: (response) => response.writeHead(429, { 'retry-after': '7' }).end(),
    words: /answers 429/,
  },
  fails: { answer: (response) => response.writeHead(500).end(), words: /answers 500/ },
  'sends a part': {
    answer: (response) => response.writeHead(206).end('x'),
    words: /answers 206/,
  },
}

test('servers of files that misbehave: the image that has the name keeps it, and its container runs on', async (t) => {
  t.timeout(120_000)
  const scene = await makeScene(cove())
  const reference = await scene.image('old', ['LABEL old=1'])
  const { Id: before } = await engineImage(scene, reference)
  const web = await scene.running('web', { image: reference })
  const { base } = await serve(t, (request, response) => {
    const path = request.url ?? '/'
    servers[decodeURIComponent(path.slice(1))]?.answer(response, path)
  })
  const failed: string[] = []
  for (const [name, { words: expected, reason = 'SourceUnavailable' }] of Object.entries(servers)) {
    const url = `${base}/${encodeURIComponent(name)}`
    for (const [kind, source] of Object.entries({
      archive: { archive: { url } },
      rootfs: { rootfs: { url } },
    })) {
      const object = `${name}-${kind}`.toLowerCase().replaceAll(' ', '-')
      await createImage(scene, object, { reference, source, deletionPolicy: 'Orphan' })
      const message = await imageFails(scene, object, reason).catch(String)
      if (!expected.test(message)) failed.push(`${object}: ${message}`)
      if ((await engineImage(scene, reference))?.Id !== before) failed.push(`${object} has taken the name`)
      await scene.delete('Image', object)
      await scene.gone('Image', object)
    }
  }
  t.deepEqual(failed, [])
  t.is(await scene.ready('web'), web)
})

test('files that break off make no image of them', async (t) => {
  const scene = await makeScene(cove())
  await scene.running('files')
  const whole = await exported(scene, scene.engineName('files'))
  const dir = await makeTempDir(t, 'files')
  const cut = whole.subarray(0, Math.floor(whole.length / 2) + 100)
  for (const [name, bytes] of Object.entries({
    cut,
    packed: gzipSync(whole).subarray(0, 5000),
    text: 'text',
  })) {
    const reference = `cove-test/${cove().mark}-files-${name}:1`
    const file = join(dir, name)
    await writeFile(file, bytes)
    const { code, stderr } = await cove().cli(['image', 'import', file, reference])
    t.is(code, 1, name)
    t.regex(stderr, /Error from server \(InvalidSpec\): the archive/, name)
    t.is(await engineImage(scene, reference), undefined, name)
  }
})

async function put(scene: Scene, upload: string, bytes: Uint8Array): Promise<void> {
  const path = `/apis/cove.run/v1/namespaces/${scene.namespace}/uploads/${upload}`
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) }
  const input = Readable.from([bytes])
  await cove().client.stream({ method: 'PUT', path, headers, input }, new AbortController().signal)
}

async function serve(t: ExecutionContext, listener: RequestListener): Promise<{ base: string }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { base: `http://127.0.0.1:${address.port}` }
}
