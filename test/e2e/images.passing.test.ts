/**
 * Images on their way through the server, by the tunnel of a node that is apart: archives in both directions as they
 * come, progress while they do, and nothing of a password where others read.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { encodeRegistryAuth } from '#pkg/apis/registryauth.ts'
import { decode, sharedCove, type TestCove } from '#test/helpers/cove.ts'
import { baseImage, ensureBaseImage } from '#test/helpers/engine.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { tar } from '#test/helpers/tar.ts'

const never = new AbortController().signal
const cove = sharedCove(test, { apart: true })
const below = ({ nodeName }: TestCove, path: string) => `/apis/cove.run/v1/nodes/${nodeName}/${path}`

test.beforeEach(async () => {
  await ensureBaseImage(cove().engine)
  const look = () => cove().client.json({ method: 'GET', path: below(cove(), 'images') }, never)
  await eventually(async () => void (await look()), { timeoutMs: 30_000, what: 'the node' })
})

async function lines(body: Parameters<typeof readAll>[0]): Promise<unknown[]> {
  const text = await readAll(body)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
}

const post = (path: string, more: Partial<Parameters<TestCove['client']['stream']>[0]> = {}) =>
  cove().client.stream({ method: 'POST', path: below(cove(), path), ...more }, never)

test('what is saved is what is loaded, over a name that was taken away', async (t) => {
  const name = `passing-${cove().mark}:1`
  const query = { image: baseImage, reference: name }
  await cove().client.json({ method: 'POST', path: below(cove(), 'images/tag'), query }, never)
  const save = () =>
    cove().client.stream({ method: 'GET', path: below(cove(), 'images/save'), query: { image: name } }, never)
  const { body } = await save()
  assert.ok(typeof body !== 'string' && !(body instanceof Uint8Array))
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(Buffer.from(chunk as Uint8Array))
  await cove().client.json({ method: 'DELETE', path: below(cove(), 'images'), query: { image: name } }, never)
  t.is((await cove().raw.request('GET', `/images/${name}/json`)).status, 404)
  const whole = Buffer.concat(chunks)
  const pieces = async function* () {
    for (let at = 0; at < whole.length; at += 100_000) yield whole.subarray(at, at + 100_000)
  }
  const told = await lines((await post('images/load', { input: pieces() })).body)
  t.deepEqual(decode(told.at(-1)).done.references, [name])
  t.is((await cove().raw.request('GET', `/images/${name}/json`)).status, 200)
})

test('a large archive of files is imported as it comes', async (t) => {
  const name = `large-${cove().mark}:1`
  const times = 40
  const data = Buffer.alloc(8 * 1024 ** 2)
  const pieces = async function* () {
    for (let count = 0; count < times; count++)
      yield tar([{ name: `zeros-${count}`, mode: 0o644, data }]).subarray(0, -1024)
    yield Buffer.alloc(1024)
  }
  const before = Date.now()
  const { body } = await post('images/import', { query: { reference: name }, input: pieces() })
  t.regex(decode(JSON.parse(await readAll(body))).id, /^sha256:/)
  t.log(`${Math.round((times * 8) / ((Date.now() - before) / 1000))} MiB/s`)
})

test('an archive that is broken off leaves no image, and the server goes on', async (t) => {
  const name = `broken-${cove().mark}:1`
  const content = tar([{ name: 'file', mode: 0o644, data: Buffer.alloc(4 * 1024 ** 2) }])
  const broken = async function* () {
    yield content.subarray(0, content.length / 2)
    throw new Error('the disk is gone')
  }
  await t.throwsAsync(post('images/import', { query: { reference: name }, input: broken() }))
  t.is((await cove().raw.request('GET', `/images/${name}/json`)).status, 404)
  const disk = decode(await cove().client.json({ method: 'GET', path: below(cove(), 'disk') }, never))
  t.is(disk.kind, 'NodeDisk')
})

test('a password that goes along is neither on the audit log nor on any other', async (t) => {
  const password = createHash('sha256').update(cove().mark).digest('hex')
  const login = encodeRegistryAuth({ username: 'ci', password })
  const headers = { 'x-registry-auth': login }
  const query = { reference: `127.0.0.1:1/private-${cove().mark}:1` }
  const told = await lines((await post('images/pull', { query, headers })).body)
  t.truthy(decode(told.at(-1)).error)
  const read = () => readFile(join(cove().dataDir, 'audit.log'), 'utf8')
  await eventually(async () => assert.match(await read(), /images\/pull/), { what: 'the audit log' })
  const audit = await read()
  for (const text of [audit, cove().log()]) {
    t.false(text.includes(password))
    t.false(text.includes(login))
  }
})

test('what a node does not know, and a node that nobody knows, is answered with its code', async (t) => {
  const fails = async (path: string, method = 'GET') =>
    await t.throwsAsync(cove().client.json({ method, path: `/apis/cove.run/v1/nodes/${path}` }, never))
  const { nodeName } = cove()
  t.true(isReason(await fails('nobody/images'), 'NotFound'))
  t.true(isReason(await fails(`${nodeName}/images/details?image=none`.replace('?', '%3F')), 'NotFound'))
  t.true(isReason(await fails(`${nodeName}/images`, 'PUT'), 'MethodNotAllowed'))
  t.true(isReason(await fails(`${nodeName}/images/details`), 'BadRequest'))
})
