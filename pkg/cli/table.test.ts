import test from 'ava'
import { formatTable, TableWriter } from './table.ts'

test('columns are three blanks apart and at least six wide; the last is as long as it is', (t) => {
  t.is(
    formatTable([
      ['A', 'LONGER', 'LAST'],
      ['x', 'y', 'a long last cell'],
    ]),
    'A     LONGER   LAST\nx     y        a long last cell\n',
  )
})

test('rows of a watch keep the columns of what was printed before', (t) => {
  const writer = new TableWriter()
  writer.format([['a-long-name', 'STATUS']])
  t.is(writer.format([['web', 'Running']]), 'web           Running\n')
})

test('a character counts as one column, whatever its bytes', (t) => {
  t.is(
    formatTable([
      ['äöüß', 'x'],
      ['abcd', 'y'],
    ]),
    'äöüß   x\nabcd   y\n',
  )
})

test('what gives orders to a terminal is shown, and not obeyed', (t) => {
  t.is(formatTable([['a\u001b[2Jb', 'c\rd\u009be']]), 'a^[[2Jb   c\\rd^[e\n')
})
