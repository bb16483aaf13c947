/**
 * What lies on the disk of a server, with real processes: snapshots of one that is being written to, keys that are
 * rotated under kills, and that nothing of a Secret is anywhere in plain.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { access, appendFile, cp, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as pause } from 'node:timers/promises'
import test, { type ExecutionContext } from 'ava'
import { seededRandom } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { readAll } from '#pkg/apimachinery/transport.ts'
import { type ConfigMap, configMapKind, type Secret, secretKind } from '#pkg/apis/core.ts'
import type { Client } from '#pkg/client/rest.ts'
import { CoveServer, coveProgram, runCove } from '#test/helpers/coveserver.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { bareEnv } from '#test/helpers/processenv.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'

const never = new AbortController().signal
const namespace = 'default'

async function makeServer(t: ExecutionContext, name = 'data') {
  const home = await makeTempDir(t, 'server-data')
  const server = new CoveServer(t, { home, dataDir: join(home, name) })
  await server.start()
  const tool = (...words: string[]) => runCove(home, ['server', ...words, '--data-dir', server.dataDir])
  return { home, server, tool }
}

function createSecret(client: Client, name: string, value: string): Promise<Secret> {
  const data = { value: Buffer.from(value).toString('base64') }
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace },
    data,
  }
  return client.create(secretKind, secret, never)
}

async function secretsOf(client: Client): Promise<Record<string, string | undefined>> {
  const { items } = await client.list(secretKind, { namespace }, never)
  return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data?.['value']]))
}

/** Writes one ConfigMap after the other until it is told to stop or the server goes; returns what was acknowledged. */
function startWriter(client: Client): () => Promise<ConfigMap[]> {
  let going = true
  const acknowledged: ConfigMap[] = []
  const run = async () => {
    for (let index = 0; going; index++) {
      const metadata = { name: `written-${index}`, namespace }
      const object: ConfigMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { index: `${index}` } }
      acknowledged.push(await client.create(configMapKind, object, never))
    }
    return acknowledged
  }
  const done = run()
  return () => {
    going = false
    return done
  }
}

async function filesUnder(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true, recursive: true })
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))
}

async function watchFrom(server: CoveServer, revision: string) {
  const query = new URLSearchParams({ watch: 'true', resourceVersion: revision })
  const path = '/api/v1/configmaps'
  const response = await server.transport({
    method: 'GET',
    path,
    query,
    headers: {},
    signal: AbortSignal.timeout(5_000),
  })
  if (response.status !== 200) return JSON.parse(await readAll(response.body)).code
  for await (const chunk of response.body as AsyncIterable<Uint8Array>)
    return JSON.parse(Buffer.from(chunk).toString().split('\n')[0] ?? '').object.code
}

test.serial(
  'a snapshot of a server under load comes back as a server with all of it, and nobody waits for the past',
  async (t) => {
    t.timeout(120_000)
    const { home, server, tool } = await makeServer(t)
    const value = `the-secret-${randomBytes(12).toString('hex')}`
    await createSecret(server.client, 'one', value)
    const stop = startWriter(server.client)
    await pause(300)
    const before = await server.client.list(configMapKind, { namespace }, never)
    const file = join(home, 'cove.snapshot')
    const saved = await tool('snapshot', 'save', file)
    t.is(saved.code, 0, saved.stderr)
    t.is((await stat(file)).mode & 0o777, 0o600)
    await pause(200)
    const written = await stop()
    const last = written.at(-1)?.metadata.resourceVersion ?? ''
    t.true(written.length > before.items.length + 5, 'there were writes during and after the snapshot')

    const verified = await runCove(home, ['server', 'snapshot', 'verify', file])
    t.is(verified.code, 0, verified.stdout + verified.stderr)
    const restored = new CoveServer(t, { home, dataDir: join(home, 'restored') })
    const restoring = await runCove(home, [
      'server',
      'snapshot',
      'restore',
      file,
      '--data-dir',
      restored.dataDir,
    ])
    t.is(restoring.code, 0, restoring.stderr)
    await server.end('SIGTERM')
    await restored.start()

    const after = new Map(
      (await restored.client.list(configMapKind, { namespace }, never)).items.map((item) => [
        item.metadata.name,
        item,
      ]),
    )
    for (const item of before.items) t.deepEqual(after.get(item.metadata.name), item)
    t.true(after.size >= before.items.length && after.size < written.length)
    for (const [name, item] of after)
      t.deepEqual(
        written.find(({ metadata }) => metadata.name === name),
        item,
      )
    t.deepEqual(await secretsOf(restored.client), { one: Buffer.from(value).toString('base64') })

    for (const revision of ['1', before.resourceVersion, last])
      t.is(await watchFrom(restored, revision), 410, `a watch from ${revision} must list anew`)
    const fresh = await createSecret(restored.client, 'two', 'x')
    t.true(Number(fresh.metadata.resourceVersion) > Number(last), 'no revision is given out twice')
    await restored.end('SIGTERM')

    const places = [...(await filesUnder(home)), ...[server, restored].map((each) => each.log())]
    for (const place of places) {
      const text = place.startsWith('/') ? await readFile(place, 'latin1') : place
      for (const plain of [value, Buffer.from(value).toString('base64'), Buffer.from(value).toString('hex')])
        t.false(text.includes(plain), `${place.slice(0, 80)} holds a Secret in plain`)
    }
    const audit = await readFile(join(server.dataDir, 'audit.log'), 'utf8')
    const names = audit.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line).objectRef?.name]))
    t.true(names.includes('one') && names.includes('written-0'), 'writes are on record')
  },
)

test.serial('killed at any instant of a rotation, a server has every Secret', async (t) => {
  t.timeout(180_000)
  const { server, tool } = await makeServer(t)
  const expected: Record<string, string> = {}
  for (let index = 0; index < 300; index++) {
    const value = randomBytes(300).toString('hex')
    expected[`s${index}`] = Buffer.from(value).toString('base64')
    await createSecret(server.client, `s${index}`, value)
  }
  const keys = join(server.dataDir, 'pki/encryption.keys')
  const random = seededRandom(11)
  for (let round = 0; round < 8; round++) {
    const known = (await readFile(keys, 'utf8')).split('\n').length
    const query = new URLSearchParams()
    const request = { method: 'POST', path: '/server/keys/rotate', query, headers: {}, signal: never }
    const rotating = server.transport(request).then(
      ({ body }) => readAll(body),
      (error: unknown) => (isReason(error, 'ServiceUnavailable') ? 'broken off' : Promise.reject(error)),
    )
    // At first in the moment in which the new key is on the disk and nothing is sealed with it, then later and later.
    await eventually(
      async () => {
        if ((await readFile(keys, 'utf8')).split('\n').length <= known) throw new Error('no new key yet')
      },
      { pauseMs: 1 },
    )
    await pause(round * random.next() * 25)
    await server.end('SIGKILL')
    t.log(`round ${round}: ${(await rotating.catch(String)).slice(0, 60)}`)
    await server.start()
    t.deepEqual(await secretsOf(server.client), expected, `round ${round}`)
  }
  t.regex(
    server.log(),
    /Secrets sealed with the current key/,
    'a start went on with what a kill had broken off',
  )
  t.is((await tool('keys', 'rotate')).code, 0)
  const pruned = await tool('keys', 'prune')
  t.is(pruned.code, 0, pruned.stderr)
  t.regex(pruned.stdout, /dropped/)
  t.is((await readFile(keys, 'utf8')).trim().split('\n').length, 1)
  t.deepEqual(await secretsOf(server.client), expected)
  await server.end('SIGTERM')
  const checked = await tool('fsck')
  t.is(checked.code, 0, checked.stdout + checked.stderr)
  await server.start()
  t.deepEqual(await secretsOf(server.client), expected)
})

test.serial('killed while it saves, neither side leaves half a snapshot under its name', async (t) => {
  t.timeout(120_000)
  const { home, server, tool } = await makeServer(t)
  for (let index = 0; index < 40; index++)
    await createSecret(server.client, `s${index}`, randomBytes(20_000).toString('hex'))
  const file = join(home, 'cove.snapshot')
  t.is((await tool('snapshot', 'save', file)).code, 0)
  const random = seededRandom(5)
  for (let round = 0; round < 6; round++) {
    const words = ['server', 'snapshot', 'save', file, '--data-dir', server.dataDir]
    const env = { ...bareEnv(), HOME: home }
    const saving = spawn(process.execPath, [coveProgram, ...words], { env, stdio: 'ignore' })
    const ended = once(saving, 'exit')
    await pause(150 + random.next() * 400)
    if (round % 2 === 0) saving.kill('SIGKILL')
    else await server.end('SIGKILL')
    await ended
    if (round % 2 === 1) await server.start()
    const verified = await runCove(home, ['server', 'snapshot', 'verify', file])
    t.is(verified.code, 0, verified.stdout + verified.stderr)
  }
  await server.end('SIGTERM')
  await server.start()
  const left = (await readdir(server.dataDir)).filter((name) => name.startsWith('.snapshot'))
  t.deepEqual(left, [], 'nothing is left in the data directory')
})

test.serial('a data directory belongs to one server, and is checked only when it has none', async (t) => {
  const { home, server, tool } = await makeServer(t)
  const second = await runCove(home, ['server', '--data-dir', server.dataDir, '--listen', '127.0.0.1:1'])
  t.not(second.code, 0)
  t.regex(second.stderr, /cove\.db is used by another cove process/)
  const checked = await tool('fsck')
  t.is(checked.code, 2)
  t.regex(checked.stderr, /used by another cove process/)
  const file = join(home, 'x.snapshot')
  t.is((await tool('snapshot', 'save', file)).code, 0)
  const restored = await tool('snapshot', 'restore', file)
  t.is(restored.code, 2)
  t.regex(restored.stderr, /is not empty/)
  await server.end('SIGTERM')
  t.is((await tool('fsck')).code, 0)
  t.is((await tool('snapshot', 'save', file)).code, 0, 'without a server the tool reads the store itself')
})

test.serial(
  'fsck mends what is safe to mend, after a snapshot of how it was, and tells the rest',
  async (t) => {
    const { home, server, tool } = await makeServer(t)
    await createSecret(server.client, 'one', 'x')
    await server.end('SIGTERM')
    const store = join(server.dataDir, 'cove.db')
    const damage = (sql: string) => {
      const database = new DatabaseSync(store)
      database.exec(sql)
      database.close()
    }
    damage(`INSERT INTO keys (key) VALUES ('/registry/core/secrets/default/ghost')`)
    const found = await tool('fsck')
    t.is(found.code, 1, found.stderr)
    t.regex(
      found.stdout,
      /^store: a key without any change: \S+ghost \(repairable\)\n\d+ objects at revision \d+: 1 findings\n$/,
    )
    const mended = await tool('fsck', '--repair')
    t.is(mended.code, 0, mended.stdout + mended.stderr)
    const [snapshot = ''] = (await readdir(home)).filter((name) => name.endsWith('.snapshot'))
    t.regex(snapshot, /^data\.before-fsck-\d{8}T\d{6}\.snapshot$/)
    t.is((await tool('fsck')).code, 0)

    damage(`UPDATE log SET value = '{"cut' WHERE value LIKE 'cove:enc:%'`)
    const broken = await tool('fsck', '--repair')
    t.is(broken.code, 1)
    t.regex(broken.stdout, /^\/registry\/core\/secrets\/default\/one is not JSON\n/)
  },
)

test.serial('what cannot be restored is refused, and what a snapshot lacks is said', async (t) => {
  const { home, server, tool } = await makeServer(t)
  await createSecret(server.client, 'one', 'x')
  const file = join(home, 'x.snapshot')
  t.is((await tool('snapshot', 'save', file, '--without-keys')).code, 0)
  const verify = (path: string) => runCove(home, ['server', 'snapshot', 'verify', path])
  const good = await verify(file)
  t.is(good.code, 0, good.stdout)
  t.regex(good.stdout, /missing: the certificates[^\n]*\nmissing: the encryption keys [0-9a-f]{8}/)
  const bytes = await readFile(file)
  for (const at of [30, Math.floor(bytes.length / 2), bytes.length - 5]) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    await writeFile(`${file}.bad`, changed)
    t.is((await verify(`${file}.bad`)).code, 2, `byte ${at}`)
  }
  await writeFile(`${file}.bad`, bytes.subarray(0, -1))
  t.regex((await verify(`${file}.bad`)).stderr, /is damaged/)
  await writeFile(
    `${file}.bad`,
    bytes.toString('latin1').replace('cove-snapshot 1', 'cove-snapshot 9'),
    'latin1',
  )
  t.regex((await verify(`${file}.bad`)).stderr, /version 9; this cove knows version 1/)
  const dataDir = join(home, 'new')
  const refused = await runCove(home, ['server', 'snapshot', 'restore', `${file}.bad`, '--data-dir', dataDir])
  t.is(refused.code, 2)
  await t.throwsAsync(access(dataDir), { code: 'ENOENT' }, 'nothing is left of it')

  t.is((await runCove(home, ['server', 'snapshot', 'restore', file, '--data-dir', dataDir])).code, 0)
  await server.end('SIGTERM')
  await cp(join(server.dataDir, 'pki'), join(dataDir, 'pki'), { recursive: true })
  const restored = new CoveServer(t, { home, dataDir })
  await restored.start()
  t.deepEqual(await secretsOf(restored.client), { one: Buffer.from('x').toString('base64') })
})

test.serial('a Secret whose key is missing fails alone, by name, and is back with its key', async (t) => {
  const { server, tool } = await makeServer(t)
  await createSecret(server.client, 'old', 'x')
  await server.end('SIGTERM')
  const keys = join(server.dataDir, 'pki/encryption.keys')
  await rename(keys, `${keys}.away`)
  await server.start()
  await createSecret(server.client, 'new', 'y')
  t.deepEqual(Object.keys(await secretsOf(server.client)), ['new'])
  const message = /secrets\/default\/old is encrypted with the key "[0-9a-f]{8}"/
  await t.throwsAsync(server.client.get(secretKind, { namespace, name: 'old' }, never), { message })
  const again = await t.throwsAsync(createSecret(server.client, 'old', 'other'))
  t.true(isReason(again, 'AlreadyExists'), again?.message)
  await t.throwsAsync(server.client.delete(secretKind, { namespace, name: 'old' }, never), { message })
  t.regex(server.log(), /a Secret cannot be opened .*secrets\/default\/old/)
  await server.end('SIGTERM')
  const checked = await tool('fsck')
  t.is(checked.code, 1)
  t.regex(
    checked.stdout,
    /secrets\/default\/old is encrypted with the key "[0-9a-f]{8}" and this server does not have/,
  )
  await appendFile(keys, await readFile(`${keys}.away`))
  await server.start()
  t.deepEqual(Object.keys(await secretsOf(server.client)), ['new', 'old'])
})

test.serial(
  'only an administrator may ask the server for its keys, and who tries is on record',
  async (t) => {
    const { server } = await makeServer(t)
    const ask = async (
      method: string,
      path: string,
      headers: Record<string, string> = {},
      transport = server.transport,
    ) => {
      const { status, body } = await transport({
        method,
        path,
        query: new URLSearchParams(),
        headers,
        signal: never,
      })
      await readAll(body)
      return status
    }
    const as = { 'impersonate-user': 'mallory' }
    t.is(await ask('POST', '/server/snapshot', as), 403)
    t.is(await ask('GET', '/server/keys', as), 403)
    const stranger = server.withToken('not-a-token-of-ours')
    t.is(await ask('GET', '/server/keys', {}, stranger), 401)
    stranger.close()
    t.is(await ask('GET', '/server/keys/rotate'), 405)
    t.is(await ask('GET', '/server/keys'), 200)
    await server.end('SIGTERM')
    const path = join(server.dataDir, 'audit.log')
    t.is((await stat(path)).mode & 0o777, 0o600)
    const text = await readFile(path, 'utf8')
    t.false(text.includes('not-a-token-of-ours'))
    const events = text.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
    const seen = events
      .filter(({ requestURI }) => requestURI.startsWith('/server/'))
      .map(({ impersonatedUser, responseStatus }) => [impersonatedUser?.username, responseStatus.code])
    t.deepEqual(seen, [
      ['mallory', 403],
      ['mallory', 403],
      [undefined, 401],
      [undefined, 405],
      [undefined, 200],
    ])
  },
)
