// biome-ignore-all lint/suspicious/noTemplateCurlyInString: what looks like a placeholder is a variable of a Dockerfile
import test from 'ava'
import fc from 'fast-check'
import { expand } from './expand.ts'
import { trimmed } from './shellpattern.ts'

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

test('what is cut off is what the pattern means, the shortest or the longest', (t) => {
  const glob = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '\\a'), maxLength: 6 })
  const value = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 })
  fc.assert(
    fc.property(glob, value, fc.constantFrom('#', '##', '%', '%%'), (pattern, whole, operator) => {
      const source = pattern.replaceAll(/\\(.)|[*?]/g, (found, own) => own ?? (found === '*' ? '.*' : '.'))
      const lengths = Array.from({ length: whole.length + 1 }, (_, length) => length)
      const order = operator.length === 2 ? lengths.reverse() : lengths
      const isFront = operator.startsWith('#')
      const part = (length: number) => (isFront ? whole.slice(0, length) : whole.slice(whole.length - length))
      const length = order.find((each) => new RegExp(`^${source}$`, 's').test(part(each))) ?? 0
      const rest = isFront ? whole.slice(length) : whole.slice(0, whole.length - length)
      t.is(trimmed(whole, pattern, operator), rest)
    }),
    { numRuns: 2000 },
  )
})

test('a variable that grows out of itself, or a pattern that could be looked for without end, is given up', (t) => {
  const own = (value: string) => (text: string) => {
    const { text: read, problem } = expand(text, { lookup: () => value, escapeToken: '\\' })
    return problem ?? `${read.length}`
  }
  t.is(own('x'.repeat(40_000))('$A$A'), 'it becomes longer than 65535 characters')
  t.is(own('x'.repeat(40_000))('"$A$A"'), 'it becomes longer than 65535 characters')
  t.is(own('x'.repeat(40_000))(`\${A//x/${'y'.repeat(60)}}`), 'it becomes longer than 65535 characters')
  t.is(own('x'.repeat(60_000))('$A'), '60000')
  const pattern = `${'*a'.repeat(40)}b`
  for (const operator of ['#', '##', '%', '%%'])
    t.is(own('a'.repeat(200))(`\${A${operator}${pattern}}`), '200')
  for (const operator of ['/', '//'])
    t.is(own('a'.repeat(200))(`\${A${operator}${pattern}}`), 'its pattern has too many * for so long a value')
  t.is(own('registry.example:5000/team/app')('${A##*/}'), '3')
  t.is(own(`${'x'.repeat(300)}/y`)('${A%/*}'), '300')
})
