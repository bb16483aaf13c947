/** Folders as archives, held against GNU tar: what it packs is read as the same tree, what is packed here it unpacks so. */
import { execFile } from 'node:child_process'
import {
  chmod,
  link,
  lstat,
  mkdir,
  readFile,
  rename,
  symlink,
  unlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { systemClock } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { type ContextFolder, readFolder } from './folder.ts'
import { makeIgnore } from './ignore.ts'
import { summarise } from './normalise.ts'
import { archiveBytes, packFolder } from './pack.ts'

const run = promisify(execFile)
const signal = new AbortController().signal
const maxBytes = 1e9

const read = (root: string) =>
  readFolder({ root, ignore: makeIgnore([]), maxBytes, clock: systemClock(), signal })

async function packed(folder: ContextFolder): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of packFolder(folder, signal)) chunks.push(chunk)
  return Buffer.concat(chunks)
}

async function* once(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

/** Both ways round; the archive. */
async function agrees(
  t: ExecutionContext,
  root: string,
  formats: readonly string[] = ['gnu', 'pax', 'posix'],
): Promise<Buffer> {
  const folder = await read(root)
  const archive = await packed(folder)
  t.is(archiveBytes(folder), archive.length)
  const summary = await summarise(once(archive), { maxBytes })
  t.deepEqual([summary.digest, summary.bytes, summary.files], [folder.digest, folder.bytes, folder.files])
  const dir = await makeTempDir(t, 'unpacked')
  await writeFile(join(dir, 'a.tar'), archive)
  await mkdir(join(dir, 'out'))
  await run('tar', ['-xpf', join(dir, 'a.tar'), '-C', join(dir, 'out')])
  t.is((await read(join(dir, 'out'))).digest, folder.digest)
  for (const format of formats) {
    await run('tar', ['-c', `--format=${format}`, '-f', join(dir, 'b.tar'), '-C', root, '.'])
    const theirs = await summarise(once(await readFile(join(dir, 'b.tar'))), { maxBytes })
    t.is(theirs.digest, folder.digest, format)
  }
  return archive
}

test('long, odd and linked names, modes and times survive', async (t) => {
  const root = await makeTempDir(t, 'pack')
  const deep = join(root, ...Array.from({ length: 12 }, () => 'x'.repeat(60)))
  await mkdir(deep, { recursive: true })
  await writeFile(join(deep, 'end'), 'deep')
  for (const name of [
    'a b',
    'line\nbreak',
    'back\\slash',
    'ünï',
    '😀',
    '"quoted"',
    '-dash',
    ' ',
    'y'.repeat(200),
  ])
    await writeFile(join(root, name), name)
  await symlink('nowhere', join(root, 'dangling'))
  await symlink(`./${'z'.repeat(150)}`, join(root, 'longlink'))
  await symlink('/etc/passwd', join(root, 'absolute'))
  await symlink('../../away', join(root, 'away'))
  await link(join(root, 'a b'), join(root, 'again'))
  await writeFile(join(root, 'run.sh'), '#!/bin/sh\n')
  await chmod(join(root, 'run.sh'), 0o4750)
  await mkdir(join(root, 'sticky'))
  await chmod(join(root, 'sticky'), 0o1777)
  await writeFile(join(root, 'empty'), '')
  await writeFile(join(root, 'block'), Buffer.alloc(512, 1))
  await writeFile(join(root, 'large'), Buffer.alloc(1_500_001, 7))
  await utimes(join(root, 'run.sh'), 1, 981_158_400)
  const archive = await agrees(t, root)
  const dir = await makeTempDir(t, 'out')
  await writeFile(join(dir, 'a.tar'), archive)
  await run('tar', ['-xpf', 'a.tar'], { cwd: dir })
  const { mtimeMs, mode } = await lstat(join(dir, 'run.sh'))
  t.deepEqual([mtimeMs / 1000, mode & 0o7777], [981_158_400, 0o4750])
  t.is((await lstat(join(dir, 'a b'))).ino, (await lstat(join(dir, 'again'))).ino)
})

const name = fc.oneof(
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('a', 'b', 'é', ' ', '\n'), minLength: 90, maxLength: 110 }),
)
const path = fc
  .array(
    name.filter(
      (part) => !/[/\0]/.test(part) && part !== '.' && part !== '..' && Buffer.byteLength(part) <= 255,
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((parts) => parts.join('/'))

test('any folder and its archive have one digest, by GNU tar as well', async (t) => {
  t.timeout(120_000, 'three programs are started for each folder')
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(path, fc.uint8Array({ maxLength: 2000 })), { maxLength: 8 }),
      async (files) => {
        const root = await makeTempDir(t, 'any')
        for (const [at, content] of files) {
          try {
            await mkdir(dirname(join(root, at)), { recursive: true })
            await writeFile(join(root, at), content)
          } catch (error) {
            // A file where the next one wants a folder, and the other way round.
            if (!/ENOTDIR|EISDIR|EEXIST/.test(String(error))) throw error
          }
        }
        await agrees(t, root, ['gnu'])
      },
    ),
    { numRuns: 8 },
  )
})

test('the digest is of names, modes and contents, and of nothing else', async (t) => {
  const root = await makeTempDir(t, 'digest')
  await writeFile(join(root, 'a'), 'one')
  await mkdir(join(root, 'dir'))
  const { digest } = await read(root)
  const moved = async (change: () => Promise<unknown>) => {
    await change()
    return (await read(root)).digest !== digest
  }
  t.false(await moved(() => utimes(join(root, 'a'), 5, 5)))
  t.false(await moved(() => writeFile(join(root, 'a'), 'one')))
  t.false(
    await moved(() =>
      rename(join(root, 'dir'), join(root, 'dir2')).then(() => rename(join(root, 'dir2'), join(root, 'dir'))),
    ),
  )
  t.true(await moved(() => writeFile(join(root, 'a'), 'two')))
  await writeFile(join(root, 'a'), 'one')
  t.true(await moved(() => chmod(join(root, 'a'), 0o755)))
  await chmod(join(root, 'a'), 0o644)
  t.true(await moved(() => rename(join(root, 'a'), join(root, 'b'))))
  await rename(join(root, 'b'), join(root, 'a'))
  t.true(await moved(() => writeFile(join(root, 'dir/c'), '')))
  await unlink(join(root, 'dir/c'))
  t.false(await moved(async () => {}))
})

test('what no context can have is refused by its name, unless it is ignored', async (t) => {
  const refusal = async (make: (root: string) => Promise<unknown>) => {
    const root = await makeTempDir(t, 'refused')
    await make(root)
    const error = await t.throwsAsync(read(root))
    t.true(isReason(error, 'BadRequest'))
    const ignore = makeIgnore(['*'])
    t.is((await readFolder({ root, ignore, maxBytes, clock: systemClock(), signal })).files, 0)
    return error?.message ?? ''
  }
  t.regex(await refusal((root) => run('mkfifo', [join(root, 'pipe')])), /"pipe" is a named pipe/)
  t.regex(
    await refusal((root) => writeFile(Buffer.concat([Buffer.from(`${root}/x`), Buffer.from([0xff])]), '')),
    /"x\ufffd" is not UTF-8/,
  )
})

test('a context over its limit is refused before it is read, with how much it has', async (t) => {
  const root = await makeTempDir(t, 'large')
  for (const at of ['a', 'b']) await writeFile(join(root, at), Buffer.alloc(1000))
  const reading = readFolder({ root, ignore: makeIgnore([]), maxBytes: 1999, clock: systemClock(), signal })
  const error = await t.throwsAsync(reading)
  t.true(isReason(error, 'ContextTooLarge'))
  t.regex(error?.message ?? '', /in 2 files; spec.maxContextBytes is/)
})

test('a file that becomes shorter while it is packed is told of', async (t) => {
  const root = await makeTempDir(t, 'shorter')
  await writeFile(join(root, 'a'), 'long enough')
  const folder = await read(root)
  await writeFile(join(root, 'a'), 'short')
  await t.throwsAsync(packed(folder), { message: '"a" was changed while it was read: it is shorter now' })
})

test('memory that is used again holds what was packed until seven more chunks were taken', async (t) => {
  const root = await makeTempDir(t, 'reuse')
  const content = Buffer.from(Array.from({ length: 9_000_000 }, (_, at) => (at / 1000) & 255))
  await writeFile(join(root, 'a'), content)
  const folder = await read(root)
  const waiting: Buffer[] = []
  const sent: Buffer[] = []
  for await (const chunk of packFolder(folder, signal, { reusesMemory: true })) {
    waiting.push(chunk)
    // Later than any stream sends it.
    if (waiting.length > 7) sent.push(Buffer.from(waiting.shift() ?? ''))
  }
  t.true(Buffer.concat([...sent, ...waiting]).equals(await packed(folder)))
})
