import { createHash } from 'node:crypto'
import { readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom } from '#pkg/apimachinery/ambient.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { readFolder } from './folder.ts'
import { makeIgnore } from './ignore.ts'
import { StatCache, tickMs } from './statcache.ts'

const signal = new AbortController().signal

/** A folder with one file, and readings of it with one memory; `later` is how long after the file was written. */
async function make(t: ExecutionContext) {
  const root = await makeTempDir(t, 'statcache')
  const directory = join(await makeTempDir(t, 'cache'), 'cove/contexts')
  const file = join(root, 'a')
  await writeFile(file, 'one')
  const { ctimeMs } = await stat(file)
  const clock = new ManualClock(Math.ceil(ctimeMs) + tickMs)
  const random = seededRandom(1)
  const open = () => StatCache.open({ directory, root, clock, random })
  /** How many bytes had to be read, and what was found. */
  const read = async () => {
    const cache = await open()
    let bytes = 0
    const onRead = async (done: number) => {
      bytes = done
    }
    const folder = await readFolder({
      root,
      ignore: makeIgnore([]),
      maxBytes: 1e6,
      clock,
      signal,
      cache,
      onRead,
    })
    const problem = await cache.save()
    return { bytes, sha256: folder.entries[0]?.sha256, problem }
  }
  return { root, directory, file, clock, read }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

test('a file that has not changed is not read again', async (t) => {
  const { read } = await make(t)
  t.is((await read()).bytes, 3)
  t.deepEqual(await read(), { bytes: 0, sha256: sha256('one'), problem: undefined })
})

test('a change of size, time or inode has it read again, also when its time is put back', async (t) => {
  const { file, read, clock } = await make(t)
  await read()
  const { mtime, atime } = await stat(file)
  await writeFile(file, 'two')
  await utimes(file, atime, mtime)
  await clock.advance(10_000)
  t.deepEqual(await read(), { bytes: 3, sha256: sha256('two'), problem: undefined })
  await writeFile(`${file}.new`, 'new')
  await utimes(`${file}.new`, atime, mtime)
  await rename(`${file}.new`, file)
  await clock.advance(10_000)
  t.is((await read()).sha256, sha256('new'))
})

test('a file that changed in the tick in which it was read is read the next time, whatever its times say', async (t) => {
  const { root, directory, file, clock } = await make(t)
  const early = new ManualClock((await stat(file)).ctimeMs + tickMs - 1)
  const options = { root, ignore: makeIgnore([]), maxBytes: 1e6, signal }
  const first = await StatCache.open({ directory, root, clock: early, random: seededRandom(1) })
  const [entry] = (await readFolder({ ...options, clock: early, cache: first })).entries
  t.is(await first.save(), undefined)
  const second = await StatCache.open({ directory, root, clock, random: seededRandom(2) })
  if (entry === undefined) throw new Error('there is a file')
  t.is(second.recall(entry), undefined)
})

test('what is remembered may be lost, broken, or of another folder', async (t) => {
  const { directory, read } = await make(t)
  await read()
  const [name = ''] = await readdir(directory)
  const path = join(directory, name)
  const text = await readFile(path, 'utf8')
  for (const broken of [
    '',
    '{',
    '[]',
    '{"version":1}',
    text.replace('"version":1', '"version":9'),
    text.replace('cove-statcache', 'x'),
  ]) {
    await writeFile(path, broken)
    t.deepEqual(await read(), { bytes: 3, sha256: sha256('one'), problem: undefined })
  }
  await rm(path)
  t.is((await read()).bytes, 3)
  t.deepEqual(await readdir(directory), [name])
})

test('where nothing can be remembered that is told, and the folder is read all the same', async (t) => {
  const { root, clock } = await make(t)
  const cache = await StatCache.open({ directory: '/dev/null/x', root, clock, random: seededRandom(1) })
  const folder = await readFolder({ root, ignore: makeIgnore([]), maxBytes: 1e6, clock, signal, cache })
  t.is(folder.files, 1)
  t.regex((await cache.save()) ?? '', /^what files have been read is not remembered: /)
})

test('what nobody has used for a month is forgotten', async (t) => {
  const { directory, read } = await make(t)
  await read()
  const old = join(directory, 'old.json')
  await writeFile(old, '{}')
  await utimes(old, 1, 1)
  const [name = ''] = (await readdir(directory)).filter((one) => one !== 'old.json')
  await writeFile(join(directory, name), '')
  await read()
  await t.throwsAsync(stat(old), { code: 'ENOENT' })
})
