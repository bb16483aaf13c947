/** Uploads over the real socket: who may, what is answered, and what becomes of what nothing names. */
import { deepEqual } from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { ask, type Client } from '#test/helpers/https.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { keptForMs } from './data/uploads.collect.ts'
import { Uploads } from './data/uploads.ts'
import { serve } from './serve.ts'

const base = '/apis/cove.run/v1/namespaces/default'
const content = Buffer.alloc(5 * 1024 ** 2, 'a')
const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`
const path = `${base}/uploads/${digest}`

interface World {
  readonly admin: Client
  readonly stranger: Client
  readonly clock: ManualClock
  readonly files: () => Promise<string[]>
}

async function start(t: ExecutionContext): Promise<World> {
  const dataDir = await makeTempDir(t, 'uploading')
  const clock = new ManualClock(Date.now())
  const ambient = { clock, random: seededRandom(5), log: silentLogger }
  const storage = openInProcessStorage()
  t.teardown(() => storage.close())
  const serving = await serve({
    storage,
    ambient,
    pkiDir: join(dataDir, 'pki'),
    host: '127.0.0.1',
    port: 0,
    hosts: [],
    build: { version: '0.1.0', platform: 'linux/amd64' },
    uploads: await Uploads.open({ dataDir, maxBytes: 8 * 1024 ** 2, ...ambient }),
  })
  t.teardown(() => serving.close())
  const stranger = { port: Number(new URL(serving.url).port), ca: serving.pki.ca.cert }
  return {
    stranger,
    clock,
    admin: { ...stranger, identity: serving.pki.admin },
    files: () => readdir(join(dataDir, 'uploads'), { recursive: true }),
  }
}

const put = (client: Client, target = path, body: Uint8Array = content) =>
  ask(client, target, { method: 'PUT', body })

test('a file is taken once, and given back as it was', async (t) => {
  const { admin, stranger } = await start(t)
  t.is((await put(stranger)).status, 403)
  t.is((await ask(admin, path, { method: 'HEAD' })).status, 404)
  t.is((await put(admin)).status, 201)
  t.is((await put(admin)).status, 200)
  const head = await ask(admin, path, { method: 'HEAD' })
  t.is(head.status, 200)
  t.is(head.headers['content-length'], String(content.length))
  const got = await ask(admin, path)
  t.true(got.body.equals(content))
})

test('what cannot be taken is refused with a reason', async (t) => {
  const { admin, files } = await start(t)
  const other = `sha256:${'0'.repeat(64)}`
  const refusal = async (target: string, body?: Uint8Array) => {
    const answer = await put(admin, target, body)
    return `${answer.status} ${JSON.parse(String(answer.body)).message}`
  }
  t.regex(await refusal(`${base}/uploads/${other}`), /^400 the digest of what came is sha256:/)
  t.regex(await refusal(`${base}/uploads/latest`), /^400 "latest" is no digest/)
  t.regex(await refusal(path.replace('default', 'nowhere')), /^404 namespaces "nowhere" not found/)
  t.regex(await refusal(path, Buffer.alloc(9 * 1024 ** 2)), /^413 .*--max-upload/)
  t.is((await ask(admin, path, { method: 'DELETE' })).status, 405)
  deepEqual(
    (await files()).filter((name) => name !== 'default'),
    [],
  )
})

test('an object says no path to a file that only its author has', async (t) => {
  const { admin } = await start(t)
  const source = { archive: { path: './app.tar' } }
  const body = JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name: 'app' },
    spec: { reference: 'app:1', source },
  })
  const headers = { 'content-type': 'application/json' }
  const answer = await ask(admin, `${base}/images`, { method: 'POST', headers, body })
  t.is(answer.status, 422)
  t.regex(String(answer.body), /spec\.source\.archive\.path: is for `cove apply`, which uploads/)
})

test('what no object names goes after an hour, what one names stays', async (t) => {
  const { admin, clock, files } = await start(t)
  const named = Buffer.from('named')
  const namedDigest = `sha256:${createHash('sha256').update(named).digest('hex')}`
  t.is((await put(admin)).status, 201)
  t.is((await put(admin, `${base}/uploads/${namedDigest}`, named)).status, 201)
  const body = JSON.stringify({
    apiVersion: 'cove.run/v1',
    kind: 'Image',
    metadata: { name: 'app' },
    spec: { reference: 'app:1', source: { archive: { upload: namedDigest } } },
  })
  const headers = { 'content-type': 'application/json' }
  t.is((await ask(admin, `${base}/images`, { method: 'POST', headers, body })).status, 201)
  const [hex, namedHex] = [digest, namedDigest].map((each) => `default/${each.slice(7)}`)
  const left = async () => (await files()).filter((name) => name.includes('/')).toSorted()
  await clock.advance(keptForMs / 2)
  t.deepEqual(await left(), [hex, namedHex].toSorted())
  await eventually(async () => {
    await clock.advance(600_000)
    deepEqual(await left(), [namedHex])
  })
  await ask(admin, `${base}/images/app`, { method: 'DELETE' })
  await eventually(async () => {
    await clock.advance(600_000)
    deepEqual(await left(), [])
  })
})
