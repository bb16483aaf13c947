/** What has changed between two contexts: by the lists of their files alone. */
import test from 'ava'
import type { TreeEntry } from '#pkg/build/context/entry.ts'
import { compareFiles, decodeFileList, encodeFileList } from './filelist.ts'

const file = (path: string, text: string, mode = 0o644): TreeEntry => ({
  path,
  type: 'file',
  mode,
  size: text.length,
  sha256: text.repeat(64).slice(0, 64),
})
const folder = (path: string): TreeEntry => ({ path, type: 'directory', mode: 0o755, size: 0 })
const link = (path: string, linkname: string): TreeEntry => ({
  path,
  type: 'symlink',
  mode: 0o777,
  size: 0,
  linkname,
})

function compare(before: readonly TreeEntry[], after: readonly TreeEntry[]) {
  const [was, is] = [before, after].map((entries) => decodeFileList(encodeFileList(entries) ?? '?\n'))
  if (was === undefined || is === undefined) throw new Error('a list is not what was written')
  return compareFiles(was, is)
}

test('files that are new, gone or other ones are told by their paths, in order', (t) => {
  const before = [
    folder('src'),
    file('src/main.c', 'a'),
    file('src/old.c', 'b'),
    link('l', 'a'),
    file('x', 'x'),
  ]
  const after = [
    file('x', 'x'),
    link('l', 'b'),
    folder('src'),
    file('src/new.c', 'b'),
    file('src/main.c', 'c'),
  ]
  t.deepEqual(compare(before, after), {
    count: 4,
    files: [
      { path: 'l', how: 'changed' },
      { path: 'src/main.c', how: 'changed' },
      { path: 'src/new.c', how: 'added' },
      { path: 'src/old.c', how: 'removed' },
    ],
  })
  t.deepEqual(compare(after, after), { count: 0, files: [] })
})

test('who may what with a file counts, and a file in place of a link', (t) => {
  t.is(compare([file('run', 'a')], [file('run', 'a', 0o755)]).count, 1)
  t.is(compare([link('run', 'a')], [file('run', 'a')]).count, 1)
})

test('folders are told where nothing in them is', (t) => {
  t.deepEqual(compare([], [folder('empty')]).files, [{ path: 'empty', how: 'added' }])
  t.deepEqual(compare([], [folder('a'), file('a/b', 'b')]).files, [{ path: 'a/b', how: 'added' }])
})

test('of more than can be told they are counted, and of more than can be kept there is no list', (t) => {
  const many = (count: number) => Array.from({ length: count }, (_, index) => file(`f${index}`, 'a'))
  const { count, files } = compare([], many(1000))
  t.is(count, 1000)
  t.is(files.length, 256)
  t.is(encodeFileList(many(100_001)), undefined)
})

test('odd names survive, and a damaged list is none', (t) => {
  const odd = file('a "b"\n\u{1f600}', 'a')
  t.is(compare([odd], [odd]).count, 0)
  for (const text of ['{}\n', '["a"]\n', '["a", 1]\n', 'x\n']) t.is(decodeFileList(text), undefined, text)
})
