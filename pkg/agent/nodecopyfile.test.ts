import { randomBytes } from 'node:crypto'
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { diskCopy, sealCopy, unsealCopy } from './nodecopyfile.ts'

test('what was saved is loaded; nothing of it can be read in the file, and only the owner may read either', async (t) => {
  const dir = await makeTempDir(t, 'copy')
  const store = diskCopy(dir)
  t.is(await store.load(), undefined)
  await store.save('the password is höhle')
  await store.save('the password is grotte')
  t.is(await store.load(), 'the password is grotte')
  t.is(await diskCopy(dir).load(), 'the password is grotte')
  t.deepEqual((await readdir(dir)).sort(), ['node.copy', 'node.copy.key'])
  for (const name of await readdir(dir)) {
    const path = join(dir, name)
    t.is((await stat(path)).mode & 0o777, 0o600)
    t.false((await readFile(path, 'latin1')).includes('password'))
  }
})

test('the same text is another file each time', (t) => {
  const key = randomBytes(32)
  t.notDeepEqual(sealCopy(key, 'a'), sealCopy(key, 'a'))
})

test('a copy that was cut short or changed anywhere does not open, and says so', (t) => {
  const key = randomBytes(32)
  fc.assert(
    fc.property(
      fc.string(),
      fc.nat(),
      fc.boolean(),
      fc.integer({ min: 1, max: 255 }),
      (text, at, cut, bits) => {
        const sealed = Buffer.from(sealCopy(key, text))
        t.is(unsealCopy(key, sealed), text)
        const place = at % sealed.length
        const torn = Buffer.from(cut ? sealed.subarray(0, place) : sealed)
        if (!cut) torn.writeUInt8(torn.readUInt8(place) ^ bits, place)
        t.throws(() => unsealCopy(key, torn), { message: /^it (was cut short|does not begin)/ })
      },
    ),
  )
  t.throws(() => unsealCopy(randomBytes(32), Buffer.from(sealCopy(key, 'a'))), { message: /another key/ })
})

test('without its key a copy is of no use, and the next one gets a new key', async (t) => {
  const dir = await makeTempDir(t, 'copy')
  const store = diskCopy(dir)
  await store.save('one')
  await rm(join(dir, 'node.copy.key'))
  await t.throwsAsync(store.load(), { message: /its key, .*node\.copy\.key, is missing or damaged/ })
  await writeFile(join(dir, 'node.copy.key'), 'short')
  await t.throwsAsync(store.load(), { message: /missing or damaged/ })
  await store.save('two')
  t.is(await store.load(), 'two')
})

test('a copy whose writing was interrupted leaves the one before', async (t) => {
  const dir = await makeTempDir(t, 'copy')
  const store = diskCopy(dir)
  await store.save('one')
  await writeFile(join(dir, 'node.copy.new'), 'half of tw')
  await chmod(join(dir, 'node.copy.new'), 0o644)
  t.is(await store.load(), 'one')
  await store.save('three')
  t.is(await store.load(), 'three')
  t.is((await stat(join(dir, 'node.copy'))).mode & 0o777, 0o600)
})
