// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Compose are what is tested

import test from 'ava'
import { interpolate, parseEnvFile } from './interpolate.ts'

const variables = (name: string) => ({ A: 'one', EMPTY: '' })[name]
const replaced = (text: string) => interpolate(text, variables).value

test('variables are replaced as Compose does', (t) => {
  const table: readonly [string, string][] = [
    ['$A', 'one'],
    ['x${A}y', 'xoney'],
    ['$$A', '$A'],
    ['${B:-two}', 'two'],
    ['${EMPTY:-two}', 'two'],
    ['${EMPTY-two}', ''],
    ['${B-${A}}', 'one'],
    ['${B:-${C:-deep}}!', 'deep!'],
    ['${A:+other}', 'other'],
    ['${EMPTY:+other}', ''],
    ['${EMPTY+other}', 'other'],
    ['${A:?must}', 'one'],
    ['cost: 5$', 'cost: 5$'],
    ['$1', '$1'],
  ]
  for (const [text, expected] of table) t.is(replaced(text), expected, text)
})

test('a variable without a value is nothing, and is told', (t) => {
  const { value, missing } = interpolate({ a: ['$NONE', 'b'], c: 1 }, variables)
  t.deepEqual(value, { a: ['', 'b'], c: 1 })
  t.deepEqual([...missing], ['NONE'])
})

test('a required variable without a value is an error in its own words', (t) => {
  t.throws(() => replaced('${B:?set B first}'), { message: 'variable B is required: set B first' })
  t.throws(() => replaced('${B?}'), { message: 'variable B is required: it has no value' })
  t.throws(() => replaced('${B:-x'), { message: '"${B:-x": a variable is not closed with "}"' })
})

test('an env file gives names and values, quotes taken off', (t) => {
  const file = [
    '# a comment',
    'PLAIN=a b # and a comment',
    "SINGLE='$A # kept'",
    'DOUBLE="$A\\n"',
    'export EXPORTED=1',
    'A',
    'NONE',
    'EMPTY=',
    'URL=http://x/#y',
  ].join('\n')
  t.deepEqual(Object.fromEntries(parseEnvFile(file, variables)), {
    PLAIN: 'a b',
    SINGLE: '$A # kept',
    DOUBLE: 'one\n',
    EXPORTED: '1',
    A: 'one',
    EMPTY: '',
    URL: 'http://x/#y',
  })
})
