import test from 'ava'
import { isReason } from '#pkg/apimachinery/errors.ts'
import { makeIgnore } from './ignore.ts'
import { parseIgnore } from './ignorefile.ts'

const left = (text: string, ...paths: string[]) => {
  const { ignores } = makeIgnore(parseIgnore(text))
  return paths.filter((path) => !ignores(path))
}

test('comments, blanks and slashes are read as docker reads them', (t) => {
  t.deepEqual(parseIgnore('\ufeff# no\n\n  a/ \n/b\n! /c/../d\n #e\r\n!\n'), ['a', 'b', '!d', '#e', '!'])
})

test('the last pattern that matches decides, for what is below a folder as well', (t) => {
  t.deepEqual(left('*.md\n!a.md', 'a.md', 'b.md', 'sub/b.md'), ['a.md', 'sub/b.md'])
  t.deepEqual(left('sub', 'sub', 'sub/a', 'subway'), ['subway'])
  t.deepEqual(left('sub\n!sub/a', 'sub', 'sub/a', 'sub/b'), ['sub/a'])
  t.deepEqual(left('sub\n!sub/a\nsub/a/c', 'sub/a/b', 'sub/a/c'), ['sub/a/b'])
})

test('two stars go through folders, one does not', (t) => {
  t.deepEqual(left('**/*.go', 'a.go', 'x/a.go', 'x/y/a.go', 'x/a'), ['x/a'])
  t.deepEqual(left('*/a', 'a', 'x/a', 'x/y/a'), ['a', 'x/y/a'])
})

test('an exception with wildcards does not open a folder that is left out', (t) => {
  t.deepEqual(left('*\n!**/a', 'a', 'x/a'), ['a'])
})

test('what docker refuses is refused, with the pattern', (t) => {
  for (const text of ['[', 'a\\', '!']) {
    const error = t.throws(() => makeIgnore(parseIgnore(text)))
    t.true(isReason(error, 'BadRequest'))
    t.true(error?.message.includes(text.slice(0, 1)))
  }
})
