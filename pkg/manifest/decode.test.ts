import test from 'ava'
import { decodeManifest, placeOf } from './decode.ts'
import { problemText } from './place.ts'

const stream = `# two objects
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
---
---
apiVersion: v1
kind: Secret
metadata: {name: b}
`

function problems(text: string): string[] {
  return decodeManifest({ name: 'x.yaml', text }).problems.map(problemText)
}

test('a stream is its documents, each with its place; empty ones are counted and left out', (t) => {
  const { documents } = decodeManifest({ name: 'x.yaml', text: stream })
  t.deepEqual(
    documents.map(({ source }) => source),
    [
      { file: 'x.yaml', document: 1, line: 2 },
      { file: 'x.yaml', document: 3, line: 8 },
    ],
  )
})

test('a text without documents has none, and no problem', (t) => {
  for (const text of ['', '\n', '# only a comment\n', '---\n', '---\n---\n']) {
    t.deepEqual(
      decodeManifest({ name: 'x.yaml', text }),
      { documents: [], problems: [] },
      JSON.stringify(text),
    )
  }
})

test('a List stands for its items, and errors in an item have its line', (t) => {
  const text = `apiVersion: v1
kind: List
items:
- kind: A
  spec:
    x: 1
- kind: List
  items:
  - kind: B
`
  const { documents } = decodeManifest({ name: 'x.yaml', text })
  t.deepEqual(
    documents.map(({ value, source }) => [(value as { kind: string }).kind, source.line]),
    [
      ['A', 4],
      ['B', 9],
    ],
  )
  const [first] = documents
  t.is(first && placeOf(first, 'spec.x').line, 6)
})

test('JSON is read as well, tabs included', (t) => {
  const text = '{\n\t"kind": "A",\n\t"spec": {\n\t\t"x": [1, 2]\n\t}\n}\n'
  const { documents } = decodeManifest({ name: 'x.json', text })
  t.deepEqual(documents[0]?.value, { kind: 'A', spec: { x: [1, 2] } })
  t.is(documents[0] && placeOf(documents[0], 'spec.x[1]').line, 4)
})

test('a syntax error says file, document, line and column', (t) => {
  t.deepEqual(problems('a: 1\n---\nb: [1\nc: 2\n'), [
    'x.yaml: document 2, line 4, column 1: deficient indentation',
  ])
  t.deepEqual(problems('a: b: c\n'), [
    'x.yaml: document 1, line 1, column 5: bad indentation of a mapping entry',
  ])
})

test('a key that is there twice is an error at the second', (t) => {
  t.deepEqual(problems('a: 1\nb: 2\na: 3\n'), [
    'x.yaml: document 1, line 3, column 1: duplicated mapping key',
  ])
})

test('aliases and merge keys work, and a bomb of them is refused', (t) => {
  const text = 'base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n'
  const { documents } = decodeManifest({ name: 'x.yaml', text })
  t.deepEqual(documents[0]?.value, { base: { x: 1 }, use: { x: 1, y: 2 } })
  const levels = Array.from(
    { length: 9 },
    (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`,
  )
  t.deepEqual(problems(['l0: &l0 [x,x,x,x,x,x,x,x,x]', ...levels].join('\n')), [
    'x.yaml: document 1, line 1, column 1: aliases expand to more than 500000 nodes',
  ])
})

test('words that YAML 1.1 takes for booleans stay words', (t) => {
  const { documents } = decodeManifest({ name: 'x.yaml', text: 'a: yes\nb: on\nc: 2026-01-01\nd: 0o17\n' })
  t.deepEqual(documents[0]?.value, { a: 'yes', b: 'on', c: '2026-01-01', d: 15 })
})
