import test from 'ava'
import fc from 'fast-check'
import { parseYaml, writeYaml, YamlError } from './yaml.ts'

test('what is written reads back the same', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        // As JSON, which knows no minus zero.
        t.is(JSON.stringify(parseYaml(writeYaml({ value }))), JSON.stringify({ value }))
      }),
    ),
  )
})

test('strings that would read as something else are quoted as kubectl quotes them', (t) => {
  const text = writeYaml({
    a: 'true',
    b: '1',
    c: '',
    d: 'yes',
    e: '1e3',
    f: 'x: y',
    g: '0x1F',
    h: 'plain',
    i: null,
  })
  t.is(text, `a: "true"\nb: "1"\nc: ""\nd: "yes"\ne: "1e3"\nf: 'x: y'\ng: "0x1F"\nh: plain\ni: null\n`)
})

test('a second document is refused where one is expected', (t) => {
  t.throws(() => parseYaml('a: 1\n---\nb: 2\n'), { message: 'has more than one document' })
  t.is(parseYaml(''), undefined)
})

test('aliases of a long text are bounded by what they grow to', (t) => {
  const text = `a: &a ${'x'.repeat(100_000)}\nb: [${Array(900).fill('*a').join(', ')}]\n`
  t.throws(() => parseYaml(text), { instanceOf: YamlError, message: /expand to more than/ })
  t.notThrows(() => parseYaml(`a: ${'x'.repeat(3 * 1024 * 1024)}\n`))
})
