import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Ambient, ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { openInProcessStorage } from '#pkg/storage/inprocess.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { readKeys, SecretStore } from './secretstore.ts'

const ambient: Ambient = { clock: new ManualClock(), random: seededRandom(1), log: silentLogger }
const secret = '/registry/core/secrets/default/a'

async function open(t: ExecutionContext) {
  const dir = await makeTempDir(t, 'secretstore')
  const raw = openInProcessStorage({ path: join(dir, 'cove.db') })
  t.teardown(() => raw.close())
  const path = join(dir, 'encryption.keys')
  const again = () => SecretStore.open({ storage: raw, path, ambient })
  return { raw, path, again, store: await again() }
}

test('the first start makes a key that only its owner may read, and later ones keep it', async (t) => {
  const { path, again, store } = await open(t)
  t.is((await stat(path)).mode & 0o777, 0o600)
  const text = await readFile(path, 'utf8')
  await store.storage.create(secret, '{"one":1}')
  t.is((await (await again()).storage.get(secret))?.value, '{"one":1}')
  t.is(await readFile(path, 'utf8'), text)
})

test('a rotation leaves every value readable and sealed with the new key; then the old one may go', async (t) => {
  const { raw, path, again, store } = await open(t)
  for (let index = 0; index < 1200; index++) await store.storage.create(`${secret}${index}`, `{"n":${index}}`)
  const { key, rewritten, unreadable } = await store.rotate()
  t.deepEqual([rewritten, unreadable], [1200, []])
  t.deepEqual(
    (await store.list()).map(({ id, values }) => [id === key, values]),
    [
      [true, 1200],
      [false, 0],
    ],
  )
  const { dropped } = await store.prune()
  t.is(dropped.length, 1)
  t.is((await readKeys(path))?.length, 1)
  t.is((await (await again()).storage.get(`${secret}77`))?.value, '{"n":77}')
  t.true((await raw.get(`${secret}77`))?.value.includes(key))
})

test('a key that a value needs stays, whatever else needs nothing', async (t) => {
  const { raw, store } = await open(t)
  await store.storage.create(secret, 'old')
  const [before] = await store.list()
  const sealed = await raw.get(secret)
  await store.rotate()
  const now = await raw.get(secret)
  await raw.update(secret, sealed?.value ?? '', now?.revision ?? 0)
  t.deepEqual((await store.prune()).dropped, [])
  t.is((await store.storage.get(secret))?.value, 'old')
  t.is((await store.settle()).rewritten, 1)
  t.deepEqual((await store.prune()).dropped, [before?.id])
  t.is((await store.storage.get(secret))?.value, 'old')
})

test('a start seals what is plain and what a broken-off rotation has left', async (t) => {
  const { raw, path, again } = await open(t)
  await raw.create(secret, '{"plain":true}')
  const first = await again()
  t.deepEqual(await first.settle(), { rewritten: 1, plain: 1, unreadable: [] })
  t.false((await readFile(path.replace('encryption.keys', 'cove.db'), 'latin1')).includes('"plain"'))
  t.is((await first.storage.get(secret))?.value, '{"plain":true}')
  t.deepEqual(await (await again()).settle(), { rewritten: 0, plain: 0, unreadable: [] })
})

test('what a kill kept from being scrubbed is scrubbed by the next start', async (t) => {
  const { raw, path, again } = await open(t)
  await raw.create(secret, '{"plain":true}')
  const refusing = new Proxy(raw, {
    get: (target, name) =>
      name === 'scrub' ? () => Promise.reject(new Error('killed')) : Reflect.get(target, name).bind(target),
  })
  const killed = await SecretStore.open({ storage: refusing, path, ambient })
  await t.throwsAsync(killed.settle(), { message: 'killed' })
  const onDisk = async () => {
    const dir = dirname(path)
    const files = (await readdir(dir)).filter((name) => name.startsWith('cove.db'))
    return (await Promise.all(files.map((name) => readFile(join(dir, name), 'latin1')))).join('')
  }
  t.true((await onDisk()).includes('"plain"'))
  await (await again()).settle()
  t.false((await onDisk()).includes('"plain"'))
  t.deepEqual(
    (await readdir(dirname(path))).filter((name) => name.endsWith('.scrub')),
    [],
  )
})

test('a damaged file of keys is an error that shows none of them', async (t) => {
  const { path, again } = await open(t)
  const text = await readFile(path, 'utf8')
  const { key } = JSON.parse(text)
  for (const damaged of [
    '',
    text.slice(0, -9),
    text.replace('"id"', '"it"'),
    text.replace(key, key.slice(4)),
  ]) {
    await writeFile(path, damaged)
    const error = await t.throwsAsync(again(), {
      message: /encryption keys cannot be read from .*restore the file/,
    })
    t.false(error?.message.includes(key.slice(4, 20)))
  }
})
