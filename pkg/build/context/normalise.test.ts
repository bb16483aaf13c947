/** Archives of others: what is in them, and what is refused. */
import { createHash } from 'node:crypto'
import test from 'ava'
import fc from 'fast-check'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { type ArchiveHeader, encodeHeader, paddingOf, trailerBytes } from './header.ts'
import { makeIgnore } from './ignore.ts'
import { packInline } from './inline.ts'
import { type NormaliseOptions, normaliseArchive, summarise } from './normalise.ts'
import { treeDigest } from './treedigest.ts'

const maxBytes = 1e6

async function* once(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

type Entry = Pick<ArchiveHeader, 'path'> &
  Partial<ArchiveHeader> & { readonly text?: string; readonly flag?: string }

/** `flag`: as it stands in the archive, where that is none that we would write. */
function entry({ text = '', flag, ...header }: Entry): Buffer {
  const content = Buffer.from(text)
  const whole = encodeHeader({ type: 'file', mode: 0o644, mtime: 0, size: content.length, ...header })
  const bytes = Buffer.concat([whole, content, Buffer.alloc(paddingOf(content.length))])
  return flag === undefined ? bytes : resealed(bytes, (block) => block.write(flag, 156))
}

/** The first header changed, its checksum put right. */
function resealed(bytes: Buffer, change: (block: Buffer) => void): Buffer {
  change(bytes)
  bytes.write('        ', 148)
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0)
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return bytes
}

const tar = (...entries: readonly Entry[]) =>
  Buffer.concat([...entries.map(entry), Buffer.alloc(trailerBytes)])

async function read(archive: Uint8Array, options: Partial<NormaliseOptions> = {}) {
  return summarise(once(archive), { maxBytes, ...options })
}

async function pathsOf(archive: Uint8Array, options: Partial<NormaliseOptions> = {}): Promise<string[]> {
  return (await read(archive, options)).entries.map(({ path }) => path)
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

test('dots and slashes mean nothing, order and times do not count', async (t) => {
  const a = tar(
    { path: './', type: 'directory' },
    { path: './a', text: 'x' },
    { path: 'd//e', text: 'y', mtime: 7 },
  )
  const b = tar({ path: 'd/e', text: 'y' }, { path: 'a', text: 'x', mtime: 99 })
  t.deepEqual(await pathsOf(a), ['a', 'd/e'])
  t.is((await read(a)).digest, (await read(b)).digest)
})

test('what no context can have is refused, and called by its name', async (t) => {
  const bad: readonly (readonly [Entry[], RegExp])[] = [
    [[{ path: '/etc/passwd' }], /"\/etc\/passwd" is an absolute path/],
    [[{ path: '../x' }], /"..\/x" leaves the context/],
    [[{ path: 'a/../../x' }], /leaves the context/],
    [
      [{ path: 'l', type: 'symlink', linkname: '../../etc' }, { path: 'l/x' }],
      /"l\/x" lies below "l", which is no folder/,
    ],
    [
      [{ path: 'l', type: 'symlink', linkname: 'd' }, { path: 'l/x' }],
      /"l\/x" lies below "l", which is no folder/,
    ],
    [[{ path: 'f' }, { path: 'f/x' }], /lies below "f", which is no folder/],
    [[{ path: 'f/x' }, { path: 'f' }], /there twice, as a folder and as none/],
    [
      [{ path: 'h', type: 'link', linkname: 'later' }, { path: 'later' }],
      /"later", which is no file before it/,
    ],
    [[{ path: 'h', type: 'link', linkname: '../x' }], /leaves the context/],
    [[{ path: 'dev', flag: '3' }], /"dev" is a device/],
    [[{ path: 'pipe', flag: '6' }], /"pipe" is a named pipe/],
    [[{ path: 'holes', flag: 'S' }], /packed with holes/],
    [[{ path: '\u00ff'.repeat(4097) }], /longer than any path/],
  ]
  for (const [entries, message] of bad) {
    const error = await t.throwsAsync(read(tar(...entries)), { message })
    t.true(isReason(error, 'BadRequest'))
  }
})

test('links within are kept, and a further name of a file counts as a file', async (t) => {
  const entries: Entry[] = [
    { path: 'd/a', text: 'x' },
    { path: 'd/up', type: 'symlink', linkname: '../d/a' },
    { path: 'abs', type: 'symlink', linkname: '/usr/bin' },
    { path: 'away', type: 'symlink', linkname: '../../etc' },
  ]
  const linked = await read(tar(...entries, { path: 'b', type: 'link', linkname: 'd/a' }))
  const copied = await read(tar(...entries, { path: 'b', text: 'x' }))
  t.is(linked.digest, copied.digest)
  t.is(linked.bytes, copied.bytes)
})

test('of a file that is there twice the last one counts', async (t) => {
  const twice = await read(tar({ path: 'a', text: 'old' }, { path: 'a', text: 'new!' }))
  t.deepEqual([twice.digest, twice.bytes], [(await read(tar({ path: 'a', text: 'new!' }))).digest, 4])
})

test('what is left out is left out', async (t) => {
  const archive = tar({ path: 'x/a', text: '1' }, { path: 'x/b.md', text: '2' }, { path: 'y/c', text: '3' })
  t.deepEqual(await pathsOf(archive, { ignore: makeIgnore(['**/*.md']) }), ['x/a', 'y/c'])
})

test('texts are those of the files that are asked for', async (t) => {
  const archive = tar({ path: 'Dockerfile', text: 'FROM a' }, { path: 'other', text: 'x' })
  t.deepEqual((await read(archive, { texts: new Set(['Dockerfile', 'none']) })).texts, {
    Dockerfile: 'FROM a',
  })
})

test('too much is refused while it comes', async (t) => {
  const error = await t.throwsAsync(read(tar({ path: 'a', text: 'x'.repeat(11) }), { maxBytes: 10 }))
  t.true(isReason(error, 'ContextTooLarge'))
})

test('names that are not UTF-8, and what is no archive, are refused', async (t) => {
  const odd = resealed(tar({ path: 'abc' }), (block) => block.writeUInt8(0xff, 1))
  await t.throwsAsync(read(odd), { message: /is not UTF-8/ })
  await t.throwsAsync(read(Buffer.alloc(0)), { message: /is empty/ })
  await t.throwsAsync(read(Buffer.from('FROM scratch\n'.repeat(100))), { message: /no tar archive/ })
  await t.throwsAsync(read(tar({ path: 'a', text: 'x'.repeat(600) }).subarray(0, 700)), {
    message: /ends within a file/,
  })
})

test('whatever comes is read or refused, in pieces of any size', async (t) => {
  const good = tar(
    { path: 'a', text: 'hello' },
    { path: 'é'.repeat(80), text: 'x'.repeat(700) },
    { path: 'd', type: 'directory' },
  )
  const { digest } = await read(good)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 1500 }), async (size) => {
      const chunks = Array.from({ length: Math.ceil(good.length / size) }, (_, i) =>
        good.subarray(i * size, i * size + size),
      )
      t.is((await summarise(once(...chunks), { maxBytes })).digest, digest)
    }),
    { numRuns: 50 },
  )
  await fc.assert(
    fc.asyncProperty(fc.nat(good.length - 1), fc.nat(255), async (at, byte) => {
      const damaged = Buffer.from(good)
      damaged[at] = byte
      try {
        await read(damaged)
      } catch (error) {
        if (!(error instanceof StatusError)) throw error
      }
    }),
    { numRuns: 500 },
  )
})

test('what is normalised once is the same when it is normalised again', async (t) => {
  const archive = tar(
    { path: './d/', type: 'directory', mode: 0o700 },
    { path: './d/a', text: 'x', mtime: 5 },
  )
  const first = normaliseArchive(once(archive), { maxBytes })
  const bytes = await bytesOf(first.archive)
  t.is(first.summary().archiveBytes, bytes.length)
  t.deepEqual(await bytesOf(normaliseArchive(once(bytes), { maxBytes }).archive), bytes)
})

test('files of a manifest are a context like others', async (t) => {
  const { entries, digest } = await summarise(packInline({ 'a/b': 'x' }), { maxBytes })
  const sha256 = createHash('sha256').update('x').digest('hex')
  t.deepEqual(entries, [{ path: 'a/b', type: 'file', mode: 0o644, size: 1, sha256 }])
  t.is(digest, treeDigest(entries))
  for (const path of ['../x', '/x', 'x/', '']) await t.throwsAsync(bytesOf(packInline({ [path]: '' })))
})
