import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { diskFiles } from './projection.ts'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const projected = (directory: string, files: Record<string, string>) => ({ directory, secret: true, files })

test('files are written whole; a directory that is there stays as it is', async (t) => {
  const root = join(await makeTempDir(t), 'files')
  const files = diskFiles(root)
  const wanted = projected('uid-1/hash-1', { 'a.txt': base64('ä\n'), 'b.bin': base64('\0') })
  await files.write(wanted)
  t.is(await readFile(join(root, 'uid-1/hash-1/a.txt'), 'utf8'), 'ä\n')
  const { ino } = await stat(join(root, 'uid-1/hash-1'))
  await files.write(wanted)
  t.is((await stat(join(root, 'uid-1/hash-1'))).ino, ino, 'containers that mount it keep what they see')
  t.deepEqual(await readdir(join(root, 'uid-1')), ['hash-1'])
  t.is((await stat(root)).mode & 0o777, 0o700, 'the root is closed to others')
})

test('what an interrupted write left behind is no part of the next', async (t) => {
  const root = await makeTempDir(t)
  const files = diskFiles(root)
  await files.write(projected('uid-1/hash-1.building', { old: base64('x') }))
  await files.write(projected('uid-1/hash-1', { new: base64('y') }))
  t.deepEqual(await readdir(join(root, 'uid-1')), ['hash-1'])
  t.deepEqual(await readdir(join(root, 'uid-1/hash-1')), ['new'])
})

test('a write that fails leaves nothing under the name', async (t) => {
  const root = await makeTempDir(t)
  const files = diskFiles(root)
  await t.throwsAsync(files.write(projected('uid-1/hash-1', { good: base64('x'), 'no/such': base64('y') })))
  await t.throwsAsync(stat(join(root, 'uid-1/hash-1')), { code: 'ENOENT' })
})

test('a sweep removes what is not in use, and former content of what is', async (t) => {
  const root = join(await makeTempDir(t), 'files')
  const files = diskFiles(root)
  await files.sweep(() => false)
  for (const directory of ['uid-1/hash-1', 'uid-2/hash-2', 'uid-2/hash-3'])
    await files.write(projected(directory, {}))
  await files.sweep((directory) => directory === 'uid-2/hash-3')
  t.deepEqual(await readdir(root), ['uid-2'])
  t.deepEqual(await readdir(join(root, 'uid-2')), ['hash-3'])
})
