import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { encrypted, keysInUse, reseal } from './encrypted.ts'
import { type Keyring, makeKey, sealedWith } from './envelope.ts'
import { openInProcessStorage } from './inprocess.ts'
import type { FileStorage, Storage } from './port.ts'

const prefixes = ['/secrets/']
const never = new AbortController().signal

async function openRaw(t: ExecutionContext): Promise<{ raw: FileStorage; path: string }> {
  const path = join(await makeTempDir(t, 'encrypted'), 'cove.db')
  const raw = openInProcessStorage({ path })
  t.teardown(() => raw.close())
  return { raw, path }
}

async function written(result: ReturnType<Storage['create']>): Promise<number> {
  const outcome = await result
  if (!outcome.ok) throw new Error('lost')
  return outcome.revision
}

/** All bytes of the store on the disk. */
async function onDisk(path: string): Promise<string> {
  const parts = await Promise.all(
    ['', '-wal', '-shm', '-journal'].map((end) => readFile(path + end, 'latin1').catch(() => '')),
  )
  return parts.join('')
}

test('no byte of a secret value reaches the disk, whatever happens to it', async (t) => {
  const { raw, path } = await openRaw(t)
  const keys: Keyring = [makeKey('now')]
  const storage = encrypted(raw, { prefixes, keys: () => keys })
  const first = await written(storage.create('/secrets/a', 'correct horse'))
  const second = await written(storage.update('/secrets/a', 'battery staple', first))
  await storage.create('/open/a', 'plain sailing')
  await storage.delete('/secrets/a', second)
  const bytes = await onDisk(path)
  t.true(bytes.includes('plain sailing'))
  for (const secret of ['correct horse', 'battery staple', Buffer.from(keys[0].key).toString('latin1')]) {
    t.false(bytes.includes(secret), secret)
  }
})

test('plain values of before are readable, and nothing of them is left after they were sealed', async (t) => {
  const { raw, path } = await openRaw(t)
  await raw.create('/secrets/a', 'correct horse')
  await raw.create('/secrets/b', 'battery staple')
  const options = { prefixes, keys: (): Keyring => keys }
  const keys: Keyring = [makeKey('now')]
  const storage = encrypted(raw, options)
  t.is((await storage.get('/secrets/a'))?.value, 'correct horse')
  t.deepEqual(await reseal(raw, options), { rewritten: 2, plain: 2, unreadable: [] })
  t.deepEqual(await reseal(raw, options), { rewritten: 0, plain: 0, unreadable: [] })
  t.is((await storage.get('/secrets/a'))?.value, 'correct horse')
  t.true((await onDisk(path)).includes('correct horse'), 'history and free pages still hold it')
  await raw.compact((await raw.revisions()).current)
  await raw.scrub()
  t.false((await onDisk(path)).includes('correct horse'))
  t.false((await onDisk(path)).includes('battery staple'))
  t.is((await storage.get('/secrets/b'))?.value, 'battery staple')
})

test('a rotation rewrites what other keys have sealed, as changes that watchers see with the same content', async (t) => {
  const { raw } = await openRaw(t)
  const old = makeKey('then')
  let keys: Keyring = [old]
  const options = { prefixes, keys: () => keys }
  const storage = encrypted(raw, options)
  const revision = await written(storage.create('/secrets/a', 'one'))
  const fresh = makeKey('now')
  keys = [fresh, old]
  await storage.create('/secrets/b', 'two')
  t.deepEqual(
    await keysInUse(raw, options),
    new Map([
      [old.id, 1],
      [fresh.id, 1],
    ]),
  )
  t.is((await reseal(raw, options)).rewritten, 1)
  t.deepEqual(await keysInUse(raw, options), new Map([[fresh.id, 2]]))
  const seen: string[] = []
  for await (const events of storage.watch('/secrets/', revision, never)) {
    for (const { record } of events) seen.push(`${record.key} ${record.value}`)
    if (seen.length >= 2) break
  }
  t.deepEqual(seen, ['/secrets/b two', '/secrets/a one'])
})

test('a value whose key is missing fails alone, and stays as it is', async (t) => {
  const { raw } = await openRaw(t)
  const lost = makeKey('lost')
  await encrypted(raw, { prefixes, keys: () => [lost] }).create('/secrets/a', 'one')
  const errors: unknown[] = []
  const keys: Keyring = [makeKey('now')]
  const options = { prefixes, keys: () => keys, onUnreadable: (error: unknown) => errors.push(error) }
  const storage = encrypted(raw, options)
  await storage.create('/secrets/b', 'two')
  const message = `/secrets/a is encrypted with the key "${lost.id}" and this server does not have that key`
  t.true(isReason(await t.throwsAsync(storage.get('/secrets/a'), { message }), 'InternalError'))
  const { records } = await storage.list('/secrets/')
  t.deepEqual(
    records.map(({ value }) => sealedWith(value) ?? value),
    [lost.id, 'two'],
  )
  t.is(errors.length, 1)
  const outcome = await storage.create('/secrets/a', 'new')
  t.false(outcome.ok)
  const resealed = await reseal(raw, options)
  t.is(resealed.unreadable.length, 1)
  t.is((await encrypted(raw, { prefixes, keys: () => [lost] }).get('/secrets/a'))?.value, 'one')
})

test("a copy holds everything as of one moment, and is its owner's alone", async (t) => {
  const { raw, path } = await openRaw(t)
  await raw.create('/a', 'one')
  await raw.copyTo(`${path}.copy`)
  await raw.create('/b', 'two')
  const copy = openInProcessStorage({ path: `${path}.copy` })
  t.deepEqual((await copy.list('')).records, [{ key: '/a', value: 'one', revision: 1 }])
  await copy.close()
  await t.throwsAsync(raw.copyTo(`${path}.copy`), { message: /copy to .*EEXIST/ })
})
