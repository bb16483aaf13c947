/** Contexts on the disk: whole or not there, whatever ends the agent; none that nobody wants. */
import { mkdir, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { isReason, StatusError } from '#pkg/apimachinery/errors.ts'
import { makeTempDir } from '#test/helpers/tempdir.ts'
import { type Bytes, type ContextFetched, DiskContextStore } from './contextstore.ts'

const digestOf = (digit: string) => `tree:${digit.repeat(64)}`

/** `digit`: what the digest is made of. */
function fetched(
  digit: string,
  text: string,
  more: Partial<ContextFetched> = {},
): () => Promise<ContextFetched> {
  return async () => ({
    content: chunks(text),
    contents: async () => ({
      digest: digestOf(digit),
      bytes: text.length,
      files: 1,
      dockerfiles: { Dockerfile: 'FROM scratch' },
    }),
    ...more,
  })
}

async function* chunks(text: string): Bytes {
  for (const part of text) yield Buffer.from(part)
}

async function textOf(content: Bytes): Promise<string> {
  const all: Uint8Array[] = []
  for await (const chunk of content) all.push(chunk)
  return Buffer.concat(all).toString()
}

async function begun(t: ExecutionContext, directory: string): Promise<DiskContextStore> {
  const store = new DiskContextStore(directory, (error) => {
    throw error
  })
  await store.recall()
  t.teardown(() => store.close())
  return store
}

async function namesBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true, withFileTypes: true })
  return names.flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []))
}

async function nothing(t: ExecutionContext, store: DiskContextStore, digit: string): Promise<void> {
  const error = await t.throwsAsync(store.open(digestOf(digit)))
  t.true(isReason(error, 'NotFound'))
}

test('what is put is there by its key, also after a start', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  const put = await store.put('git:1', fetched('a', 'archive', { revision: 'c0ffee' }))
  t.is(put.revision, 'c0ffee')
  t.is((await store.put('tar:1', fetched('b', 'other'))).revision, digestOf('b'))
  await store.close()
  const again = await begun(t, directory)
  t.deepEqual(again.facts(), store.facts())
  t.deepEqual(again.facts().get('git:1'), put)
  t.is(await textOf(await again.open(digestOf('a'))), 'archive')
})

test('a context that the disk cannot keep is there until the next start, and that is told', async (t) => {
  const directory = await makeTempDir(t)
  const errors: StatusError[] = []
  const store = new DiskContextStore(directory, (error) => errors.push(error))
  await store.recall()
  await rm(join(directory, 'keys'), { recursive: true })
  await store.put('k', fetched('a', 'archive'))
  await store.close()
  t.is(await textOf(await store.open(digestOf('a'))), 'archive')
  t.regex(errors[0]?.message ?? '', /^the context tree:aaaaaaaaaaaa cannot be kept: ENOENT/)
  t.is(errors.length, 1)
  t.is((await begun(t, directory)).facts().size, 0)
  t.deepEqual(await namesBelow(directory), [])
})

test('what is there is not fetched again', async (t) => {
  const store = await begun(t, await makeTempDir(t))
  const first = await store.put('k', fetched('a', 'one'))
  const never = () => Promise.reject(new Error('it is fetched'))
  t.deepEqual(await store.put('k', never), first)
})

test('a fetch that fails, at its begin, half-way or at its end, leaves nothing', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  async function* broken(): Bytes {
    yield Buffer.from('half')
    throw new StatusError('SourceUnavailable', 'cut off')
  }
  const bad = async () => Promise.reject(new StatusError('InvalidSpec', 'evil'))
  const ways = [
    () => Promise.reject(new StatusError('RefNotFound', 'no such')),
    fetched('a', '', { content: broken() }),
    fetched('a', 'whole', { contents: bad }),
  ]
  for (const way of ways) t.true((await t.throwsAsync(store.put('k', way))) instanceof StatusError)
  t.deepEqual(await namesBelow(directory), [])
  t.is(store.facts().size, 0)
})

test('the scratch folder of a fetch is its own, and gone afterwards', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  const seen: string[] = []
  const fetch = (digit: string) => async (scratch: string) => {
    seen.push(scratch)
    await writeFile(join(scratch, 'archive'), digit)
    return await fetched(digit, digit)()
  }
  await Promise.all([store.put('1', fetch('a')), store.put('2', fetch('b'))])
  t.is(new Set(seen).size, 2)
  t.deepEqual(await readdir(join(directory, 'aside')), [])
})

test('a sweep removes what no key leads to, and an archive that two have with the last of them', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  await store.put('1', fetched('a', 'same'))
  await store.put('2', fetched('a', 'same'))
  await store.put('3', fetched('b', 'other'))
  await store.sweep(new Set(['2']), new Set())
  t.deepEqual([...store.facts().keys()], ['2'])
  t.is(await textOf(await store.open(digestOf('a'))), 'same')
  await nothing(t, store, 'b')
  await store.sweep(new Set(), new Set())
  t.deepEqual(await namesBelow(directory), [])
})

test('several Builds that bring the same files at once all have them, and a sweep is in the way of none', async (t) => {
  const store = await begun(t, await makeTempDir(t))
  const keys = Array.from({ length: 12 }, (_, index) => `upload:${index}`)
  const entries = [{ path: 'a', type: 'file' as const, mode: 0o644, size: 7, sha256: 'd'.repeat(64) }]
  const contents = async () => ({ digest: digestOf('a'), bytes: 7, files: 1, dockerfiles: {}, entries })
  const puts = keys.map((key) => store.put(key, fetched('a', 'archive', { contents })))
  const sweeps = keys.map(() => store.sweep(new Set(keys), new Set()))
  const put = await Promise.all(puts)
  await Promise.all(sweeps)
  t.deepEqual(new Set(put.map(({ digest }) => digest)), new Set([digestOf('a')]))
  t.deepEqual([...store.facts().keys()].toSorted(), keys.toSorted())
  t.deepEqual(await store.compare(digestOf('a'), digestOf('a')), { files: [], count: 0 })
})

test('a sweep beside what is being fetched leaves that', async (t) => {
  const store = await begun(t, await makeTempDir(t))
  const { promise: begins, resolve: begin } = Promise.withResolvers<void>()
  const { promise: swept, resolve: goOn } = Promise.withResolvers<void>()
  async function* slow(): Bytes {
    yield Buffer.from('a')
    begin()
    await swept
    yield Buffer.from('b')
  }
  const putting = store.put('k', fetched('a', 'ab', { content: slow() }))
  await begins
  await store.sweep(new Set(), new Set())
  goOn()
  await putting
  t.is(await textOf(await store.open(digestOf('a'))), 'ab')
})

test('what a crash has left is nothing: half an archive, an archive without a note, a note without its archive', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  for (const digit of ['a', 'b', 'c']) await store.put(digit, fetched(digit, 'archive'))
  await store.close()
  await truncate(join(directory, 'trees', `${'a'.repeat(64)}.tar`), 3)
  const notes = await readdir(join(directory, 'keys'))
  await writeFile(join(directory, 'keys', notes[0] ?? ''), '{"key":')
  await mkdir(join(directory, 'aside', 'x'))
  await writeFile(join(directory, 'aside', 'x', 'context.tar'), 'half')
  await writeFile(join(directory, 'trees', `${'d'.repeat(64)}.tar`), 'nobody')
  const again = await begun(t, directory)
  t.false(again.facts().has('a'))
  const left = again.facts().size
  t.true(left === 1 || left === 2)
  t.is((await namesBelow(directory)).length, 2 * left)
  await nothing(t, again, 'a')
})

test('an archive that is lost meanwhile is fetched again', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  await store.put('k', fetched('a', 'archive'))
  await truncate(join(directory, 'trees', `${'a'.repeat(64)}.tar`), 0)
  await nothing(t, store, 'a')
  await store.put('k', fetched('a', 'archive'))
  t.is(await textOf(await store.open(digestOf('a'))), 'archive')
})

test('what has changed is known as long as somebody compares, also when the files are gone', async (t) => {
  const directory = await makeTempDir(t)
  const store = await begun(t, directory)
  const one = (digit: string, text: string): ContextFetched => {
    const entry = { path: 'a', type: 'file', mode: 0o644, size: 1, sha256: text.repeat(64) } as const
    const facts = { digest: digestOf(digit), bytes: 1, files: 1, dockerfiles: {}, entries: [entry] }
    return { content: chunks(text), contents: async () => facts }
  }
  await store.put('1', async () => one('a', 'x'))
  await store.put('2', async () => one('b', 'y'))
  await store.sweep(new Set(['2']), new Set([digestOf('a')]))
  await nothing(t, store, 'a')
  await store.close()
  const again = await begun(t, directory)
  t.deepEqual(await again.compare(digestOf('a'), digestOf('b')), {
    count: 1,
    files: [{ path: 'a', how: 'changed' }],
  })
  t.is(await again.compare(digestOf('c'), digestOf('b')), undefined)
  await again.sweep(new Set(['2']), new Set())
  t.is(await again.compare(digestOf('a'), digestOf('b')), undefined)
  await again.sweep(new Set(), new Set())
  t.deepEqual(await namesBelow(directory), [])
})
