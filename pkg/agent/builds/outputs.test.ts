/** What is taken out of images, also of such as mean no good. */
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { StatusError } from '#pkg/apimachinery/errors.ts'
import { type ArchiveHeader, encodeHeader, paddingOf, trailerBytes } from '#pkg/build/context/header.ts'
import { BuildError } from '#pkg/engine/builds.ts'
import type { ObservedContainer } from '#pkg/engine/port.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { container, observed } from '#test/helpers/world.ts'
import { takeOutputs } from './outputs.ts'

const signal = new AbortController().signal

type Entry = Pick<ArchiveHeader, 'path' | 'type'> & { mode?: number; text?: string; linkname?: string }

function archive(entries: readonly Entry[]): Buffer {
  const blocks = entries.flatMap(({ text = '', mode = 0o644, ...entry }) => [
    encodeHeader({ ...entry, mode, size: text.length, mtime: 0 }),
    Buffer.from(text),
    Buffer.alloc(paddingOf(text.length)),
  ])
  return Buffer.concat([...blocks, Buffer.alloc(trailerBytes)])
}

/** Names of containers that were removed; `onRead`: the files are asked for; `container`: the one that they are of. */
async function take(
  to: string,
  entries: readonly Entry[],
  onRead = () => {},
  container: ObservedContainer | undefined = undefined,
): Promise<readonly string[]> {
  const removed: string[] = []
  const engine = {
    createContainer: async () => ({ id: 'c' }),
    inspectContainer: async () => container,
    removeContainer: async (name: string) => {
      removed.push(name)
    },
    readArchive: async () => {
      onRead()
      return (async function* () {
        yield archive(entries)
      })()
    },
  }
  await takeOutputs({ image: 'sha256:1', outputs: [{ from: '/out', to }], say: () => {} }, engine, signal)
  return removed
}

test('files, folders and links are written, and replace what was there', async (t) => {
  const to = join(await makeTempDir(t), 'site')
  const files: Entry[] = [
    { path: 'out', type: 'directory', mode: 0o755 },
    { path: 'out/a', type: 'file', text: 'one', mode: 0o755 },
    { path: 'out/l', type: 'symlink', linkname: 'a' },
  ]
  const removed = await take(to, files)
  t.is(removed.length, 2)
  t.is(await readFile(join(to, 'l'), 'utf8'), 'one')
  t.is((await stat(join(to, 'a'))).mode & 0o7777, 0o755)
  await take(`${to}/`, [{ path: 'out', type: 'file', text: 'two' }])
  t.is(await readFile(join(to, 'out'), 'utf8'), 'two')
  t.deepEqual((await readdir(to)).sort(), ['a', 'l', 'out'])
})

test('files that have no place to go to are not asked for: an answer that nobody reads holds its connection', async (t) => {
  const root = await makeTempDir(t)
  await writeFile(join(root, 'file'), '')
  let isAsked = false
  const taken = take(join(root, 'file/below/out'), [{ path: 'out', type: 'file', text: '' }], () => {
    isAsked = true
  })
  t.regex((await t.throwsAsync(taken))?.message ?? '', /out cannot be written to .*ENOTDIR/)
  t.false(isAsked)
})

test('what the image has not got fails for good, and what was removed meanwhile for now', async (t) => {
  const to = join(await makeTempDir(t), 'out')
  const missing = () => {
    throw new StatusError('NotFound', 'there is none')
  }
  const failed = take(to, [], missing, observed(container('web'), ''))
  await t.throwsAsync(failed, { instanceOf: BuildError, message: 'spec.outputs: the image has no /out' })
  const error = await t.throwsAsync(take(to, [], missing), { instanceOf: StatusError })
  t.is(error?.reason, 'EngineError')
})

test('an image writes nothing through a link that an earlier one has brought', async (t) => {
  const root = await makeTempDir(t)
  const [to, outside] = [join(root, 'site/out'), join(root, 'etc')]
  await mkdir(outside)
  await writeFile(join(outside, 'passwd'), 'mine')
  await mkdir(join(root, 'site'))
  await take(join(root, 'site'), [
    { path: 'out', type: 'directory', mode: 0o755 },
    { path: 'out/l', type: 'symlink', linkname: outside },
    { path: 'out/f', type: 'symlink', linkname: join(outside, 'passwd') },
  ])
  await take(join(root, 'site'), [
    { path: 'out', type: 'directory', mode: 0o755 },
    { path: 'out/l', type: 'directory', mode: 0o755 },
    { path: 'out/l/passwd', type: 'file', text: 'theirs' },
    { path: 'out/f', type: 'file', text: 'theirs' },
  ])
  t.is(await readFile(join(outside, 'passwd'), 'utf8'), 'mine')
  t.true((await lstat(join(to, 'l'))).isDirectory())
  t.is(await readFile(join(to, 'l/passwd'), 'utf8'), 'theirs')
  t.is(await readFile(join(to, 'f'), 'utf8'), 'theirs')
})

test('what is made of a link that stands for the folder itself is beside it, not behind it', async (t) => {
  const root = await makeTempDir(t)
  await mkdir(join(root, 'etc'))
  await symlink(join(root, 'etc'), join(root, 'out'))
  await take(root, [
    { path: 'out', type: 'directory', mode: 0o755 },
    { path: 'out/a', type: 'file', text: 'x' },
  ])
  t.deepEqual(await readdir(join(root, 'etc')), [])
})

test('no program of an image gets the rights of whoever owns it here', async (t) => {
  const root = await makeTempDir(t)
  await chmod(root, 0o755)
  await take(join(root, 'sh'), [{ path: 'out', type: 'file', text: '#!', mode: 0o6755 }])
  t.is((await stat(join(root, 'sh'))).mode & 0o7777, 0o755)
  await take(join(root, 'd'), [{ path: 'out', type: 'directory', mode: 0o3777 }])
  t.is((await stat(join(root, 'd'))).mode & 0o7777, 0o777)
})
