import test from 'ava'
import { ManualClock } from '#pkg/apimachinery/ambient.ts'
import { type ApiRequest, readAll } from '#pkg/apimachinery/transport.ts'
import {
  decodeHistory,
  decodeNodeDisk,
  decodeNodeImages,
  decodeRemoved,
  decodeTransferLine,
} from '#pkg/apis/looks.images.ts'
import { encodeRegistryAuth, registryAuthHeader } from '#pkg/apis/registryauth.ts'
import { SimEngine } from '#pkg/engine/sim.ts'
import { clusterID, container, world } from '#test/helpers/world.ts'
import { ownedBy } from '../owned.ts'
import { resolve } from '../resolve.ts'
import { streamsHandler } from '../streams.ts'
import type { Offered } from './credentials.ts'

const signal = new AbortController().signal
const registry = 'registry.example.com:5000'
const account = { username: 'ci', password: 'secret' }

/** A node that runs Container web of app:1, and holds lib:1 besides. */
async function serve(offered: Offered = { found: [], troubles: [] }) {
  const clock = new ManualClock()
  const engine = new SimEngine({ clock })
  for (const name of ['app:1', 'lib:1', `${registry}/shop:1`, `${registry}/shop:2`]) engine.registry.set(name)
  for (const name of ['app:1', 'lib:1']) await engine.pullImage(name, { signal })
  engine.registry.protect(registry, account)
  const resolved = resolve({ container: container('web', { command: ['run'] }), ...world() })
  if ('missing' in resolved) throw new Error(resolved.missing.message)
  await engine.createContainer(resolved.create)
  await engine.startContainer('web')
  const handler = streamsHandler({
    engine,
    clock,
    nodeName: 'n1',
    ownerOf: (found) => ownedBy(found, { clusterID, containers: [], statuses: new Map() }),
    lastUsedOf: (image) => (image === appID ? '2026-01-01T00:00:00Z' : undefined),
    credentialsOf: async () => offered,
  })
  const appID = (await engine.imageDetails('app:1'))?.id
  const ask = async (line: string, more: Partial<ApiRequest> = {}) => {
    const [method = '', target = ''] = line.split(' ')
    const [path = '', query = ''] = target.split('?')
    const request = { method, path, query: new URLSearchParams(query), headers: {}, signal, ...more }
    const answer = await handler(request, { name: 'server', groups: [] })
    return { ...answer, text: await readAll(answer.body) }
  }
  const ok = async (line: string, more: Partial<ApiRequest> = {}): Promise<unknown> => {
    const { status, text } = await ask(line, more)
    if (status !== 200) throw new Error(`${line}: ${status} ${text}`)
    return JSON.parse(text)
  }
  /** The last line of a transfer. */
  const transfer = async (line: string, more: Partial<ApiRequest> = {}) => {
    const lines = (await ask(line, more)).text.trimEnd().split('\n')
    return { end: decodeTransferLine(JSON.parse(lines.at(-1) ?? '')) }
  }
  return { engine, ask, ok, transfer }
}

test('images are told with who uses them, and when they were last used', async (t) => {
  const { ok } = await serve()
  const images = decodeNodeImages(await ok('GET /images'))
  const found = images.map(({ references, containers, lastUsedAt }) => [
    references[0],
    containers,
    lastUsedAt,
  ])
  const owner = { type: 'Container', namespace: 'default', name: 'web' }
  t.deepEqual(found, [
    ['app:1', [{ name: 'web', state: 'running', owner }], '2026-01-01T00:00:00Z'],
    ['lib:1', [], undefined],
  ])
})

test('an image is looked at by any word that means it', async (t) => {
  const { ok, engine } = await serve()
  const id = (await engine.imageDetails('lib:1'))?.id ?? ''
  for (const word of ['lib:1', id, id.slice('sha256:'.length, 20)]) {
    const details = (await ok(`GET /images/details?image=${word}`)) as { id: string }
    t.is(details.id, id)
    t.true(decodeHistory(await ok(`GET /images/history?image=${word}`)).length > 0)
    t.truthy(await ok(`GET /images/raw?image=${word}`))
  }
})

test('what is no request is refused before anything is done', async (t) => {
  const { ask } = await serve()
  const refused: Readonly<Record<string, readonly [number, RegExp]>> = {
    'GET /images/details': [400, /image: is required/],
    'GET /images/details?image=none': [404, /No such image: none/],
    'POST /images/tag?image=lib:1': [400, /reference: is required/],
    'POST /images/tag?image=lib:1&reference=UPPER': [400, /must be lower case/],
    [`POST /images/tag?image=lib:1&reference=x@sha256:${'0'.repeat(64)}`]: [400, /a digest is no name/],
    'POST /images/pull': [400, /reference: is required/],
    'POST /images/pull?reference=a//b': [400, /reference: /],
    'POST /images/push?reference=none:1': [404, /No such image/],
    'GET /images/save': [400, /image: is required/],
    'POST /images/load': [400, /the archive is missing/],
    'DELETE /images?image=none': [404, /No such image/],
  }
  for (const [line, [status, message]] of Object.entries(refused)) {
    const answer = await ask(line)
    t.is(answer.status, status, line)
    t.regex(answer.text, message)
    t.is(JSON.parse(answer.text).kind, 'Status')
  }
})

test('a name goes by itself, and an image with its last one; who uses one that stays is told', async (t) => {
  const { ask, ok } = await serve()
  await ok('POST /images/tag?image=lib:1&reference=other/lib')
  const several = await ask(`DELETE /images?image=${decodeNodeImages(await ok('GET /images'))[1]?.id}`)
  t.is(several.status, 409)
  t.regex(several.text, /has several names: .*other\/lib:latest.*--force/)
  const { untagged, deleted } = decodeRemoved(await ok('DELETE /images?image=lib:1'))
  t.deepEqual([untagged[0], deleted], ['lib:1', []])
  t.true(decodeRemoved(await ok('DELETE /images?image=other/lib')).deleted.length > 0)
  const used = await ask('DELETE /images?image=app:1')
  t.is(used.status, 409)
  t.regex(used.text, /image app:1 is used by container default\/web \(running\)/)
})

test('a pull tells how far it is and how it ended, with the credentials that came along', async (t) => {
  const { transfer } = await serve()
  const line = `POST /images/pull?reference=${registry}/shop:1`
  const refused = await transfer(line)
  t.true('error' in refused.end && refused.end.error.reason === 'RegistryUnauthorized')
  const headers = { [registryAuthHeader]: encodeRegistryAuth(account) }
  const { end } = await transfer(line, { headers })
  t.true('done' in end)
  if (!('done' in end)) return
  t.deepEqual([end.done.changed, end.done.references], [true, [`${registry}/shop:1`]])
  t.regex(end.done.digest ?? '', /^sha256:/)
  const again = await transfer(line, { headers })
  t.true('done' in again.end && again.end.done.changed === false)
})

test('without any along, the node shows its own credentials', async (t) => {
  const { transfer } = await serve({ found: [{ from: 'Secret a/b', credentials: account }], troubles: [] })
  const { end } = await transfer(`POST /images/pull?reference=${registry}/shop&allTags=true`)
  t.true('done' in end && end.done.references?.length === 2)
  const pushed = await transfer(`POST /images/push?reference=${registry}/shop:1`)
  t.true('done' in pushed.end && pushed.end.done.digest !== undefined)
})

test('a header that is no login is refused without being repeated', async (t) => {
  const { ask } = await serve()
  const headers = { [registryAuthHeader]: 'c2VjcmV0' }
  const { status, text } = await ask('POST /images/pull?reference=lib:1', { headers })
  t.is(status, 400)
  t.notRegex(text, /secret|c2Vj/)
})

test('what was saved is loaded as it was', async (t) => {
  const { ask, ok, transfer } = await serve()
  const saved = await ask('GET /images/save?image=lib:1')
  t.is(saved.headers['content-type'], 'application/x-tar')
  const [, before] = decodeNodeImages(await ok('GET /images'))
  await ok('DELETE /images?image=lib:1')
  const { end } = await transfer('POST /images/load', { body: Buffer.from(saved.text, 'utf8') })
  t.deepEqual('done' in end && end.done.references, ['lib:1'])
  t.is(
    decodeNodeImages(await ok('GET /images')).find(({ references }) => references[0] === 'lib:1')?.id,
    before?.id,
  )
  const broken = await transfer('POST /images/load', { body: 'this is no archive' })
  t.true('error' in broken.end && broken.end.error.reason === 'InvalidSpec')
})

test('the disk is told with whose things are', async (t) => {
  const { ok } = await serve()
  const disk = decodeNodeDisk(await ok('GET /disk'))
  t.is(disk.images.length, 2)
  t.deepEqual(disk.containers[0]?.owner, { type: 'Container', namespace: 'default', name: 'web' })
})
