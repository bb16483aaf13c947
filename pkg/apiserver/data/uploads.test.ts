import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import test, { type ExecutionContext } from 'ava'
import { ManualClock, seededRandom, silentLogger } from '#pkg/apimachinery/ambient.ts'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { EntryRoom } from '#pkg/build/context/entryroom.ts'
import { packInline } from '#pkg/build/context/inline.ts'
import { summarise } from '#pkg/build/context/normalise.ts'
import { eventually } from '#test/helpers/eventually.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { collectUploads, keptForMs, keyOf, needless } from './uploads.collect.ts'
import { Uploads } from './uploads.ts'

const start = Date.parse('2026-01-01T12:00:00Z')
const content = Buffer.from('a file')
const digestOf = (data: Uint8Array) => `sha256:${createHash('sha256').update(data).digest('hex')}`
const name = { namespace: 'shop', digest: digestOf(content) }
const signal = new AbortController().signal

async function* once(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

async function make(t: ExecutionContext, { maxBytes = 1000 } = {}) {
  const dataDir = await makeTempDir(t, 'uploads')
  const clock = new ManualClock(start)
  const open = () => Uploads.open({ dataDir, maxBytes, clock, random: seededRandom(3) })
  return { dataDir, clock, open, uploads: await open() }
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all).toString()
}

test('a file is kept by its digest, in its namespace only', async (t) => {
  const { uploads, open } = await make(t)
  t.is(await uploads.find(name), undefined)
  await uploads.put(name, { input: once(content.subarray(0, 3), content.subarray(3)), bytes: 6, signal })
  t.is((await uploads.find(name))?.bytes, 6)
  t.is(await textOf(uploads.read(name)), 'a file')
  t.is(await uploads.find({ ...name, namespace: 'bank' }), undefined)
  const again = await open()
  t.deepEqual(
    (await again.list()).map(({ namespace, digest }) => ({ namespace, digest })),
    [name],
  )
  await again.remove(name)
  t.deepEqual(await again.list(), [])
})

test('what has another digest, or another length than was said, leaves nothing behind', async (t) => {
  const { uploads, dataDir } = await make(t)
  const other = { ...name, digest: digestOf(Buffer.from('other')) }
  const wrong = await t.throwsAsync(uploads.put(other, { input: once(content), signal }))
  t.true(isReason(wrong, 'BadRequest'))
  t.regex(wrong?.message ?? '', new RegExp(`is ${name.digest}, and not ${other.digest}`))
  const short = await t.throwsAsync(uploads.put(name, { input: once(content), bytes: 7, signal }))
  t.regex(short?.message ?? '', /was to have 7 bytes, and 6 came/)
  const broken = async function* () {
    yield content
    throw new Error('gone')
  }
  await t.throwsAsync(uploads.put(name, { input: broken(), signal }))
  t.deepEqual(await readdir(join(dataDir, 'uploads')), [])
})

test('a file that is too large is refused before it is read, or while it comes', async (t) => {
  const { uploads, dataDir } = await make(t, { maxBytes: 5 })
  let read = false
  const watched = async function* () {
    read = true
    yield content
  }
  const said = await t.throwsAsync(uploads.put(name, { input: watched(), bytes: 6, signal }))
  t.true(isReason(said, 'RequestEntityTooLarge'))
  t.false(read)
  const found = await t.throwsAsync(uploads.put(name, { input: watched(), signal }))
  t.true(isReason(found, 'RequestEntityTooLarge'))
  t.deepEqual(await readdir(join(dataDir, 'uploads')), [])
})

test('a file for which the disk has no room is refused before it is read', async (t) => {
  const { uploads } = await make(t, { maxBytes: Number.MAX_SAFE_INTEGER })
  const error = await t.throwsAsync(uploads.put(name, { input: once(content), bytes: 2 ** 52, signal }))
  t.true(isReason(error, 'NoSpace'))
  t.regex(error?.message ?? '', /no room for a file of .*: .* are free for uploads/)
})

test('whoever hangs up leaves nothing behind', async (t) => {
  const { uploads, dataDir } = await make(t)
  const aborter = new AbortController()
  const hanging = async function* () {
    yield content
    aborter.abort(new Error('hung up'))
    yield content
  }
  await t.throwsAsync(uploads.put(name, { input: hanging(), signal: aborter.signal }), { message: 'hung up' })
  t.deepEqual(await readdir(join(dataDir, 'uploads')), [])
})

test('what a kill broke off is removed at the next start, and whole files stay', async (t) => {
  const { uploads, dataDir, open } = await make(t)
  await uploads.put(name, { input: once(content), signal })
  await writeFile(join(dataDir, 'uploads/.partial-x'), 'half')
  const again = await open()
  t.deepEqual(await readdir(join(dataDir, 'uploads')), ['shop'])
  t.is(await textOf(again.read(name)), 'a file')
})

test('no name leads out of the folder', async (t) => {
  const { uploads } = await make(t)
  for (const bad of [
    { namespace: '..', digest: name.digest },
    { namespace: 'shop', digest: '../../x' },
    { namespace: 'a/b', digest: name.digest },
  ])
    t.true(isReason(await t.throwsAsync(uploads.find(bad)), 'BadRequest'))
})

test('only what nobody has named or asked for in an hour is needless', async (t) => {
  const { uploads, clock } = await make(t)
  await uploads.put(name, { input: once(content), signal })
  await uploads.touch(name)
  const files = await uploads.list()
  const never = () => 0
  t.deepEqual(needless(files, never, start + keptForMs), [])
  t.is(needless(files, never, start + keptForMs + 1).length, 1)
  t.deepEqual(
    needless(files, () => start + 10, start + keptForMs + 1),
    [],
  )
  await clock.advance(keptForMs)
  await uploads.touch(name)
  t.deepEqual(needless(await uploads.list(), never, start + keptForMs + 1), [])
})

test('a file that is asked for while others are looked at is not collected', async (t) => {
  const { uploads, dataDir, clock } = await make(t)
  await uploads.put(name, { input: once(content), signal })
  await uploads.touch(name)
  await writeFile(join(dataDir, 'uploads/shop/notes'), 'of somebody else')
  const list = uploads.list.bind(uploads)
  let between = async () => uploads.touch(name)
  Object.assign(uploads, {
    list: async () => {
      const files = await list()
      await between()
      return files
    },
  })
  let named = new Set<string>()
  const stop = new AbortController()
  const ambient = { clock, random: seededRandom(3), log: silentLogger }
  const collecting = collectUploads({ uploads, named: () => named, ambient, signal: stop.signal })
  const pass = async () => {
    for (let at = 0; at < 2 * keptForMs; at += keptForMs / 6) {
      await clock.advance(keptForMs / 6)
      await list()
    }
  }
  await pass()
  t.not(await uploads.find(name), undefined)
  // Named only just now, after the others were looked at.
  named = new Set()
  between = async () => {
    named = new Set([keyOf(name)])
  }
  await pass()
  t.not(await uploads.find(name), undefined)
  between = async () => {}
  named = new Set()
  await eventually(async () => {
    await pass()
    assert.equal(await uploads.find(name), undefined)
  })
  stop.abort(new Error('over'))
  await collecting
})

test('a context is kept by what is in it, as Cove writes it, whoever has packed it', async (t) => {
  const { uploads, open } = await make(t, { maxBytes: 100_000 })
  const { digest } = await summarise(packInline({ a: 'x', 'd/b': 'y' }), { maxBytes: 100 })
  const tree = { namespace: 'shop', digest }
  const archive = await bytesOf(packInline({ 'd/b': 'y', './a': 'x' }))
  await uploads.put(tree, { input: once(gzipSync(archive)), signal })
  const stored = await bytesOf(uploads.read(tree))
  t.is((await summarise(once(stored), { maxBytes: 100 })).digest, digest)
  t.deepEqual(stored, archive)
  t.deepEqual(
    (await (await open()).list()).map((file) => file.digest),
    [digest],
  )
  await uploads.remove(tree)
  t.is(await uploads.find(tree), undefined)
})

test('a context that is another one, that is broken, or that leaves itself, leaves nothing behind', async (t) => {
  const { uploads, dataDir } = await make(t, { maxBytes: 100_000 })
  const tree = { namespace: 'shop', digest: `tree:${'0'.repeat(64)}` }
  const archive = await bytesOf(packInline({ a: 'x' }))
  const away = Buffer.from(archive)
  away.write('/', 0)
  const said = async (input: Uint8Array) =>
    (await t.throwsAsync(uploads.put(tree, { input: once(input), signal })))?.message
  t.regex((await said(archive)) ?? '', /^the digest of what came is tree:\w+, and not tree:0+/)
  t.regex((await said(archive.subarray(0, 600))) ?? '', /ends within a file/)
  t.regex((await said(content)) ?? '', /ends within a file|no tar archive/)
  t.truthy(await said(away))
  t.deepEqual(await readdir(join(dataDir, 'uploads')), [])
})

test('contexts of too many files at once are told to come later, and then taken', async (t) => {
  const dataDir = await makeTempDir(t, 'uploads')
  const ambient = { clock: new ManualClock(start), random: seededRandom(3) }
  const uploads = await Uploads.open({ dataDir, maxBytes: 1e6, ...ambient, entryRoom: new EntryRoom(3000) })
  const files = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`f${i}`, '']))
  const treeOf = async (of: Readonly<Record<string, string>>) => {
    const { digest } = await summarise(packInline(of), { maxBytes: 1e6 })
    return { namespace: 'shop', digest }
  }
  const [large, small] = [files(6), files(5)]
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>()
  const { promise: over, resolve: end } = Promise.withResolvers<void>()
  const slow = async function* () {
    const all = await bytesOf(packInline(large))
    yield all.subarray(0, -1024)
    begin()
    await over
    yield all.subarray(-1024)
  }
  const first = uploads.put(await treeOf(large), { input: slow(), signal })
  await begun
  const put = async () => uploads.put(await treeOf(small), { input: packInline(small), signal })
  const error = await t.throwsAsync(put())
  t.true(isReason(error, 'TooManyRequests'), String(error))
  end()
  await first
  await put()
  t.is((await uploads.list()).length, 2)
})

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}
