import test from 'ava'
import { validateMeta } from './names.ts'

const container = { kind: 'Container', namespaced: true }
const node = { kind: 'Node', namespaced: false }
const namespace = { kind: 'Namespace', namespaced: false }

function fields(kind: typeof container, metadata: unknown): string[] {
  return validateMeta(kind, { metadata }).map(({ reason, field }) => `${reason} ${field}`)
}

test('names are those of DNS', (t) => {
  for (const name of ['a', 'web', 'web-1', 'a.b.c', '1', 'x'.repeat(253)]) {
    t.deepEqual(fields(container, { name }), [], name)
  }
  for (const name of [
    'Web',
    '-a',
    'a-',
    'a_b',
    'a..b',
    '.a',
    'a.',
    'a b',
    'ä',
    'x'.repeat(254),
    'a.-b',
    'a\n',
  ]) {
    t.deepEqual(fields(container, { name }), ['FieldValueInvalid metadata.name'], name)
  }
})

test('the name of a Namespace holds no dot', (t) => {
  t.deepEqual(fields(namespace, { name: 'shop' }), [])
  for (const name of ['a.b', 'x'.repeat(64)]) {
    t.deepEqual(fields(namespace, { name }), ['FieldValueInvalid metadata.name'], name)
  }
})

test('a name is needed, or something to make one from', (t) => {
  t.deepEqual(validateMeta(container, {}), [
    { reason: 'FieldValueRequired', field: 'metadata', message: 'is required' },
  ])
  t.deepEqual(validateMeta(container, 'text').length, 1)
  t.deepEqual(fields(container, {}), ['FieldValueRequired metadata.name'])
  t.deepEqual(fields(container, { name: '' }), ['FieldValueRequired metadata.name'])
  t.deepEqual(fields(container, { generateName: 'web-' }), [])
})

test('only what lives in a namespace may name one', (t) => {
  t.deepEqual(fields(container, { name: 'web', namespace: 'shop' }), [])
  t.deepEqual(fields(container, { name: 'web', namespace: 'a.b' }), ['FieldValueInvalid metadata.namespace'])
  t.deepEqual(validateMeta(node, { metadata: { name: 'n1', namespace: 'shop' } }), [
    { reason: 'FieldValueForbidden', field: 'metadata.namespace', message: 'a Node has no namespace' },
  ])
})

test('keys of labels are [prefix/]name, values are words', (t) => {
  const good: Record<string, string> = {
    app: 'web',
    'app.kubernetes.io/name': 'Web_1.x',
    A: '',
    a_b: 'x'.repeat(63),
    [`${'a'.repeat(253)}/${'n'.repeat(63)}`]: '',
  }
  t.deepEqual(fields(container, { name: 'web', labels: good }), [])
  const badKeys = [
    '',
    '/a',
    'a/',
    'A.io/a',
    'a..b/c',
    'a/b/c',
    '-a',
    'a-',
    'a b',
    'n'.repeat(64),
    `${'a'.repeat(254)}/n`,
  ]
  for (const key of badKeys) {
    t.deepEqual(
      fields(container, { name: 'web', labels: { [key]: '' } }),
      ['FieldValueInvalid metadata.labels'],
      key,
    )
  }
  for (const value of ['-a', 'a b', 'a/b', 'x'.repeat(64), 'ä', 'a.']) {
    t.deepEqual(
      fields(container, { name: 'web', labels: { app: value } }),
      ['FieldValueInvalid metadata.labels[app]'],
      value,
    )
  }
})

test('annotations hold any text, up to a size', (t) => {
  t.deepEqual(fields(container, { name: 'web', annotations: { 'a/b': 'any text: {}\n' } }), [])
  t.deepEqual(fields(container, { name: 'web', annotations: { 'a b': '' } }), [
    'FieldValueInvalid metadata.annotations',
  ])
  t.deepEqual(fields(container, { name: 'web', annotations: { a: 'x'.repeat(256 * 1024) } }), [
    'FieldValueInvalid metadata.annotations',
  ])
})
