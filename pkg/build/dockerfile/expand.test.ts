// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import { expand } from './expand.ts'

const values: Readonly<Record<string, string>> = { A: 'a', EMPTY: '', PATHS: 'x/y/z.tar.gz' }
const lookup = (name: string) => values[name]
const textOf = (text: string, escapeToken = '\\') => {
  const { text: expanded, problem } = expand(text, { lookup, escapeToken })
  return problem ?? expanded
}

test('variables, quotes and escapes are resolved as builders do', (t) => {
  const cases = {
    'x$A-${A}y': 'xa-ay',
    "'$A'": '$A',
    '"$A b"c': 'a bc',
    '\\$A': '$A',
    '"\\$A \\n"': '$A \\n',
    $: '$',
    $$A: 'A',
    '${NONE}': '',
    '${NONE:-d$A}': 'da',
    '${NONE:-${EMPTY:-e}}': 'e',
    '${EMPTY-d}': '',
    '${EMPTY:+d}': '',
    '${A:+d}': 'd',
    '${A:?no}': 'a',
    '${PATHS#*/}': 'y/z.tar.gz',
    '${PATHS##*/}': 'z.tar.gz',
    '${PATHS%.*}': 'x/y/z.tar',
    '${PATHS%%.*}': 'x/y/z',
    '${PATHS/\\//-}': 'x-y/z.tar.gz',
    '${PATHS//\\//-}': 'x-y-z.tar.gz',
  }
  for (const [text, expected] of Object.entries(cases)) t.is(textOf(text), expected, text)
  t.is(textOf('`$A\\', '`'), '$A\\')
})

test('what no builder resolves is told', (t) => {
  const cases = {
    '"a': 'a " is never closed',
    "'a": "a ' is never closed",
    '${A': 'the } of ${A is missing',
    '${}': 'a substitution has no name between its braces',
    '${A^}': 'unknown modifier in ${A^}',
    '${NONE:?must be there}': 'NONE: must be there',
  }
  for (const [text, expected] of Object.entries(cases)) t.is(textOf(text), expected, text)
})

test('only variables that are asked for and have no value are told as unset', (t) => {
  const unset = (text: string) => expand(text, { lookup, escapeToken: '\\' }).unset
  t.deepEqual(unset('$X ${Y} $A'), ['X', 'Y'])
  t.deepEqual(unset('${X:-$A} ${A:-$Z} ${X:+$Z}'), [])
})

test('a nest of substitutions is given up', (t) => {
  const deep = `${'${A:+'.repeat(5_000)}x`
  t.is(textOf(deep), 'its substitutions are nested too deeply')
})
